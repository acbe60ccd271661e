package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.Machine;
import io.fairlead.qemu.MachineFacts;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.Vsock;
import io.fairlead.qemu.domain.command.DomainMachine;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.command.HostResources;
import io.fairlead.qemu.domain.command.VdpaAttachment;
import io.fairlead.qemu.domain.format.DomainXml;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Domains become machines: each release of QEMU takes the command line and has every device at its address. */
@Timeout(600)
class DomainMachineTest {
    /** QEMU's own devices, on all buses. */
    private static final String STOCK = """
            <domain type='qemu'>
              <name>stock</name>
              <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
              <memory unit='MiB'>64</memory>
              <vcpu current='2'>4</vcpu>
              <cpu mode='maximum'><topology sockets='1' cores='2' threads='2'/><feature policy='disable' name='la57'/></cpu>
              <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='cdrom'/><boot dev='hd'/></os>
              <features><acpi/><apic/><vmport state='off'/></features>
              <clock offset='localtime'/>
              <on_poweroff>preserve</on_poweroff><on_reboot>destroy</on_reboot><on_crash>preserve</on_crash>
              <devices>
                <disk type='file'>
                  <driver type='raw' cache='none' io='threads' discard='unmap' queues='2'/><source file='@/a.img'/>
                  <target dev='vda'/><serial>007</serial>
                  <iotune><total_iops_sec>1000</total_iops_sec><read_bytes_sec>1048576</read_bytes_sec>
                    <read_bytes_sec_max>2097152</read_bytes_sec_max><size_iops_sec>4096</size_iops_sec>
                    <read_bytes_sec_max_length>5</read_bytes_sec_max_length></iotune>
                </disk>
                <disk type='file'><driver type='raw' cache='writethrough'/><source file='@/b.img'/><target dev='sda' bus='scsi'/><readonly/></disk>
                <disk type='file'><driver type='raw'/><source file='@/c.img'/><target dev='sdb' bus='sata'/></disk>
                <disk device='cdrom'><target dev='sdc' bus='sata'/></disk>
                <interface type='user'><mac address='52:54:00:00:00:01'/><mtu size='1400'/></interface>
                <interface type='user'><model type='e1000e'/></interface>
                <interface type='user'><model type='e1000'/></interface>
                <serial type='pty'/>
                <serial type='file'><source path='@/serial.out' append='on'/></serial>
                <serial type='unix'><source mode='bind' path='@/s.sock'/></serial>
                <serial type='null'><target type='pci-serial'/></serial>
                <console type='pty'><target type='serial'/></console>
                <console type='null'><target type='virtio'/></console>
                <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
                <input type='tablet' bus='usb'/><input type='keyboard' bus='virtio'/><input type='mouse' bus='ps2'/>
                <graphics type='vnc'><listen type='socket' socket='@/vnc.sock'/></graphics>
                <video><model type='virtio' heads='2'/></video>
                <rng model='virtio'><rate bytes='1024' period='500'/><backend model='random'>/dev/urandom</backend></rng>
                <rng model='virtio'><backend model='builtin'/></rng>
                <memballoon model='virtio' freePageReporting='on'/>
                <watchdog model='itco' action='pause'/>
              </devices>
              <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
                <qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/a,string=b'/><qemu:env name='FAIRLEAD_TEST' value='1'/>
              </qemu:commandline>
            </domain>
            """;

    /** Each form of a vDPA or vhost-user device. */
    private static final String VDPA = """
            <domain type='qemu'>
              <name>vdpa</name>
              <memory unit='MiB'>64</memory>
              <os><type machine='q35'>hvm</type></os>
              <features><acpi/></features>
              <devices>
                <disk type='vhostuser'><source type='unix' path='@/blk1'><reconnect enabled='yes' timeout='2'/></source>
                  <target dev='vda'/><boot order='1'/></disk>
                <disk type='vhostvdpa'><source dev='blk2'/><target dev='vdb'/></disk>
                <disk type='generic-vdpa'><source dev='blk3'/><target dev='vdc'/></disk>
                <interface type='vhostuser'><mac address='52:54:00:00:00:02'/><source type='unix' path='@/net1' mode='client'/></interface>
                <interface type='vdpa'><mac address='52:54:00:00:00:03'/><source dev='net2'/></interface>
                <interface type='generic-vdpa'><source dev='net3'/></interface>
                <filesystem type='mount'><driver type='virtiofs' queue='256'/><source socket='@/fs1'/><target dir='7'/></filesystem>
                <filesystem type='mount'><driver type='virtiofs'/><source dir='@/export'/><target dir='two'/></filesystem>
                <hostdev mode='subsystem' type='vdpa'><source dev='rng1'/><alias name='ua-entropy'/></hostdev>
                <hostdev mode='subsystem' type='vdpa'><source dev='blk4'/>
                  <address type='pci' domain='0x0000' bus='0x09' slot='0x00' function='0x0'/></hostdev>
              </devices>
            </domain>
            """;

    @ParameterizedTest
    @EnumSource
    void stockDevicesAreAtTheirAddresses(QemuRelease release, @TempDir Path folder) throws Exception {
        for (String image : List.of("a.img", "b.img", "c.img")) {
            Path _ = SoftwareDisks.emptyImage(folder.resolve(image), 1 << 20);
        }
        for (String type : List.of("q35", "pc")) {
            String document = type.equals("q35")
                    ? STOCK
                    : STOCK.replace("machine='q35'", "machine='pc'")
                            .replace("sata", "ide")
                            .replace("itco", "i6300esb");
            Path work = Files.createDirectories(folder.resolve("w-" + type));
            Machine machine = start(release, document.replace("@", folder.toString()), folder, work);
            try (machine) {
                Domain domain = ((DomainMachine) machine.spec()).domain();
                assertAllThere(machine.qmp(), domain, type.equals("q35") ? "pcie.0" : "pci.0");
                assertThat(machine.qmp().execute("query-cpus-fast")).hasSize(2);
                assertThat(machine.qmp().execute("query-vnc").path("enabled").asBoolean())
                        .isTrue();
                assertThat(machine.qmp().execute("query-status").path("status").asString(""))
                        .isEqualTo("prelaunch");
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void vdpaDevicesAreAtTheirAddresses(QemuRelease release, @TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            for (String blk : List.of("blk1", "blk2", "blk3", "blk4")) {
                Path image = SoftwareDisks.emptyImage(folder.resolve(blk + ".img"), 1 << 20);
                var _ = devices.serve(blk, "blk", Map.of("path", image.toString()));
            }
            for (String net : List.of("net1", "net2", "net3")) {
                var _ = devices.serve(net, "net", Map.of("switch", "lan"));
            }
            Path export = Files.createDirectories(folder.resolve("export"));
            for (String fs : List.of("fs1", "fs2")) {
                var _ = devices.serve(fs, "fs", Map.of("path", export.toString(), "tag", fs));
            }
            var _ = devices.serve("rng1", "rng", Map.of());
            String document = VDPA.replaceAll("@/((?:blk|net|fs)[0-9])", "@SOCKET-$1")
                    .replace("@SOCKET-blk1", devices.socket("blk1").toString())
                    .replace("@SOCKET-net1", devices.socket("net1").toString())
                    .replace("@SOCKET-fs1", devices.socket("fs1").toString())
                    .replace("@", folder.toString());
            Path work = Files.createDirectories(folder.resolve("w"));
            try (Machine machine = start(release, document, new Host(folder, devices), work)) {
                Domain domain = ((DomainMachine) machine.spec()).domain();
                assertThat(domain.memory().backing().shared()).isTrue();
                assertAllThere(machine.qmp(), domain, "pcie.0");
                assertThat(MachineFacts.deviceIds(machine.qmp()))
                        .contains(
                                "disk-vda",
                                "disk-vdb",
                                "disk-vdc",
                                "net0",
                                "net1",
                                "net2",
                                "fs0",
                                "fs1",
                                "ua-entropy",
                                "vdpa0");
            }
        }
    }

    private static Machine start(QemuRelease release, String document, Path folder, Path work) throws Exception {
        return start(release, document, new Host(folder, null), work);
    }

    private static Machine start(QemuRelease release, String document, HostResources host, Path work)
            throws IOException, DomainException {
        QemuBinary qemu = Lab.TESTBED.qemu(release);
        Domain planned = DomainPlan.complete(DomainXml.parse(document).domain(), DomainPlan.SPARE_PORTS)
                .domain();
        // As it is stored and read again.
        Domain stored = DomainXml.parse(DomainXml.print(planned)).domain();
        assertThat(stored).isEqualTo(planned);
        assertThat(DomainPlan.complete(stored, DomainPlan.SPARE_PORTS).domain()).isEqualTo(planned);
        return Machine.start(qemu, DomainMachine.of(stored, qemu.version(), host, true), work);
    }

    /** Every device with an address is what QEMU has there, and where QEMU has it. */
    private static void assertAllThere(Qmp qmp, Domain domain, String rootBus) throws IOException {
        Map<String, String> expected = new TreeMap<>();
        Map<Integer, String> buses = new TreeMap<>(Map.of(0, rootBus));
        for (var controller : domain.devices(io.fairlead.qemu.domain.Controller.class)) {
            if ("pcie-root-port".equals(controller.model())) {
                buses.put(controller.index(), String.valueOf(controller.place().alias()));
            }
        }
        for (Device device : domain.devices()) {
            if (device.place().address() instanceof Address.Pci pci) {
                expected.put(
                        String.valueOf(device.place().alias()),
                        buses.get(pci.bus()) + " " + pci.slot() + "." + pci.function());
            }
        }
        assertThat(expected).hasSizeGreaterThan(10);
        // The firmware has not run: only QEMU's own tree of objects knows what is behind a port.
        Map<String, String> found = new TreeMap<>();
        for (String id : expected.keySet()) {
            String path = "/machine/peripheral/" + id;
            String bus = qmp.execute("qom-get", Map.of("path", path, "property", "parent_bus"))
                    .asString("");
            int function = qmp.execute("qom-get", Map.of("path", path, "property", "addr"))
                    .asInt();
            found.put(id, bus.substring(bus.lastIndexOf('/') + 1) + " " + (function >> 3) + "." + (function & 7));
        }
        assertThat(found).isEqualTo(expected);
        List<String> ids = new ArrayList<>(MachineFacts.deviceIds(qmp));
        assertThat(ids).containsAll(expected.keySet());
        if (rootBus.equals("pcie.0")) {
            long free = buses.values().stream()
                    .filter(bus -> found.values().stream().noneMatch(place -> place.startsWith(bus + " ")))
                    .count();
            assertThat(free).as("ports to plug into").isGreaterThanOrEqualTo(DomainPlan.SPARE_PORTS);
        }
    }

    /** A host whose devices are this process's. */
    private record Host(Path folder, SoftwareDevices devices) implements HostResources {
        @Override
        public VdpaAttachment vdpa(String id, VdpaSource source) {
            Path socket = devices.socket(source.dev());
            return new VdpaAttachment.Shared(
                    switch (source.dev().replaceAll("[0-9]", "")) {
                        case "blk" -> VhostUserDevice.blk(id, socket);
                        case "net" -> VhostUserDevice.net(id, socket);
                        default -> VhostUserDevice.of(id, "vhost-user-rng-pci", socket);
                    });
        }

        @Override
        public VdpaAttachment vdpaOf(String id, Address.Pci function) {
            throw new AssertionError("not asked for");
        }

        @Override
        public Path virtiofs(String id, Filesystem filesystem) {
            return devices.socket("fs2");
        }

        @Override
        public String tap(String id, NetworkInterface nic) {
            throw new AssertionError("not asked for");
        }

        @Override
        public Path socket(String id, CharacterDevice device) {
            return folder.resolve(id + ".sock");
        }

        @Override
        public int cid(Vsock vsock) {
            throw new AssertionError("not asked for");
        }

        @Override
        public Firmware firmware(Domain domain) {
            throw new AssertionError("not asked for");
        }
    }
}
