package io.fairlead.kernel.management;

import io.fairlead.linux.GenericNetlink;
import io.fairlead.linux.NetlinkAttributes;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;

/** Reads the messages of the family vdpa. What makes no sense is an IOException. */
final class VdpaAnswers {
    private static final int MAC_BYTES = 6;
    private static final int MAX_DEVICE_ID = 0xffff;

    private VdpaAnswers() {}

    static ManagementDeviceInfo managementDevice(GenericNetlink.Message message) throws IOException {
        NetlinkAttributes attributes = message.attributes();
        return new ManagementDeviceInfo(
                managementDeviceName(attributes),
                attributes.u64(VdpaUapi.VDPA_ATTR_MGMTDEV_SUPPORTED_CLASSES),
                attributes.u32(VdpaUapi.VDPA_ATTR_DEV_MGMTDEV_MAX_VQS),
                attributes.u64(VdpaUapi.VDPA_ATTR_DEV_SUPPORTED_FEATURES));
    }

    static DeviceInfo device(GenericNetlink.Message message) throws IOException {
        NetlinkAttributes attributes = message.attributes();
        return new DeviceInfo(
                text(attributes, VdpaUapi.VDPA_ATTR_DEV_NAME, "device name"),
                managementDeviceName(attributes),
                deviceId(attributes),
                attributes.u32(VdpaUapi.VDPA_ATTR_DEV_VENDOR_ID),
                attributes.u32(VdpaUapi.VDPA_ATTR_DEV_MAX_VQS),
                attributes.u16(VdpaUapi.VDPA_ATTR_DEV_MAX_VQ_SIZE),
                attributes.u16(VdpaUapi.VDPA_ATTR_DEV_MIN_VQ_SIZE));
    }

    static DeviceConfig config(GenericNetlink.Message message) throws IOException {
        NetlinkAttributes attributes = message.attributes();
        return new DeviceConfig(
                text(attributes, VdpaUapi.VDPA_ATTR_DEV_NAME, "device name"),
                deviceId(attributes),
                attributes.u64(VdpaUapi.VDPA_ATTR_DEV_FEATURES),
                attributes.u64(VdpaUapi.VDPA_ATTR_DEV_NEGOTIATED_FEATURES),
                mac(attributes),
                attributes.u16(VdpaUapi.VDPA_ATTR_DEV_NET_STATUS),
                attributes.u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MAX_VQP),
                attributes.u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MTU),
                block(attributes));
    }

    static VendorStatistics statistics(GenericNetlink.Message message) throws IOException {
        NetlinkAttributes attributes = message.attributes();
        List<VendorStatistics.Counter> counters = new ArrayList<>();
        Optional<String> counter = Optional.empty();
        for (NetlinkAttributes.Attribute attribute : attributes.all()) {
            if (attribute.type() == VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_NAME) {
                counter = Optional.of(attribute.text());
            } else if (attribute.type() == VdpaUapi.VDPA_ATTR_DEV_VENDOR_ATTR_VALUE) {
                counters.add(new VendorStatistics.Counter(
                        counter.orElseThrow(() -> new IOException("vendor statistics: a value without a name")),
                        attribute.number(Long.BYTES)));
                counter = Optional.empty();
            }
        }
        return new VendorStatistics(
                text(attributes, VdpaUapi.VDPA_ATTR_DEV_NAME, "device name"),
                deviceId(attributes),
                attributes.u32(VdpaUapi.VDPA_ATTR_DEV_QUEUE_INDEX),
                attributes.u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MAX_VQP).orElse(0),
                attributes.u64(VdpaUapi.VDPA_ATTR_DEV_NEGOTIATED_FEATURES).orElse(0),
                List.copyOf(counters));
    }

    private static Optional<String> mac(NetlinkAttributes attributes) throws IOException {
        Optional<NetlinkAttributes.Attribute> found = attributes.find(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MACADDR);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        byte[] mac = found.get().value();
        if (mac.length != MAC_BYTES) {
            throw new IOException("a MAC address of %d bytes".formatted(mac.length));
        }
        return Optional.of(MacAddress.text(mac));
    }

    private static SequencedMap<String, Long> block(NetlinkAttributes attributes) throws IOException {
        SequencedMap<String, Long> block = new LinkedHashMap<>();
        put(block, "capacity", attributes.u64(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_CAPACITY));
        put(block, "size_max", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_SIZE_MAX));
        put(block, "seg_max", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_SEG_MAX));
        put(block, "blk_size", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_BLK_SIZE));
        put(block, "physical_block_exp", attributes.u8(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_PHY_BLK_EXP));
        put(block, "alignment_offset", attributes.u8(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_ALIGN_OFFSET));
        put(block, "min_io_size", attributes.u16(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_MIN_IO_SIZE));
        put(block, "opt_io_size", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_OPT_IO_SIZE));
        put(block, "num_queues", attributes.u16(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_NUM_QUEUES));
        put(block, "max_discard_sectors", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_MAX_DISCARD_SEC));
        put(block, "max_discard_seg", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_MAX_DISCARD_SEG));
        put(block, "discard_sector_alignment", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_DISCARD_SEC_ALIGN));
        put(block, "max_write_zeroes_sectors", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_MAX_WRITE_ZEROES_SEC));
        put(block, "max_write_zeroes_seg", attributes.u32(VdpaUapi.VDPA_ATTR_DEV_BLK_CFG_MAX_WRITE_ZEROES_SEG));
        put(block, "read_only", attributes.u8(VdpaUapi.VDPA_ATTR_DEV_BLK_READ_ONLY));
        put(block, "flush", attributes.u8(VdpaUapi.VDPA_ATTR_DEV_BLK_FLUSH));
        return block;
    }

    private static void put(SequencedMap<String, Long> block, String name, OptionalLong value) {
        value.ifPresent(present -> block.put(name, present));
    }

    private static void put(SequencedMap<String, Long> block, String name, OptionalInt value) {
        value.ifPresent(present -> block.put(name, (long) present));
    }

    private static ManagementDeviceName managementDeviceName(NetlinkAttributes attributes) throws IOException {
        return new ManagementDeviceName(
                attributes.text(VdpaUapi.VDPA_ATTR_MGMTDEV_BUS_NAME).orElse(null),
                text(attributes, VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME, "management device name"));
    }

    private static int deviceId(NetlinkAttributes attributes) throws IOException {
        long id = attributes
                .u32(VdpaUapi.VDPA_ATTR_DEV_ID)
                .orElseThrow(() -> new IOException("the kernel tells a device without its virtio id"));
        if (id > MAX_DEVICE_ID) {
            throw new IOException("the kernel tells a device with the impossible virtio id " + id);
        }
        return (int) id;
    }

    private static String text(NetlinkAttributes attributes, int type, String what) throws IOException {
        String text = attributes.text(type).orElse("");
        if (text.isEmpty()) {
            throw new IOException("the kernel's answer has no " + what);
        }
        return text;
    }
}
