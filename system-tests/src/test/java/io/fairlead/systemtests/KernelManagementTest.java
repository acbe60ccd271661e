package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead mgmtdev} and {@code fairlead dev} on a real kernel, beside iproute2's {@code vdpa}. */
@Timeout(400)
class KernelManagementTest {
    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    private static final JsonMapper JSON = new JsonMapper();
    private static final String MAC = "52:54:00:12:34:56";

    /** Runs commands; what each prints and its exit code are files in the shared folder. */
    private static final String FUNCTIONS = """
            results=$PWD
            mkdir -p /run/management
            cd /run/management
            trap 'cp * "$results"; rm -r /run/management' EXIT
            run() {
                name=$1
                shift
                "$@" >"$name.stdout" 2>"$name.stderr" </dev/null
                echo $? >"$name.code"
            }
            step() { echo "$(cut -d' ' -f1 /proc/uptime) $1" >>management-steps; }
            # Another test may have been here.
            dmesg -c >/dev/null
            rm -f /tmp/commands
            mkfifo /tmp/commands
            command-loop </tmp/commands &
            exec 3>/tmp/commands
            fairlead() {
                (IFS='	'; echo "$*" >&3)
                while [ ! -e "$1.code" ]; do sleep 0.05; done
            }
            both() {
                what=$1
                shift
                run "$what-theirs" vdpa -j "$@"
                fairlead "$what-ours" "$@" --json
            }
            """;

    private static final String SCRIPT = FUNCTIONS + """
            fairlead family-missing dev show
            step "the JVM is there"
            for module in vdpa vhost_vdpa vduse vdpa_sim_net vdpa_sim_blk; do modprobe $module || exit 1; done
            both mgmtdev mgmtdev show
            both mgmtdev-one mgmtdev show vdpasim_blk
            fairlead mgmtdev-unknown mgmtdev show nobody
            mkdir -p /etc/fairlead
            echo 'net root:daemon 0640' >permissions
            fairlead add-net dev add name net0 mgmtdev vdpasim_net mac %1$s mtu 1400 --permissions permissions
            fairlead add-blk dev add name blk0 mgmtdev vdpasim_blk
            run unprivileged /usr/bin/setpriv --bounding-set=-net_admin --inh-caps=-net_admin \\
                fairlead-process dev del blk0 &
            unprivileged=$!
            ls -l /dev/fairlead >links
            stat -c '%%U %%G %%a' /dev/fairlead/net-%1$s -L >mode
            both dev dev show
            both dev-one dev show blk0
            both config dev config show
            fairlead add-again dev add name blk0 mgmtdev vdpasim_blk
            fairlead add-attribute dev add name blk1 mgmtdev vdpasim_blk mac %1$s
            fairlead add-mtu dev add name net1 mgmtdev vdpasim_net mtu 60
            fairlead add-unknown dev add name blk1 mgmtdev nobody
            fairlead add-vduse dev add name nobody mgmtdev vduse
            fairlead show-unknown dev show nobody
            fairlead del-unknown dev del nobody
            step "mistakes were made"

            sleep 600 </dev/vhost-vdpa-1 &
            holder=$!
            sleep 0.3
            fairlead del-busy dev del blk0
            kill $holder
            wait $holder

            for module in virtio_vdpa virtio_net virtio_blk ext4; do modprobe $module || exit 1; done
            fairlead bind-net dev bind net-%1$s virtio_vdpa
            fairlead bind-blk dev bind blk-blk0 virtio_vdpa
            both config-negotiated dev config show
            both vstats dev vstats show net0 qidx 0
            fairlead stats dev stats net0
            disk=$(basename /sys/bus/vdpa/devices/blk0/virtio*/block/*)
            mke2fs -q "/dev/$disk" && mkdir -p /tmp/disk && mount "/dev/$disk" /tmp/disk || exit 1
            fairlead bind-mounted dev bind blk0
            umount /tmp/disk
            fairlead bind-back dev bind blk0
            wait $unprivileged
            step "drivers came and went"
            fairlead del-blk dev del blk0
            both dev-left dev show
            ls /dev/fairlead >links-left
            fairlead set-mac dev set net0 mac=52:54:00:12:34:57
            fairlead config-after dev config show net0 --json

            address=$(basename "$(dirname "$(grep -l 0x1044 /sys/bus/pci/devices/*/device)")")
            fairlead pci-no-driver mgmtdev bind "$address"
            modprobe vp_vdpa || exit 1
            fairlead pci-bind mgmtdev bind "$address"
            both pci-mgmtdev mgmtdev show "pci/$address"
            fairlead pci-add dev add name rng0 mgmtdev "pci/$address"
            both pci-dev dev show rng0
            fairlead pci-config dev config show rng0
            fairlead pci-config-all dev config show
            fairlead pci-del dev del rng0
            fairlead pci-unbind mgmtdev unbind "$address"
            basename "$(readlink /sys/bus/pci/devices/$address/driver)" >pci-driver
            vdpa dev del net0
            rm -r /etc/fairlead /dev/fairlead
            dmesg | grep -E 'BUG:|WARNING:|Oops|Call Trace' >kernel-errors
            step "all is gone"
            """.formatted(MAC);

    @Test
    void theKernelsDevicesReadAndBehaveAsWithIproute2() throws Exception {
        compare(L1Kernel.V6_12);
    }

    @Test
    @Tag("long")
    void theKernelsDevicesReadAndBehaveAsWithIproute2OnTheOtherKernel() throws Exception {
        compare(L1Kernel.V7_3);
    }

    private static void compare(L1Kernel kernel) throws Exception {
        L1Host host = L1.shared(kernel);
        L1Lab.writeProgram(host, "command-loop", "io.fairlead.systemtests.CommandLoop");
        L1Lab.writeProgram(host, "fairlead-process", "io.fairlead.cli.Main");
        Results results = new Results(host.sharedDirectory());
        var _ = host.run(SCRIPT, Lab.PATIENCE);
        Lab.report("%s: %s", kernel, results.file("management-steps"));
        everythingIsShownAsIproute2ShowsIt(results);
        mistakesAreToldWithWhatHelps(results);
        driversComeAndGo(results);
        functionsBecomeManagementDevices(results);
        aCardChangesItsAddress(results);
        assertThat(results.file("kernel-errors")).isEmpty();
    }

    private static void everythingIsShownAsIproute2ShowsIt(Results results) throws IOException {
        for (String name : List.of("mgmtdev", "mgmtdev-one", "dev", "dev-one", "vstats", "dev-left")) {
            assertThat(results.json(name + "-ours")).as(name).isEqualTo(results.json(name + "-theirs"));
        }
        assertThat(results.json("mgmtdev-ours").path("mgmtdev").propertyNames())
                .contains("vdpasim_net", "vdpasim_blk", "vduse");
        assertThat(results.json("dev-ours")
                        .path("dev")
                        .path("net0")
                        .path("type")
                        .asString())
                .isEqualTo("network");
        assertThat(results.json("vstats-ours").path("vstats").path("net0").propertyNames())
                .contains("rx packets");
        assertThat(results.json("dev-left-ours").path("dev").propertyNames()).containsExactly("net0");
        for (String name : List.of("config", "config-negotiated")) {
            JsonNode ours = results.json(name + "-ours");
            JsonNode disk = ((ObjectNode) ours.path("config")).remove("blk0");
            JsonNode theirs = results.json(name + "-theirs");
            JsonNode theirDisk = ((ObjectNode) theirs.path("config")).remove("blk0");
            assertThat(ours).as(name).isEqualTo(theirs);
            assertThat(ours.path("config").path("net0").path("mac").asString()).isEqualTo(MAC);
            assertThat(ours.path("config").path("net0").path("mtu").asInt()).isEqualTo(1400);
            // Of disks iproute2 shows nothing; we have what it has, and more.
            theirDisk
                    .properties()
                    .forEach(field -> assertThat(disk.path(field.getKey())).isEqualTo(field.getValue()));
            assertThat(disk.path("capacity").asLong()).isPositive();
        }
        assertThat(results.json("config-negotiated-ours")
                        .path("config")
                        .path("net0")
                        .path("negotiated_features")
                        .valueStream()
                        .map(JsonNode::asString))
                .contains("VERSION_1");
    }

    private static void mistakesAreToldWithWhatHelps(Results results) throws IOException {
        results.failed("family-missing", "modprobe vdpa");
        results.failed(
                "mgmtdev-unknown", "Fail to find the specified mgmt device", "ENODEV", "vdpasim_net", "vdpasim_blk");
        results.failed("add-again", "EEXIST", "choose another name");
        results.failed("add-attribute", "provided attributes are not supported", "EOPNOTSUPP", "leave out");
        results.failed("add-mtu", "out of range", "about the attribute mtu");
        results.failed("add-unknown", "Fail to find the specified management device", "vdpasim_blk");
        results.failed("add-vduse", "EINVAL", "/dev/vduse");
        results.failed("show-unknown", "device not found", "there are: ", "net0", "blk0");
        results.failed("del-unknown", "device not found", "there are: ", "net0", "blk0");
        results.failed("unprivileged", "EPERM", "CAP_NET_ADMIN");
        results.failed("del-busy", "blk0 is in use", "/dev/vhost-vdpa-1 is open by process", "(sleep)");
        results.failed("bind-mounted", "blk0 is in use", "is mounted");
    }

    private static void driversComeAndGo(Results results) throws IOException {
        results.succeeded("add-net", "net0: type network mgmtdev vdpasim_net", "driver vhost_vdpa");
        results.succeeded("add-blk", "node /dev/vhost-vdpa-1", "stable_name blk-blk0");
        assertThat(results.file("links"))
                .contains("net-" + MAC + " -> /dev/vhost-vdpa-0")
                .contains("blk-blk0 -> /dev/vhost-vdpa-1");
        assertThat(results.file("mode").strip()).isEqualTo("root daemon 640");
        results.succeeded("bind-net", "driver virtio_vdpa");
        results.succeeded("bind-blk", "driver virtio_vdpa");
        results.succeeded("stats", "queue 0 queue_type rx", "queue 1 queue_type tx", "queue 2 queue_type control_vq");
        results.succeeded("bind-back", "driver vhost_vdpa", "/dev/vhost-vdpa-");
        results.succeeded("del-blk");
        assertThat(results.file("links-left")).doesNotContain("blk-blk0");
    }

    private static void aCardChangesItsAddress(Results results) throws IOException {
        results.succeeded("set-mac");
        assertThat(results.json("config-after")
                        .path("config")
                        .path("net0")
                        .path("mac")
                        .asString())
                .isEqualTo("52:54:00:12:34:57");
    }

    private static void functionsBecomeManagementDevices(Results results) throws IOException {
        results.failed("pci-no-driver", "vp-vdpa is not loaded", "modprobe vp_vdpa");
        results.succeeded("pci-bind", "driver vp-vdpa");
        for (String name : List.of("pci-mgmtdev", "pci-dev")) {
            assertThat(results.json(name + "-ours")).as(name).isEqualTo(results.json(name + "-theirs"));
        }
        results.succeeded("pci-add", "rng0: type rng mgmtdev pci/0000:", "stable_name rng-rng0");
        results.failed("pci-config", "EOPNOTSUPP", "network cards and disks only");
        results.succeeded("pci-config-all", "net0: mac 52:54:00:12:34:5");
        results.succeeded("pci-del");
        results.succeeded("pci-unbind", "driver virtio-pci");
        assertThat(results.file("pci-driver").strip()).isEqualTo("virtio-pci");
    }

    /** What the commands printed. */
    private record Results(Path folder) {
        String file(String name) throws IOException {
            return Files.readString(folder.resolve(name));
        }

        JsonNode json(String name) throws IOException {
            assertThat(file(name + ".code").strip())
                    .as("%s: %s", name, file(name + ".stderr"))
                    .isEqualTo("0");
            return JSON.readTree(file(name + ".stdout"));
        }

        void succeeded(String name, String... words) throws IOException {
            assertThat(file(name + ".code").strip())
                    .as("%s: %s", name, file(name + ".stderr"))
                    .isEqualTo("0");
            for (String word : words) {
                assertThat(file(name + ".stdout")).as(name).contains(word);
            }
        }

        void failed(String name, String... words) throws IOException {
            assertThat(file(name + ".stderr")).as(name).startsWith("fairlead: ").contains(words);
            assertThat(file(name + ".code").strip()).as(name).isEqualTo("1");
        }
    }
}
