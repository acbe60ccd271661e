package io.fairlead.kernel.management;

import io.fairlead.linux.GenericNetlink;
import io.fairlead.linux.NetlinkAttributes;
import io.fairlead.linux.NetlinkException;
import io.fairlead.linux.NetlinkPayload;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Answers as it was told to, and keeps what it was asked. */
final class FakeKernel implements VdpaFamily.Channel {
    /** A request as it came. */
    record Asked(int command, boolean dump, NetlinkAttributes attributes) {}

    private final Map<Integer, List<GenericNetlink.Message>> answers = new HashMap<>();
    private final Map<Integer, NetlinkException> refusals = new HashMap<>();
    final List<Asked> asked = new ArrayList<>();
    boolean closed;

    VdpaFamily family() {
        return new VdpaFamily(this, () -> closed = true);
    }

    FakeKernel answer(int command, int answerCommand, NetlinkPayload... payloads) throws IOException {
        List<GenericNetlink.Message> messages = new ArrayList<>();
        for (NetlinkPayload payload : payloads) {
            messages.add(new GenericNetlink.Message(answerCommand, NetlinkAttributes.parse(payload.bytes())));
        }
        answers.put(command, messages);
        return this;
    }

    FakeKernel refuse(int command, NetlinkException refusal) {
        refusals.put(command, refusal);
        return this;
    }

    @Override
    public List<GenericNetlink.Message> exchange(String request, int command, boolean dump, NetlinkPayload payload)
            throws IOException {
        asked.add(new Asked(command, dump, NetlinkAttributes.parse(payload.bytes())));
        NetlinkException refusal = refusals.get(command);
        if (refusal != null && !dump) {
            throw refusal;
        }
        return answers.getOrDefault(command, List.of());
    }

    static NetlinkPayload managementDevice(String bus, String device, long classes) {
        NetlinkPayload payload = new NetlinkPayload();
        if (!bus.isEmpty()) {
            payload.text(VdpaUapi.VDPA_ATTR_MGMTDEV_BUS_NAME, bus);
        }
        return payload.text(VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME, device)
                .u64(VdpaUapi.VDPA_ATTR_MGMTDEV_SUPPORTED_CLASSES, classes)
                .u32(VdpaUapi.VDPA_ATTR_DEV_MGMTDEV_MAX_VQS, 3)
                .u64(VdpaUapi.VDPA_ATTR_DEV_SUPPORTED_FEATURES, 0x3_0002_0228L);
    }

    static NetlinkPayload device(String name, int deviceId) {
        return new NetlinkPayload()
                .text(VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME, "vdpasim")
                .text(VdpaUapi.VDPA_ATTR_DEV_NAME, name)
                .u32(VdpaUapi.VDPA_ATTR_DEV_ID, deviceId)
                .u32(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ID, -1)
                .u32(VdpaUapi.VDPA_ATTR_DEV_MAX_VQS, 3)
                .u16(VdpaUapi.VDPA_ATTR_DEV_MAX_VQ_SIZE, 256)
                .u16(VdpaUapi.VDPA_ATTR_DEV_MIN_VQ_SIZE, 1);
    }

    static NetlinkPayload net(String name, byte... mac) {
        return new NetlinkPayload()
                .text(VdpaUapi.VDPA_ATTR_DEV_NAME, name)
                .u32(VdpaUapi.VDPA_ATTR_DEV_ID, 1)
                .add(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MACADDR, mac)
                .u16(VdpaUapi.VDPA_ATTR_DEV_NET_STATUS, 1)
                .u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MTU, 0xffff)
                .u64(VdpaUapi.VDPA_ATTR_DEV_FEATURES, 0x28)
                .u64(VdpaUapi.VDPA_ATTR_DEV_NEGOTIATED_FEATURES, 1L << 32 | 1L << 54 | 1L << 5);
    }

    static NetlinkPayload block(String name) {
        return new NetlinkPayload()
                .text(VdpaUapi.VDPA_ATTR_DEV_NAME, name)
                .u32(VdpaUapi.VDPA_ATTR_DEV_ID, 2)
                .u64(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_CAPACITY, 0x40000)
                .u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_SIZE_MAX, 4096)
                .add(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_PHY_BLK_EXP, new byte[] {3})
                .add(VdpaUapi.VDPA_ATTR_DEV_BLK_READ_ONLY, new byte[] {0})
                .add(VdpaUapi.VDPA_ATTR_DEV_BLK_FLUSH, new byte[] {1})
                .u64(VdpaUapi.VDPA_ATTR_DEV_FEATURES, 1L << 9 | 1L << 32);
    }
}
