package io.fairlead.qemu.domain.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DiskSource;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.UnknownDevice;
import io.fairlead.qemu.domain.VdpaHostDevice;
import io.fairlead.qemu.domain.VdpaSource;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DomainXmlTest {
    private static Domain parse(String document) throws DomainException {
        return DomainXml.parse(document).domain();
    }

    @Test
    void whatIsPrintedReadsBack() throws DomainException {
        Domain read = parse(SampleDomains.FULL);
        String printed = DomainXml.print(read);
        assertThat(parse(printed)).isEqualTo(read);
        assertThat(DomainXml.print(parse(printed))).isEqualTo(printed);
    }

    @Test
    void valuesAreTheDocuments() throws DomainException {
        Domain read = parse(SampleDomains.FULL);
        assertThat(read.name()).isEqualTo("full");
        assertThat(read.uuid()).hasToString("c7a5fdbd-edaf-9455-926a-d65c16db1809");
        assertThat(read.memory().kib()).isEqualTo(256 << 10);
        assertThat(read.memory().hardLimitKib()).isEqualTo(2 << 20);
        assertThat(read.cpu().count()).isEqualTo(4);
        assertThat(read.cpu().current()).isEqualTo(2);
        Disk first = read.devices(Disk.class).getFirst();
        assertThat(first.source()).isEqualTo(new DiskSource.FileSource("/images/a.qcow2"));
        assertThat(first.tuning()).isEqualTo(new Disk.Tuning(Disk.Cache.NONE, Disk.Io.IO_URING, Disk.Discard.UNMAP, 2));
        assertThat(first.limits()).containsEntry("total_iops_sec", 1000L).containsEntry("read_bytes_sec_max", 1048576L);
        assertThat(read.devices(NetworkInterface.class).getFirst().mac()).isEqualTo("52:54:00:aa:bb:01");
        assertThat(read.devices(VdpaHostDevice.class))
                .extracting(VdpaHostDevice::source)
                .containsExactly(
                        new VdpaSource("/dev/vhost-vdpa-0", VdpaSource.Mode.DIRECT),
                        new VdpaSource("scsi-one", VdpaSource.Mode.MANAGED));
        assertThat(read.devices(PciHostDevice.class))
                .extracting(PciHostDevice::driver)
                .containsExactly(PciHostDevice.Driver.VDPA, PciHostDevice.Driver.VFIO);
        assertThat(read.devices(PciHostDevice.class).getFirst().source()).hasToString("0000:06:02.1");
    }

    @Test
    void whatIsNotKnownIsKeptAndReported() throws DomainException {
        DomainXml.Parsed parsed = DomainXml.parse(SampleDomains.FULL);
        assertThat(parsed.notices())
                .extracting(Notice::path)
                .contains(
                        "/domain/devices/emulator",
                        "/domain/devices/tpm",
                        "/domain/devices/graphics[2]",
                        "/domain/devices/channel[2]",
                        "/domain/devices/disk/source/@index",
                        "/domain/devices/disk/source/reservations",
                        "/domain/devices/interface[2]/filterref",
                        "/domain/os/boot[2]/@odd",
                        "/domain/features/hyperv",
                        "/domain/seclabel")
                .doesNotContain("/domain/metadata", "/domain/devices/disk/driver/@name");
        assertThat(parsed.notices())
                .filteredOn(notice -> notice.path().equals("/domain/devices/tpm"))
                .singleElement()
                .satisfies(notice -> {
                    assertThat(notice.line()).isGreaterThan(90);
                    assertThat(notice.meaning()).contains("the machine has no tpm");
                });
        assertThat(DomainXml.print(parsed.domain()))
                .contains("<boot dev='network' odd='1'/>")
                .contains("<reservations managed='no'/>")
                .contains("<source file='/images/a.qcow2' index='3'>")
                .contains("<backend type='emulator' version='2.0'/>")
                .contains("<app:note xmlns:app='urn:app' app:by='x'>kept <b>as</b> it is</app:note>")
                .contains("<fairlead:device alias='ua-direct' mode='direct'/>");
        assertThat(parsed.domain().devices(UnknownDevice.class)).hasSize(4);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    <disk><source file='/a'/></disk>|7|/domain/devices/disk|<target> is missing
                    <disk><source file='a'/><target dev='vda'/></disk>|7|/domain/devices/disk/source/@file|not an absolute path
                    <disk><source file='/a/../etc/shadow'/><target dev='vda'/></disk>|7|/domain/devices/disk/source/@file|climbs
                    <disk><target dev='vda'/></disk>|7|/domain/devices/disk|no source
                    <disk><source file='/a'/><target dev='../x'/></disk>|7|/domain/devices/disk/target/@dev|not a disk's name
                    <disk><source file='/a'/><target dev='vda' bus='isa'/></disk>|7|/domain/devices/disk/target/@bus|"isa" is not taken
                    <disk><source file='/a'/><source file='/b'/><target dev='vda'/></disk>|7|/domain/devices/disk/source[2]|second time
                    <disk type='vhostuser'><source path='/a'/><target dev='sda' bus='scsi'/></disk>|7|/domain/devices/disk/target|virtio disk of its own
                    <disk type='network'><source protocol='rbd' name='x'/><target dev='vda'/></disk>|7|/domain/devices/disk/source/@protocol|"rbd"
                    <disk type='generic-vdpa'><source dev='/dev/sda'/><target dev='vda'/></disk>|7|/domain/devices/disk/source/@dev|names no vDPA device
                    <disk type='generic-vdpa'><source dev='/dev/fairlead/../sda'/><target dev='vda'/></disk>|7|/domain/devices/disk/source/@dev|names no vDPA device
                    <hostdev mode='subsystem' type='vdpa'/>|7|/domain/devices/hostdev|<source> is missing
                    <hostdev mode='subsystem' type='usb'/>|7|/domain/devices/hostdev/@type|"usb"
                    <hostdev mode='subsystem' type='pci'><driver name='vdpa'/></hostdev>|7|/domain/devices/hostdev|machine's lifetime
                    <interface type='network'><source network='default'/></interface>|7|/domain/devices/interface/@type|libvirt's own
                    <interface type='bridge'><source bridge='../../x'/></interface>|7|/domain/devices/interface/source/@bridge|network interface's name
                    <interface type='user'><mac address='01:00:00:00:00:01'/></interface>|7|/domain/devices/interface/mac/@address|one card
                    <serial type='tcp'><source host='0.0.0.0' service='1'/></serial>|7|/domain/devices/serial/source/@host|no password
                    <graphics type='vnc' passwd='x'/>|7|/domain/devices/graphics/@passwd|password
                    <rng model='virtio'><alias name='a,b=c'/><backend model='builtin'/></rng>|7|/domain/devices/rng/alias/@name|id in QEMU
                    <vsock><cid address='2'/></vsock>|7|/domain/devices/vsock/cid/@address|from 3
                    """)
    void whatIsWrongIsRefusedWithItsPlace(String device, int line, String path, String reason) {
        DomainException e = catchThrowableOfType(DomainException.class, () -> parse(SampleDomains.with(device)));
        assertThat(e).as(device).isNotNull();
        assertThat(e.line()).isEqualTo(line);
        assertThat(e.path()).isEqualTo(path);
        assertThat(e.reason()).contains(reason);
        assertThat(e.remedy()).isNotBlank();
        assertThat(e).hasMessage("line %d, %s: %s; %s", e.line(), e.path(), e.reason(), e.remedy());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../etc",
                "a/b",
                ".hidden",
                "-rf",
                "",
                "a\nb",
                "a\u0007b",
                "nul\u0000",
                "..",
                "x,server=on",
                "%s",
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
            })
    void namesThatAreNoFileNamesAreRefused(String name) {
        String escaped = name.replace("\u0000", "&#0;").replace("\u0007", "&#7;");
        assertThatThrownBy(() -> parse(SampleDomains.with("").replace("<name>small", "<name>" + escaped)))
                .isInstanceOf(DomainException.class);
    }

    @Test
    void whatBelongsToOneDeviceIsNotGivenTwice() {
        String disk = "<disk><source file='/a'/><target dev='%s'/>%s</disk>";
        for (String[] pair : new String[][] {
            {disk.formatted("vda", ""), disk.formatted("vda", "")},
            {disk.formatted("vda", "<alias name='ua-x'/>"), disk.formatted("vdb", "<alias name='ua-x'/>")},
            {disk.formatted("vda", "<boot order='1'/>"), disk.formatted("vdb", "<boot order='1'/>")},
            {
                disk.formatted("vda", "<address type='pci' bus='1' slot='1'/>"),
                disk.formatted("vdb", "<address type='pci' bus='1' slot='1'/>")
            },
        }) {
            assertThatThrownBy(() -> parse(SampleDomains.with(pair[0] + pair[1])))
                    .isInstanceOf(DomainException.class)
                    .hasMessageContaining("is taken by /domain/devices/disk");
        }
    }

    @Test
    void aModeNeedsItsDevice() {
        String document = SampleDomains.with("")
                .replace(
                        "<memory ",
                        "<metadata><f:devices xmlns:f='urn:fairlead:domain:1'><f:device alias='ua-no' mode='direct'/></f:devices></metadata><memory ");
        assertThatThrownBy(() -> parse(document)).hasMessageContaining("no vDPA device of this machine has the alias");
    }

    @Test
    void oneDeviceIsReadByItself() throws DomainException {
        DomainXml.ParsedDevice parsed =
                DomainXml.parseDevice("<hostdev mode='subsystem' type='vdpa'><source dev='blk-a'/></hostdev>");
        assertThat(parsed.device()).isInstanceOf(VdpaHostDevice.class);
        assertThat(parsed.notices()).isEmpty();
        assertThat(DomainXml.parseDevice(DomainXml.print(parsed.device())).device())
                .isEqualTo(parsed.device());
    }

    @Test
    void unitsAreLibvirts() throws DomainException {
        for (String[] unit :
                new String[][] {{"KiB", "1048576"}, {"MiB", "1024"}, {"GiB", "1"}, {"b", "1073741824"}, {"g", "1"}}) {
            assertThat(parse(SampleDomains.with("").replace("'MiB'>64", "'" + unit[0] + "'>" + unit[1]))
                            .memory()
                            .kib())
                    .as(List.of(unit).toString())
                    .isEqualTo(1 << 20);
        }
        assertThat(parse(SampleDomains.with("").replace("'MiB'>64", "'KB'>1001"))
                        .memory()
                        .kib())
                .isEqualTo(978);
        assertThatThrownBy(() -> parse(SampleDomains.with("").replace("'MiB'>64", "'GiB'>99999999999999")))
                .isInstanceOf(DomainException.class);
    }
}
