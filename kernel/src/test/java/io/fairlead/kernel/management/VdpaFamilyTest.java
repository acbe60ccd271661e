package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.fairlead.linux.Errno;
import io.fairlead.linux.GenericNetlink;
import io.fairlead.linux.NetlinkAttributes;
import io.fairlead.linux.NetlinkException;
import io.fairlead.linux.NetlinkPayload;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class VdpaFamilyTest {
    private static final byte[] MAC = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

    private final FakeKernel kernel = new FakeKernel();
    private final VdpaFamily family = kernel.family();

    private static NetlinkException refusal(int errno, @Nullable String words, int wrongAttribute) {
        return new NetlinkException("CMD", errno, words, wrongAttribute, -1);
    }

    @Test
    void listsManagementDevices() throws IOException {
        kernel.answer(
                VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                FakeKernel.managementDevice("", "vdpasim_net", 1L << 1),
                FakeKernel.managementDevice("pci", "0000:00:05.0", 1L << 2 | 1L << 26 | 1));
        List<ManagementDeviceInfo> found = family.managementDevices();
        assertThat(found).extracting(info -> info.name().toString()).containsExactly("vdpasim_net", "pci/0000:00:05.0");
        assertThat(found.get(0).deviceIds()).containsExactly(1);
        assertThat(found.get(1).deviceIds()).containsExactly(2, 26);
        assertThat(found.get(1).maxQueues()).hasValue(3);
        assertThat(kernel.asked.getFirst().dump()).isTrue();
    }

    @Test
    void asksForOneByBusAndName() throws IOException {
        kernel.answer(
                VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                FakeKernel.managementDevice("pci", "0000:00:05.0", 4));
        ManagementDeviceInfo found = family.managementDevice(ManagementDeviceName.parse("pci/0000:00:05.0"));
        assertThat(found.name()).isEqualTo(new ManagementDeviceName("pci", "0000:00:05.0"));
        NetlinkAttributes asked = kernel.asked.getFirst().attributes();
        assertThat(asked.text(VdpaUapi.VDPA_ATTR_MGMTDEV_BUS_NAME)).contains("pci");
        assertThat(asked.text(VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME)).contains("0000:00:05.0");
    }

    @Test
    void readsDevices() throws IOException {
        kernel.answer(
                VdpaUapi.VDPA_CMD_DEV_GET,
                VdpaUapi.VDPA_CMD_DEV_NEW,
                FakeKernel.device("net0", 1),
                FakeKernel.device("crypto0", 20));
        assertThat(family.devices())
                .containsExactly(
                        new DeviceInfo(
                                "net0",
                                new ManagementDeviceName(null, "vdpasim"),
                                1,
                                OptionalLong.of(0xffffffffL),
                                OptionalLong.of(3),
                                OptionalInt.of(256),
                                OptionalInt.of(1)),
                        new DeviceInfo(
                                "crypto0",
                                new ManagementDeviceName(null, "vdpasim"),
                                20,
                                OptionalLong.of(0xffffffffL),
                                OptionalLong.of(3),
                                OptionalInt.of(256),
                                OptionalInt.of(1)));
    }

    @Test
    void addsWithAllAttributes() throws IOException {
        family.add(
                "net0",
                ManagementDeviceName.parse("vdpasim_net"),
                DeviceAttributes.parse(Map.of(
                        "mac", "52:54:00:12:34:56", "mtu", "1500", "max_vqp", "4", "device_features", "0x300020000")));
        FakeKernel.Asked asked = kernel.asked.getFirst();
        assertThat(asked.command()).isEqualTo(VdpaUapi.VDPA_CMD_DEV_NEW);
        assertThat(asked.dump()).isFalse();
        assertThat(asked.attributes().text(VdpaUapi.VDPA_ATTR_DEV_NAME)).contains("net0");
        assertThat(asked.attributes().find(VdpaUapi.VDPA_ATTR_MGMTDEV_BUS_NAME)).isEmpty();
        assertThat(asked.attributes().find(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MACADDR))
                .hasValueSatisfying(mac -> assertThat(mac.value()).containsExactly(MAC));
        assertThat(asked.attributes().u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MTU)).hasValue(1500);
        assertThat(asked.attributes().u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MAX_VQP))
                .hasValue(4);
        assertThat(asked.attributes().u64(VdpaUapi.VDPA_ATTR_DEV_FEATURES)).hasValue(0x300020000L);
    }

    @Test
    void readsConfigurations() throws IOException {
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, FakeKernel.net("net0", MAC));
        DeviceConfig net = family.config("net0");
        assertThat(net.mac()).contains("52:54:00:12:34:56");
        assertThat(net.mtu()).hasValue(0xffff);
        assertThat(net.maxQueuePairs()).isEmpty();
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, FakeKernel.block("blk0"));
        assertThat(family.config("blk0").block())
                .containsExactly(
                        Map.entry("capacity", 0x40000L),
                        Map.entry("size_max", 4096L),
                        Map.entry("physical_block_exp", 3L),
                        Map.entry("read_only", 0L),
                        Map.entry("flush", 1L));
    }

    @Test
    void devicesOfWhichTheKernelTellsNoConfigurationAreLeftOut() throws IOException {
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, FakeKernel.device("fs0", 26));
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, refusal(Errno.EOPNOTSUPP, null, -1));
        assertThat(family.configs()).isEmpty();
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, refusal(Errno.ENOMEM, null, -1));
        assertThatThrownBy(family::configs).isInstanceOf(ManagementException.class);
    }

    @Test
    void readsStatistics() throws IOException {
        assertThat(statistics(0, 1).counters())
                .containsExactly(
                        new VendorStatistics.Counter("rx packets", 5), new VendorStatistics.Counter("rx bytes", -1));
        for (var expected : Map.of(0, "rx", 1, "tx", 2, "control_vq", 3, "tx").entrySet()) {
            for (int pairs = 0; pairs < 2; pairs++) {
                assertThat(statistics(expected.getKey(), pairs).queueType()).isEqualTo(expected.getValue());
            }
        }
        assertThat(statistics(2, 2).queueType()).isEqualTo("rx");
        assertThat(statistics(4, 2).queueType()).isEqualTo("control_vq");
        assertThat(VdpaDocument.of(statistics(0, 0))).containsEntry("queue_type", "control_vq");
        assertThat(VdpaDocument.ofQueue(statistics(0, 0))).containsEntry("queue_type", "rx");
    }

    private VendorStatistics statistics(int queue, int maxQueuePairs) throws IOException {
        kernel.answer(
                VdpaUapi.VDPA_CMD_DEV_VSTATS_GET,
                VdpaUapi.VDPA_CMD_DEV_VSTATS_GET,
                new NetlinkPayload()
                        .text(VdpaUapi.VDPA_ATTR_DEV_NAME, "net0")
                        .u32(VdpaUapi.VDPA_ATTR_DEV_ID, 1)
                        .u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MAX_VQP, maxQueuePairs)
                        .u64(VdpaUapi.VDPA_ATTR_DEV_NEGOTIATED_FEATURES, 1 << 17)
                        .u32(VdpaUapi.VDPA_ATTR_DEV_QUEUE_INDEX, queue)
                        .text(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_NAME, "rx packets")
                        .u64(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, 5)
                        .text(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_NAME, "rx bytes")
                        .u64(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, -1));
        return family.statistics("net0", queue);
    }

    @Test
    void refusalsSayWhatHelps() throws IOException {
        kernel.answer(
                VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                FakeKernel.managementDevice("", "vdpasim_net", 2),
                FakeKernel.managementDevice("", "vduse", 6));
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, FakeKernel.device("net0", 1));
        assertThat(add(refusal(Errno.EPERM, null, -1)))
                .isEqualTo("cannot add vDPA device x at vdpasim_net: EPERM (Operation not permitted); it takes"
                        + " CAP_NET_ADMIN: run this as root");
        assertThat(add(refusal(Errno.ENODEV, "vdpa: Fail to find the specified management device", -1)))
                .isEqualTo("cannot add vDPA device x at vdpasim_net: the kernel says 'vdpa: Fail to find the specified"
                        + " management device' (ENODEV); the management devices are: vdpasim_net, vduse");
        assertThat(add(refusal(Errno.EEXIST, null, -1))).contains("EEXIST", "choose another name");
        assertThat(add(refusal(Errno.EBUSY, null, -1))).contains("has no room");
        assertThat(add(refusal(Errno.ERANGE, "integer out of range", VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MTU)))
                .contains("the kernel says 'integer out of range' (ERANGE) about the attribute mtu");
        assertThat(add(refusal(Errno.EOPNOTSUPP, "vdpa: All provided attributes are not supported", -1)))
                .contains("leave out attributes", "fairlead mgmtdev show vdpasim_net");
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_GET, refusal(Errno.ENODEV, "vdpa: device not found", -1));
        assertThatThrownBy(() -> family.device("nobody"))
                .hasMessage("cannot show vDPA device nobody: the kernel says 'vdpa: device not found' (ENODEV); there"
                        + " are: net0");
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_DEL, refusal(Errno.ENODEV, "bad \u001b[31m words", -1));
        assertThatThrownBy(() -> family.delete("nobody"))
                .hasMessageContaining("bad ?[31m words")
                .hasMessageContaining("there are: net0");
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_VSTATS_GET, refusal(Errno.EAGAIN, null, -1));
        assertThatThrownBy(() -> family.statistics("net0", 0)).hasMessageContaining("once a driver uses it");
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_ATTR_SET, refusal(Errno.EOPNOTSUPP, null, -1));
        assertThatThrownBy(() -> family.setMac("net0", "52:54:00:12:34:56")).hasMessageContaining("add it anew");
        assertThatThrownBy(() -> family.setMac("net0", "52:54:00:12:34")).isInstanceOf(IllegalArgumentException.class);
    }

    private String add(NetlinkException refusal) {
        kernel.refuse(VdpaUapi.VDPA_CMD_DEV_NEW, refusal);
        ManagementException refused = catchThrowableOfType(
                ManagementException.class,
                () -> family.add("x", ManagementDeviceName.parse("vdpasim_net"), DeviceAttributes.NONE));
        assertThat(refused.errno()).isEqualTo(refusal.errno());
        assertThat(refused).hasCause(refusal);
        return refused.getMessage();
    }

    @Test
    void aFamilyThatIsMissingIsLoaded() {
        assertThat(Refusal.ofFamily(refusal(Errno.ENOENT, null, -1))).hasMessageContaining("modprobe vdpa");
        assertThat(Refusal.ofFamily(refusal(Errno.EPERM, null, -1))).hasMessageContaining("does not answer");
    }

    @Test
    void wrongAnswersAreRefused() throws IOException {
        refusesDevice(new NetlinkPayload());
        refusesDevice(FakeKernel.device("", 1));
        refusesDevice(FakeKernel.device("net0", 0x10000));
        refusesDevice(new NetlinkPayload()
                .text(VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME, "vdpasim")
                .text(VdpaUapi.VDPA_ATTR_DEV_NAME, "net0"));
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_MGMTDEV_NEW, FakeKernel.device("net0", 1));
        assertThatThrownBy(() -> family.device("net0")).hasMessageContaining("command 1 instead of 3");
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW);
        assertThatThrownBy(() -> family.device("net0")).hasMessageContaining("0 messages");
        kernel.answer(
                VdpaUapi.VDPA_CMD_DEV_CONFIG_GET,
                VdpaUapi.VDPA_CMD_DEV_CONFIG_GET,
                FakeKernel.net("net0", new byte[5]));
        assertThatThrownBy(() -> family.config("net0")).hasMessageContaining("MAC address of 5 bytes");
        kernel.answer(
                VdpaUapi.VDPA_CMD_DEV_VSTATS_GET,
                VdpaUapi.VDPA_CMD_DEV_VSTATS_GET,
                new NetlinkPayload()
                        .text(VdpaUapi.VDPA_ATTR_DEV_NAME, "net0")
                        .u32(VdpaUapi.VDPA_ATTR_DEV_ID, 1)
                        .u64(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, 5));
        assertThatThrownBy(() -> family.statistics("net0", 0)).hasMessageContaining("a value without a name");
    }

    private void refusesDevice(NetlinkPayload payload) throws IOException {
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, payload);
        assertThatThrownBy(() -> family.device("net0")).isExactlyInstanceOf(IOException.class);
    }

    @Test
    void anyChangeOfAnAnswerGivesAResultOrAnIOException() {
        List<NetlinkPayload> valid = List.of(
                FakeKernel.managementDevice("pci", "0000:00:05.0", 4),
                FakeKernel.device("net0", 1),
                FakeKernel.net("net0", MAC),
                FakeKernel.block("blk0"),
                new NetlinkPayload()
                        .text(VdpaUapi.VDPA_ATTR_DEV_NAME, "net0")
                        .u32(VdpaUapi.VDPA_ATTR_DEV_ID, 1)
                        .u32(VdpaUapi.VDPA_ATTR_DEV_QUEUE_INDEX, 0)
                        .text(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_NAME, "packets")
                        .u64(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, 5));
        Random random = new Random(4711);
        int results = 0;
        int exceptions = 0;
        for (int i = 0; i < 200_000; i++) {
            int which = random.nextInt(valid.size());
            byte[] bytes = valid.get(which).bytes();
            if (random.nextInt(4) == 0) {
                bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 8));
            }
            for (int n = random.nextInt(4); n > 0 && bytes.length > 0; n--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            try {
                GenericNetlink.Message message = new GenericNetlink.Message(1, NetlinkAttributes.parse(bytes));
                String text = switch (which) {
                    case 0 -> {
                        ManagementDeviceInfo info = VdpaAnswers.managementDevice(message);
                        yield VdpaDocument.of(info) + VdpaDocument.text(info);
                    }
                    case 1 -> {
                        DeviceInfo info = VdpaAnswers.device(message);
                        yield VdpaDocument.of(info) + VdpaDocument.text(info);
                    }
                    case 2, 3 -> {
                        DeviceConfig config = VdpaAnswers.config(message);
                        yield VdpaDocument.of(config) + VdpaDocument.text(config);
                    }
                    default -> {
                        VendorStatistics statistics = VdpaAnswers.statistics(message);
                        yield VdpaDocument.of(statistics) + VdpaDocument.text(statistics);
                    }
                };
                assertThat(text).isNotBlank();
                results++;
            } catch (IOException e) {
                exceptions++;
            }
        }
        assertThat(results).isPositive();
        assertThat(exceptions).isPositive();
    }

    @Test
    void closesItsChannel() {
        family.close();
        assertThat(kernel.closed).isTrue();
    }
}
