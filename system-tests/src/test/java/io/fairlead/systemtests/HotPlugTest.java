package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.qemu.GuestHoldsException;
import io.fairlead.qemu.HotPlug;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Devices come to a running guest, are used, and leave in the middle of that, again and again; nothing stays behind. */
@Timeout(1800)
class HotPlugTest {
    private static final String HOT = "hot";
    private static final Duration GUEST_TIMEOUT = Duration.ofSeconds(60);

    /** Uses whatever comes, and what has gone no more. */
    private static final String JOB = """
            modprobe -a virtio_blk virtio_rng virtio_net virtio_scsi sd_mod virtiofs virtio_console vmw_vsock_virtio_transport 2>/dev/null
            mkdir -p /mnt/hot
            each() { while :; do "$@" 2>/dev/null; sleep 0.02; done; }
            read_disk() { [ -b $1 ] && dd if=$1 of=/dev/null bs=64k count=32 iflag=direct; }
            read_random() { dd if=/dev/hwrng of=/dev/null bs=4k count=4; }
            send_packets() {
                [ -e /sys/class/net/eth0 ] || return
                ip link set eth0 up && ip addr add 10.0.0.1/24 dev eth0
                arp -s 10.0.0.9 52:54:00:00:00:99
                ping -q -c 20 -i 0.01 -w 1 10.0.0.9 >/dev/null
            }
            use_folder() {
                mount -t virtiofs hot /mnt/hot || return
                while echo hello >/mnt/hot/file && cat /mnt/hot/file >/dev/null; do sleep 0.01; done
                umount -l /mnt/hot
            }
            # Nobody listens there, which the device answers.
            call_host() { [ -c /dev/vsock ] && timeout 2 socat -u VSOCK-CONNECT:2:9 - >/dev/null; }
            each call_host &
            write_console() { [ -c /dev/hvc0 ] && stty -F /dev/hvc0 raw -echo && for i in 1 2 3; do echo line $i; done >/dev/hvc0; }
            each write_console &
            each read_disk /dev/vdb &
            each read_disk /dev/sda &
            each read_random &
            each send_packets &
            each use_folder &
            emit '{"at":"up"}'
            receive >/dev/null
            """;

    /** A type with its device of QEMU's. */
    enum Type {
        BLK("blk"),
        RNG("rng"),
        NET("net"),
        SCSI("scsi"),
        FS("fs"),
        VSOCK("vsock"),
        CONSOLE("console");

        private final String name;

        Type(String name) {
            this.name = name;
        }

        private VhostUserDevice device(Path socket, VdpaDevice device) {
            return switch (this) {
                case BLK -> VhostUserDevice.blk(HOT, socket).with("num-queues", 1);
                case RNG -> VhostUserDevice.of(HOT, "vhost-user-rng-pci", socket);
                case NET -> VhostUserDevice.net(HOT, socket);
                case SCSI -> VhostUserDevice.scsi(HOT, socket).with("num_queues", 1);
                case FS -> VhostUserDevice.fs(HOT, socket, HOT);
                case VSOCK -> VhostUserDevice.of(HOT, "vhost-user-vsock-pci", socket);
                case CONSOLE ->
                    VhostUserDevice.of(HOT, "vhost-user-test-device-pci", socket)
                            .with("virtio-id", DeviceId.CONSOLE)
                            .with("num_vqs", device.queueCount())
                            .with("vq_size", device.maxQueueSize(0))
                            .with("config_size", device.configByteCount());
            };
        }

        private Map<String, String> attributes(Path folder) throws IOException {
            return switch (this) {
                case BLK -> Map.of("path", image(folder));
                case RNG -> Map.of();
                case NET -> Map.of("switch", "lan");
                case SCSI -> Map.of("lun0", image(folder));
                case FS ->
                    Map.of(
                            "path",
                            Files.createDirectories(folder.resolve("export")).toString(),
                            "tag",
                            HOT);
                case VSOCK ->
                    Map.of("cid", "52", "path", folder.resolve("vm.vsock").toString());
                case CONSOLE -> Map.of("path", folder.resolve("console.log").toString());
            };
        }

        private static String image(Path folder) throws IOException {
            return SoftwareDisks.emptyImage(folder.resolve("hot.img"), 8 << 20).toString();
        }
    }

    private static GuestSpec spec(Path folder) throws IOException {
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        return GuestSpec.job(JOB)
                .name("hotplug")
                .boot(GuestSpec.Boot.KERNEL)
                .disk("root", root, 0)
                .processors(2)
                .arguments("-device", "pcie-root-port,id=port0,chassis=1");
    }

    @Test
    void eachTypeComesAndGoes(@TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                Guest guest = Lab.TESTBED.start(spec(folder))) {
            Lab.await(guest, "up");
            for (Type type : Type.values()) {
                cycles(type, 3, devices, guest, folder);
            }
        }
    }

    @Tag("long")
    @ParameterizedTest
    @EnumSource
    void comesAndGoesAHundredTimes(Type type, @TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                Guest guest = Lab.TESTBED.start(spec(folder))) {
            Lab.await(guest, "up");
            cycles(type, 100, devices, guest, folder);
        }
    }

    private static void cycles(Type type, int count, SoftwareDevices devices, Guest guest, Path folder)
            throws Exception {
        Map<String, String> attributes = type.attributes(folder);
        long begin = System.nanoTime();
        // What the first time makes and keeps is not a leak.
        cycle(type, attributes, devices, guest.machine().qmp());
        long fds = Fd.openCount();
        long mappings = Mapping.openCount();
        Set<String> threads = threads();
        long ownFds = descriptors(ProcessHandle.current().pid());
        long qemuFds = descriptors(guest.machine().pid());
        for (int i = 1; i < count; i++) {
            cycle(type, attributes, devices, guest.machine().qmp());
        }
        Lab.report("%s: %d times in %d ms", type, count, (System.nanoTime() - begin) / 1_000_000);
        assertThat(Fd.openCount()).as("descriptors").isEqualTo(fds);
        assertThat(Mapping.openCount()).as("mappings").isEqualTo(mappings);
        assertThat(descriptors(guest.machine().pid())).as("QEMU's descriptors").isEqualTo(qemuFds);
        await().atMost(GUEST_TIMEOUT).untilAsserted(() -> {
            assertThat(threads()).isSubsetOf(threads);
            assertThat(descriptors(ProcessHandle.current().pid()))
                    .as("descriptors of the process")
                    .isLessThanOrEqualTo(ownFds);
        });
        assertThat(guest.machine().qmp().execute("query-chardev").toString()).doesNotContain(HOT);
    }

    private static void cycle(Type type, Map<String, String> attributes, SoftwareDevices devices, Qmp qmp)
            throws Exception {
        VdpaDevice device = devices.serve(HOT, type.name, attributes);
        HotPlug.plug(qmp, type.device(devices.socket(HOT), device));
        await().pollInterval(Duration.ofMillis(5)).atMost(GUEST_TIMEOUT).until(() -> isDriven(device));
        await().pollInterval(Duration.ofMillis(5))
                .atMost(GUEST_TIMEOUT)
                .until(() -> device.statistics().total().requests() > 5);
        HotPlug.unplug(qmp, HOT, GUEST_TIMEOUT);
        devices.remove(HOT);
        assertThat(Files.exists(devices.socket(HOT))).isFalse();
    }

    /** Not every front-end of QEMU tells the driver's status. */
    private static boolean isDriven(VdpaDevice device) {
        return IntStream.range(0, device.queueCount()).anyMatch(device::queueReady);
    }

    /** Those that serve devices, by name. */
    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.contains(HOT) || name.startsWith("fairlead"))
                .collect(Collectors.toSet());
    }

    private static long descriptors(long pid) throws IOException {
        try (Stream<Path> list = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            return list.count();
        }
    }

    /** A guest that stands still: the device stays, and goes when the guest runs again. */
    @Test
    void aGuestThatDoesNotAnswerKeepsTheDevice(@TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                Guest guest = Lab.TESTBED.start(spec(folder))) {
            Lab.await(guest, "up");
            Qmp qmp = guest.machine().qmp();
            VdpaDevice device = devices.serve(HOT, "rng", Map.of());
            HotPlug.plug(qmp, Type.RNG.device(devices.socket(HOT), device));
            await().atMost(GUEST_TIMEOUT).until(() -> isDriven(device));
            var _ = qmp.execute("stop");
            assertThatThrownBy(() -> HotPlug.unplug(qmp, HOT, Duration.ofSeconds(1)))
                    .isInstanceOf(GuestHoldsException.class)
                    .hasMessageContaining("still has it");
            assertThatThrownBy(() ->
                            HotPlug.plug(qmp, VhostUserDevice.of("other", "vhost-user-rng-pci", devices.socket(HOT))))
                    .hasMessageContaining("are taken (port0)");
            var _ = qmp.execute("cont");
            HotPlug.unplug(qmp, HOT, GUEST_TIMEOUT);
            devices.remove(HOT);
        }
    }
}
