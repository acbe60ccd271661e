package io.fairlead.qemu.domain.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.format.DomainXml;
import io.fairlead.qemu.domain.format.SampleDomains;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DomainMachineTest {
    private static final QemuVersion VERSION = new QemuVersion(10, 0, 0);
    private static final String RNG = "<rng model='virtio'><backend model='builtin'/></rng>";

    private static Domain plan(String devices) throws DomainException {
        return DomainPlan.complete(DomainXml.parse(SampleDomains.with(devices)).domain(), 2)
                .domain();
    }

    private static String command(String devices) throws DomainException {
        return command(plan(devices));
    }

    private static String command(Domain domain) throws DomainException {
        DomainMachine machine = DomainMachine.of(domain, VERSION, new NoHost(), true);
        List<Path> sockets = IntStream.range(0, machine.serialPortCount())
                .mapToObj(i -> Path.of("/m,x/serial" + i))
                .toList();
        return String.join(" ", machine.arguments(VERSION, Path.of("/m,x/qmp"), sockets));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    <disk><source file='/a,b'/><target dev='vda'/></disk>|"filename":"/a,b"
                    <disk><source file='/a'/><target dev='vda'/><serial>7</serial></disk>|"serial":"7"
                    <disk><driver cache='none'/><source file='/a'/><target dev='vda'/></disk>|"cache":{"direct":true,"no-flush":false}
                    <disk><source file='/a'/><target dev='sda' bus='sata'/></disk>|"bus":"ide.0","drive":"disk-sda-format","driver":"ide-hd","id":"disk-sda","unit":0
                    <disk><source file='/a'/><target dev='sda' bus='scsi'/></disk>|"bus":"scsi0.0","channel":0,"drive":"disk-sda-format","driver":"scsi-hd","id":"disk-sda","lun":0,"scsi-id":0
                    <disk type='network'><source protocol='nbd' name='x'><host name='h'/></source><target dev='vda'/></disk>|"export":"x","node-name":"disk-vda-storage","read-only":false,"server":{"host":"h","port":"10809","type":"inet"}
                    <disk type='vhostuser'><source path='/a,b'/><target dev='vda'/></disk>|socket,id=char-disk-vda,path=/a,,b
                    <disk type='generic-vdpa'><source dev='blk0'/><target dev='vda'/></disk>|"addr":"0x0.0x0","bus":"pci.1","chardev":"char-disk-vda","driver":"vhost-user-blk-pci","id":"disk-vda"
                    <interface type='bridge'><source bridge='br0'/><driver queues='2'/></interface>|"ifname":"tap-net0","queues":2,"script":"no"
                    <interface type='vhostuser'><mac address='52:54:00:00:00:01'/><source path='/n'/></interface>|{"addr":"0x0.0x0","bus":"pci.1","driver":"virtio-net-pci","id":"net0","mac":"52:54:00:00:00:01","netdev":"net-net0"}
                    <hostdev mode='subsystem' type='vdpa'><source dev='scsi0'/></hostdev>|"driver":"vhost-user-scsi-pci","id":"vdpa0"
                    <hostdev mode='subsystem' type='pci'><source><address bus='0x06' slot='0x02'/></source></hostdev>|"host":"0000:06:02.0"
                    <filesystem><driver type='virtiofs'/><source dir='/s'/><target dir='7'/></filesystem>|"tag":"7"
                    <serial type='pty'/>|socket,id=char-serial0,path=/m,,x/serial0,server=off
                    <console type='pty'/>|"chardev":"char-console0","driver":"isa-serial","id":"console0","index":0
                    <channel type='unix'><target name='a.b'/></channel>|socket,id=char-channel0,path=/run/channel0.sock,server=on,wait=off
                    <vsock><cid auto='yes'/></vsock>|"guest-cid":42
                    <watchdog model='i6300esb' action='inject-nmi'/>|-action watchdog=inject-nmi
                    <graphics type='vnc' port='5901'/><video><model type='vga'/></video>|-vnc 127.0.0.1:1
                    <input type='tablet'/>|{"driver":"usb-tablet","id":"input0"}
                    """)
    void devicesBecomeArguments(String device, String expected) throws DomainException {
        assertThat(command(device)).contains(expected);
    }

    @Test
    void libvirtsLimitsAreQemus() {
        assertThat(DiskArguments.limit("total_bytes_sec")).isEqualTo("bps-total");
        assertThat(DiskArguments.limit("read_iops_sec_max")).isEqualTo("iops-read-max");
        assertThat(DiskArguments.limit("write_bytes_sec_max_length")).isEqualTo("bps-write-max-length");
        assertThat(DiskArguments.limit("size_iops_sec")).isEqualTo("iops-size");
    }

    @Test
    void aBackEndOutsideQemuGetsSharedMemoryAndItsUserIsTold() throws DomainException {
        String fs = "<filesystem><driver type='virtiofs'/><source socket='/s'/><target dir='t'/></filesystem>";
        DomainPlan.Planned planned =
                DomainPlan.complete(DomainXml.parse(SampleDomains.with(fs)).domain(), 0);
        assertThat(planned.notices()).extracting(Notice::path).contains("small/memoryBacking");
        assertThat(command(planned.domain())).contains("memory-backend-memfd").contains("\"share\":true");
        assertThat(command(RNG)).contains("memory-backend-ram").doesNotContain("share");
    }

    @Test
    void uefiIsTheHosts() throws DomainException {
        Domain domain = DomainXml.parse(SampleDomains.with("").replace("<os>", "<os firmware='efi'>"))
                .domain();
        assertThat(command(DomainPlan.complete(domain, 0).domain()))
                .contains("\"filename\":\"/fw/code.fd\"")
                .contains("\"filename\":\"/fw/small.fd\"")
                .contains("pflash0=flash0,pflash1=flash1");
    }

    @Test
    void variablesOfAUsersLoaderAreTheHostsWhereTheyHaveNoPath() throws DomainException {
        Domain domain = DomainXml.parse(
                        SampleDomains.with("")
                                .replace(
                                        "</os>",
                                        "<loader readonly='yes' type='pflash'>/own/code.fd</loader><nvram template='/own/vars.fd'/></os>"))
                .domain();
        assertThat(command(DomainPlan.complete(domain, 0).domain()))
                .contains("\"filename\":\"/own/code.fd\"")
                .contains("\"filename\":\"/fw/small.fd\"")
                .doesNotContain("/fw/code.fd");
    }

    @Test
    void devicesAreBootedFromInTheirOrder() throws DomainException {
        String devices =
                "<disk><source file='/a'/><target dev='vda'/></disk><disk><source file='/b'/><target dev='vdb'/></disk>"
                        + "<interface type='user'/>";
        Domain kinds = DomainXml.parse(
                        SampleDomains.with(devices).replace("</os>", "<boot dev='network'/><boot dev='hd'/></os>"))
                .domain();
        assertThat(command(DomainPlan.complete(kinds, 0).domain()))
                .containsPattern("\"bootindex\":1[^}]*\"id\":\"net0\"")
                .containsPattern("\"bootindex\":2[^}]*\"id\":\"disk-vda\"")
                .doesNotContain("\"bootindex\":3");
        assertThat(command(devices.replace("'vdb'/>", "'vdb'/><boot order='5'/>")))
                .containsPattern("\"bootindex\":5[^}]*\"id\":\"disk-vdb\"");
    }

    @Test
    void onlyTheVersionThatItWasMadeForStartsIt() throws DomainException {
        DomainMachine machine = DomainMachine.of(plan(RNG), VERSION, new NoHost(), false);
        assertThatThrownBy(() -> machine.arguments(new QemuVersion(11, 1, 0), Path.of("/q"), List.of()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    <disk type='generic-vdpa'><source dev='net0'/><target dev='vda'/></disk>|is no disk
                    <interface type='generic-vdpa'><source dev='blk0'/></interface>|is no network card
                    <disk><source file='/a'/><target dev='hda' bus='ide'/></disk>|has no ide
                    <controller type='scsi' model='lsilogic'/>|SCSI adapters of model lsilogic
                    <rng><backend model='builtin'/><address type='pci' bus='0' slot='0x1f' function='2'/></rng>|the board's own
                    <rng><backend model='builtin'/><address type='pci' bus='1' slot='3'/></rng>|slot 0 alone
                    <controller type='pci' index='1' model='pcie-to-pci-bridge'/>|are not made
                    """)
    void whatTheBoardCannotHaveIsRefused(String device, String reason) {
        assertThatThrownBy(() -> command(device))
                .isInstanceOf(DomainException.class)
                .hasMessageContaining(reason);
    }

    @Test
    void theUsbControllerOfTheBoardsChipHasItsFunction() throws DomainException {
        String usb = "<controller type='usb' index='0' model='piix3-uhci'>"
                + "<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x2'/></controller>";
        Domain domain = DomainXml.parse(SampleDomains.with(usb + RNG).replace("'q35'", "'pc'"))
                .domain();
        assertThat(command(DomainPlan.complete(domain, 0).domain()))
                .contains("\"addr\":\"0x1.0x2\",\"bus\":\"pci.0\",\"driver\":\"piix3-usb-uhci\"")
                .contains("\"addr\":\"0x2.0x0\",\"bus\":\"pci.0\",\"driver\":\"virtio-rng-pci\"");
    }

    /** Whatever the order, all have places of their own, spares are free, and nothing moves when something goes. */
    @Test
    void placesAreUniqueAndStay() throws DomainException {
        String[] kinds = {
            RNG,
            "<interface type='user'/>",
            "<interface type='user'><model type='e1000'/></interface>",
            "<video><model type='vga'/></video>",
            "<channel type='null'><target name='x'/></channel>",
            "<input type='tablet'/>",
            "<controller type='pci' model='pcie-root-port'/>"
        };
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            String devices = IntStream.range(0, random.nextInt(20))
                    .mapToObj(_ -> kinds[random.nextInt(kinds.length)])
                    .collect(Collectors.joining("\n"));
            Domain planned = plan(devices);
            Set<String> places = new HashSet<>();
            Set<Integer> used = new HashSet<>();
            for (Device device : planned.devices()) {
                if (device.place().address() instanceof Address.Pci pci) {
                    assertThat(places.add(pci.bus() + ":" + pci.slot() + "." + pci.function()))
                            .as("seed %d: %s", seed, pci)
                            .isTrue();
                    used.add(pci.bus());
                }
            }
            long free = planned.devices(Controller.class).stream()
                    .filter(controller ->
                            "pcie-root-port".equals(controller.model()) && !used.contains(controller.index()))
                    .count();
            assertThat(free).as("seed %d", seed).isGreaterThanOrEqualTo(2);
            assertThat(DomainPlan.complete(planned, 2).domain())
                    .as("seed %d", seed)
                    .isEqualTo(planned);
            if (!planned.devices().isEmpty()) {
                Device gone =
                        planned.devices().get(random.nextInt(planned.devices().size()));
                if (!(gone instanceof Controller)) {
                    List<Device> rest = planned.devices().stream()
                            .filter(device -> !Objects.equals(device, gone))
                            .toList();
                    assertThat(DomainPlan.complete(planned.withDevices(rest), 2)
                                    .domain()
                                    .devices())
                            .as("seed %d", seed)
                            .startsWith(rest.toArray(Device[]::new));
                }
            }
        }
    }
}
