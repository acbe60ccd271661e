package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.GenericNetlink;
import io.fairlead.linux.NetlinkAttributes;
import io.fairlead.linux.NetlinkPayload;
import java.io.IOException;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** The fields are those of {@code vdpa -j}, blanks at the end of names included; a system test compares with it. */
class VdpaDocumentTest {
    private static final byte[] MAC = {0x52, 0x54, 0, 0x12, 0x34, (byte) 0xfe};

    private static GenericNetlink.Message message(NetlinkPayload payload) throws IOException {
        return new GenericNetlink.Message(1, NetlinkAttributes.parse(payload.bytes()));
    }

    @Test
    void managementDevices() throws IOException {
        ManagementDeviceInfo net =
                VdpaAnswers.managementDevice(message(FakeKernel.managementDevice("", "vdpasim_net", 2)));
        assertThat(VdpaDocument.of(net))
                .containsExactly(
                        Map.entry("supported_classes", List.of("net")),
                        Map.entry("max_supported_vqs", 3L),
                        Map.entry(
                                "dev_features",
                                List.of("MTU", "MAC", "GUEST_ECN", "CTRL_VQ", "VERSION_1", "ACCESS_PLATFORM")));
        assertThat(VdpaDocument.text(net)).isEqualTo("""
                vdpasim_net:
                  supported_classes net
                  max_supported_vqs 3
                  dev_features MTU MAC GUEST_ECN CTRL_VQ VERSION_1 ACCESS_PLATFORM""");
        ManagementDeviceInfo others = VdpaAnswers.managementDevice(
                message(FakeKernel.managementDevice("pci", "0000:00:05.0", 1L << 2 | 1L << 26)));
        assertThat(VdpaDocument.of(others))
                .containsEntry("supported_classes", List.of("block", "< unknown class >"))
                .containsEntry("dev_features", List.of(3, 5, 9, 17, "VERSION_1", "ACCESS_PLATFORM"));
        assertThat(VdpaDocument.text(others))
                .contains("supported_classes block fs", "bit_3 bit_5 bit_9 bit_17 VERSION");
        ManagementDeviceInfo block =
                VdpaAnswers.managementDevice(message(FakeKernel.managementDevice("", "vdpasim_blk", 4)));
        assertThat(VdpaDocument.text(block)).contains("dev_features bit_3 RO FLUSH ZONED VERSION_1 ACCESS_PLATFORM");
    }

    @Test
    void devices() throws IOException {
        DeviceInfo net = VdpaAnswers.device(message(FakeKernel.device("net0", 1)));
        assertThat(VdpaDocument.of(net))
                .containsExactly(
                        Map.entry("type", "network"),
                        Map.entry("mgmtdev", "vdpasim"),
                        Map.entry("vendor_id", 0xffffffffL),
                        Map.entry("max_vqs", 3L),
                        Map.entry("max_vq_size", 256));
        assertThat(VdpaDocument.text(net))
                .isEqualTo("net0: type network mgmtdev vdpasim vendor_id 4294967295 max_vqs 3 max_vq_size 256");
        DeviceInfo fs = VdpaAnswers.device(message(FakeKernel.device("fs0", 26)));
        assertThat(VdpaDocument.of(fs)).containsEntry("type", "<unknown type>");
        assertThat(VdpaDocument.text(fs)).startsWith("fs0: type fs mgmtdev");
        DeviceInfo hostile = VdpaAnswers.device(message(FakeKernel.device("a\u001b[2Jb\n", 2)));
        assertThat(VdpaDocument.text(hostile)).startsWith("a?[2Jb?: type block");
    }

    @Test
    void configurations() throws IOException {
        DeviceConfig net = VdpaAnswers.config(message(FakeKernel.net("net0", MAC)));
        assertThat(VdpaDocument.of(net))
                .containsExactly(
                        Map.entry("mac", "52:54:00:12:34:fe"),
                        Map.entry("link ", "up"),
                        Map.entry("link_announce ", false),
                        Map.entry("mtu", 65535),
                        Map.entry("negotiated_features", List.of("MAC", "VERSION_1", 54)));
        assertThat(VdpaDocument.text(net)).startsWith("""
                net0: mac 52:54:00:12:34:fe link up link_announce false mtu 65535
                  device_features MTU MAC
                  negotiated_features MAC VERSION_1\s""");
        DeviceConfig block = VdpaAnswers.config(message(FakeKernel.block("blk0")));
        assertThat(VdpaDocument.of(block))
                .containsExactly(
                        Map.entry("capacity", 0x40000L),
                        Map.entry("size_max", 4096L),
                        Map.entry("physical_block_exp", 3L),
                        Map.entry("read_only", false),
                        Map.entry("flush", true),
                        Map.entry("device_features", List.of("FLUSH", "VERSION_1")));
    }

    @Test
    void statisticsCountWithoutSign() {
        VendorStatistics statistics = new VendorStatistics(
                "net0", 1, OptionalLong.of(2), 2, 0, List.of(new VendorStatistics.Counter("packets", -1)));
        assertThat(VdpaDocument.of(statistics))
                .containsExactly(
                        Map.entry("queue_type", "rx"), Map.entry("packets", new BigInteger("18446744073709551615")));
        assertThat(VdpaDocument.text(statistics)).isEqualTo("net0: queue_type rx packets 18446744073709551615");
    }
}
