package io.fairlead.qemu.domain.lower;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.command.VdpaAttachment;
import io.fairlead.qemu.domain.format.DomainXml;
import io.fairlead.qemu.domain.format.SampleDomains;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LoweringTest {
    private static final QemuVersion VERSION = new QemuVersion(10, 0, 0);
    private static final Path SOCKET = Path.of("/run/fairlead/d.sock");
    private static final String HOSTDEV =
            "<hostdev mode='subsystem' type='vdpa'><source dev='%s'/><alias name='ua-x'/></hostdev>";

    private static Lowering.Lowered lower(String devices, VdpaAttachment attachment) throws DomainException {
        Domain domain = DomainPlan.complete(
                        DomainXml.parse(SampleDomains.with(devices)).domain(), 1)
                .domain();
        Lowering.Lowered lowered = Lowering.lower(domain, VERSION, Map.of("ua-x", attachment));
        // What libvirt gets is a document that reads back, with nothing of ours outside metadata.
        String printed = DomainXml.print(lowered.domain());
        assertThat(DomainXml.parse(printed).domain()).isEqualTo(lowered.domain());
        assertThat(printed).doesNotContain("generic-vdpa").doesNotContain("type='vdpa'");
        return lowered;
    }

    private static VdpaAttachment shared(VhostUserDevice device) {
        return new VdpaAttachment.Shared(device);
    }

    @Test
    void kindsThatLibvirtKnowsBecomeItsElements() throws DomainException {
        assertThat(DomainXml.print(lower(
                                HOSTDEV.formatted("blk-a"),
                                shared(VhostUserDevice.blk("ua-x", SOCKET).with("num-queues", 3)))
                        .domain()))
                .contains("<disk type='vhostuser' device='disk'>")
                .contains("<driver type='raw' queues='3'/>")
                .contains("<source type='unix' path='/run/fairlead/d.sock'/>")
                .contains("<target dev='vda' bus='virtio'/>")
                .contains("<alias name='ua-x'/>")
                .contains("<access mode='shared'/>")
                .contains("<source type='memfd'/>")
                .contains("<fairlead:device alias='ua-x' element='hostdev' dev='blk-a' mode='managed'"
                        + " socket='/run/fairlead/d.sock'/>");
        assertThat(DomainXml.print(lower(
                                HOSTDEV.formatted("net-a"),
                                shared(VhostUserDevice.net("ua-x", SOCKET)
                                        .withQueuePairs(2)
                                        .with("mac", "52:54:00:00:00:01")))
                        .domain()))
                .contains("<interface type='vhostuser'>")
                .contains("<mac address='52:54:00:00:00:01'/>")
                .contains("<driver queues='2'/>");
        assertThat(DomainXml.print(lower(HOSTDEV.formatted("fs-a"), shared(VhostUserDevice.fs("ua-x", SOCKET, "tag")))
                        .domain()))
                .contains("<driver type='virtiofs'/>")
                .contains("<source socket='/run/fairlead/d.sock'/>")
                .contains("<target dir='tag'/>");
    }

    @Test
    void otherKindsAreArgumentsOnAPortOfTheirOwn() throws DomainException {
        Lowering.Lowered lowered = lower(HOSTDEV.formatted("scsi-a"), shared(VhostUserDevice.scsi("ua-x", SOCKET)));
        assertThat(lowered.domain().qemu().arguments())
                .anyMatch(
                        argument -> argument.contains("\"driver\":\"pcie-root-port\"") && argument.contains("0x1e.0x0"))
                .anyMatch(argument -> argument.contains("\"driver\":\"vhost-user-scsi-pci\"")
                        && argument.contains("\"bus\":\"fairlead-port0\""));
        assertThat(lowered.notices()).extracting(Notice::path).containsExactly("small/ua-x");
    }

    @Test
    void whatQemuOpensItselfMayBeLocked() throws DomainException {
        Lowering.Lowered lowered = lower(
                HOSTDEV.formatted("/dev/vhost-vdpa-0"),
                new VdpaAttachment.Direct(DirectVdpaDevice.of("ua-x", Path.of("/dev/vhost-vdpa-0"))));
        assertThat(lowered.domain().memory().hardLimitKib())
                .isEqualTo(lowered.domain().memory().kib() + (1 << 20));
        assertThat(lowered.domain().qemu().arguments())
                .anyMatch(argument -> argument.contains("vhost-vdpa-device-pci"));
        assertThat(lowered.notices()).anyMatch(notice -> notice.meaning().contains("cgroup_device_acl"));
    }

    @Test
    void elementsOfAKindTakeThatKindAlone() {
        assertThatThrownBy(() -> lower(
                        "<disk type='generic-vdpa'><source dev='a'/><target dev='vda'/><alias name='ua-x'/></disk>",
                        shared(VhostUserDevice.net("ua-x", SOCKET))))
                .isInstanceOf(DomainException.class)
                .hasMessageContaining("is a network card");
        assertThatThrownBy(() -> lower(
                        HOSTDEV.replace("ua-x", "ua-y").formatted("a"), shared(VhostUserDevice.blk("ua-x", SOCKET))))
                .hasMessageContaining("it is not known what the device is");
    }

    @Test
    void aDomainOfStockDevicesIsOnlyRenamed() throws DomainException {
        Domain domain = DomainXml.parse(SampleDomains.with("<rng><backend model='builtin'/></rng>"))
                .domain();
        assertThat(Lowering.lower(domain, VERSION, Map.of()).domain()).isEqualTo(domain);
    }
}
