package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class IdentifierTest {
    @Test
    void everyIdIsFoundByEachOfItsNames() {
        int known = 0;
        for (int id = 0; id < 0x100; id++) {
            assertThat(DeviceId.byName(DeviceId.name(id)).orElse(0)).isEqualTo(id);
            assertThat(DeviceId.byName(DeviceId.qemuName(id)).orElse(0)).isEqualTo(id);
            known += DeviceId.isKnown(id) ? 1 : 0;
        }
        assertThat(known).isEqualTo(46);
    }

    @Test
    void namesAreThoseOfKernelQemuAndPeople() {
        assertThat(DeviceId.name(DeviceId.BLOCK)).isEqualTo("block");
        assertThat(DeviceId.qemuName(DeviceId.BLOCK)).isEqualTo("virtio-blk");
        assertThat(DeviceId.qemuName(DeviceId.VSOCK)).isEqualTo("vhost-vsock");
        assertThat(DeviceId.byName("BLK")).hasValue(2);
        assertThat(DeviceId.byName("Virtio-Net")).hasValue(1);
        assertThat(DeviceId.byName("26")).hasValue(DeviceId.FS);
        assertThat(DeviceId.byName("65535")).hasValue(65535);
    }

    @Test
    void unknownIdsAreAsGoodAsOthers() {
        assertThat(DeviceId.isKnown(14)).isFalse();
        assertThat(DeviceId.isKnown(-1)).isFalse();
        assertThat(DeviceId.name(77)).isEqualTo("virtio77");
        assertThat(DeviceId.byName("virtio77")).hasValue(77);
        assertThat(DeviceId.byName("virtio0")).isEmpty();
        assertThat(DeviceId.byName("65536")).isEmpty();
        assertThat(DeviceId.byName("99999")).isEmpty();
        assertThat(DeviceId.byName("disk")).isEmpty();
        assertThat(DeviceId.byName("")).isEmpty();
    }

    @Test
    void statusIsReadable() {
        assertThat(DeviceStatus.describe(0)).isEqualTo("RESET");
        assertThat(DeviceStatus.describe(15)).isEqualTo("ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK");
        assertThat(DeviceStatus.describe(0x60)).isEqualTo("DEVICE_NEEDS_RESET|0x20");
        assertThat(DeviceStatus.describe(0x120)).isEqualTo("0x120");
        assertThat(DeviceStatus.has(7, DeviceStatus.DRIVER | DeviceStatus.DRIVER_OK))
                .isTrue();
        assertThat(DeviceStatus.has(5, DeviceStatus.DRIVER | DeviceStatus.DRIVER_OK))
                .isFalse();
    }

    @Test
    void featuresHaveNamesByType() {
        assertThat(BlkConfig.describe(BlkConfig.F_FLUSH | BlkConfig.F_MQ | Feature.VERSION_1 | 1L << 44))
                .isEqualTo("FLUSH, MQ, VERSION_1, bit 44");
        assertThat(FeatureTable.of(DeviceId.NET).describe(1L << 63 | 1)).isEqualTo("CSUM, SPEED_DUPLEX");
        assertThat(FeatureTable.of(DeviceId.RNG).describe(1)).isEqualTo("bit 0");
        assertThat(FeatureTable.of(77).describe(Feature.RING_PACKED | Feature.SUSPEND))
                .isEqualTo("RING_PACKED, SUSPEND");
        assertThat(FeatureTable.COMMON.describe(0)).isEqualTo("none");
        assertThatThrownBy(() -> FeatureTable.COMMON.with(Feature.VERSION_1, "X"))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> FeatureTable.COMMON.with(3, "X")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void fieldsAreLittleEndianAndChecked() {
        byte[] bytes = new byte[BlkConfig.BYTES];
        MemorySegment config = MemorySegment.ofArray(bytes);
        BlkConfig.CAPACITY_SECTORS.write(config, 0x8877665544332211L);
        BlkConfig.SEG_MAX.write(config, 0xfffefdfcL);
        BlkConfig.NUM_QUEUES.write(config, 0xa1b2);
        BlkConfig.WRITEBACK.write(config, 0xff);
        assertThat(bytes).startsWith(0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88);
        assertThat(bytes[12]).isEqualTo((byte) 0xfc);
        assertThat(bytes[34]).isEqualTo((byte) 0xb2);
        assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(0x8877665544332211L);
        assertThat(BlkConfig.SEG_MAX.read(config)).isEqualTo(0xfffefdfcL);
        assertThat(BlkConfig.NUM_QUEUES.read(config)).isEqualTo(0xa1b2);
        assertThat(BlkConfig.WRITEBACK.read(config)).isEqualTo(0xff);
        assertThatThrownBy(() -> BlkConfig.NUM_QUEUES.write(config, 0x10000))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> BlkConfig.SEG_MAX.write(config, -1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> BlkConfig.NUM_QUEUES.read(config.asSlice(0, 35)))
                .isInstanceOf(IndexOutOfBoundsException.class);

        MemorySegment fs = MemorySegment.ofArray(new byte[FsConfig.BYTES]);
        MemorySegment tag = FsConfig.TAG.bytes(fs);
        tag.copyFrom(MemorySegment.ofArray("share".getBytes(StandardCharsets.UTF_8)));
        assertThat(tag.byteSize()).isEqualTo(36);
        assertThat(fs.getString(0)).isEqualTo("share");
        assertThatThrownBy(() -> FsConfig.TAG.read(fs)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> FsConfig.TAG.write(fs, 1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aSpaceIsAsLongAsItsFeaturesAsk() {
        assertThat(ConfigField.byteCount(BlkConfig.FIELDS, 0)).isEqualTo(8);
        assertThat(ConfigField.byteCount(BlkConfig.FIELDS, BlkConfig.F_MQ)).isEqualTo(36);
        assertThat(ConfigField.byteCount(BlkConfig.FIELDS, BlkConfig.F_WRITE_ZEROES))
                .isEqualTo(57);
        assertThat(ConfigField.byteCount(NetConfig.FIELDS, NetConfig.F_HASH_REPORT))
                .isEqualTo(24);
        assertThat(NetConfig.MAX_VIRTQUEUE_PAIRS.exists(NetConfig.F_RSS)).isTrue();
        assertThat(NetConfig.MAX_VIRTQUEUE_PAIRS.exists(NetConfig.F_MTU)).isFalse();
        assertThat(NetConfig.MAC.exists(0)).isTrue();
    }
}
