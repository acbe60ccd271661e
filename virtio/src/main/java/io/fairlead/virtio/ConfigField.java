package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * One field of a device's configuration space (virtio 1.4, 2.5): always little-endian, no padding but what the structure
 * spells out.
 *
 * <p>The segment is a copy of the configuration space from its first byte on; heap or native, aligned or not. Reads of
 * several fields of a live device are consistent only under its generation count.
 *
 * @param name the field's name in the kernel's header
 * @param offset bytes from the start of the space
 * @param byteCount 1, 2, 4 or 8 for a number; anything for an array of bytes
 * @param features the field exists where any of these features is offered; 0 where it always exists
 */
public record ConfigField(String name, int offset, int byteCount, long features) {
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The fields of a device id by ascending offset; none where the type has no table here. */
    public static List<ConfigField> of(int deviceId) {
        return switch (deviceId) {
            case DeviceId.NET -> NetConfig.FIELDS;
            case DeviceId.BLOCK -> BlkConfig.FIELDS;
            case DeviceId.CONSOLE -> ConsoleConfig.FIELDS;
            case DeviceId.BALLOON -> BalloonConfig.FIELDS;
            case DeviceId.SCSI -> ScsiConfig.FIELDS;
            case DeviceId.VSOCK -> VsockConfig.FIELDS;
            case DeviceId.FS -> FsConfig.FIELDS;
            default -> List.of();
        };
    }

    /** First offset after the field. */
    public int end() {
        return offset + byteCount;
    }

    public boolean exists(long offeredFeatures) {
        return features == 0 || (features & offeredFeatures) != 0;
    }

    /**
     * The number in the field, unsigned (one of 8 bytes as it stands).
     *
     * @throws IndexOutOfBoundsException where the space ends before the field does
     * @throws IllegalStateException where the field is an array of bytes
     */
    public long read(MemorySegment config) {
        return switch (byteCount) {
            case 1 -> Byte.toUnsignedLong(config.get(ValueLayout.JAVA_BYTE, offset));
            case 2 -> Short.toUnsignedLong(config.get(U16, offset));
            case 4 -> Integer.toUnsignedLong(config.get(U32, offset));
            case 8 -> config.get(U64, offset);
            default -> throw notANumber();
        };
    }

    /**
     * Sets the number in the field.
     *
     * @throws IllegalArgumentException where the value does not fit
     * @throws IndexOutOfBoundsException where the space ends before the field does
     * @throws IllegalStateException where the field is an array of bytes
     */
    public void write(MemorySegment config, long value) {
        if (byteCount < 8 && (value < 0 || value >>> (8 * byteCount) != 0)) {
            throw new IllegalArgumentException("%s = %d does not fit %d bytes".formatted(name, value, byteCount));
        }
        switch (byteCount) {
            case 1 -> config.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
            case 2 -> config.set(U16, offset, (short) value);
            case 4 -> config.set(U32, offset, (int) value);
            case 8 -> config.set(U64, offset, value);
            default -> throw notANumber();
        }
    }

    /** The field's own bytes, a view. */
    public MemorySegment bytes(MemorySegment config) {
        return config.asSlice(offset, byteCount);
    }

    private IllegalStateException notANumber() {
        return new IllegalStateException("%s is %d bytes and no number".formatted(name, byteCount));
    }

    /** The smallest size of a space that holds every field which exists with these features. */
    public static int byteCount(List<ConfigField> fields, long offeredFeatures) {
        int end = 0;
        for (ConfigField field : fields) {
            if (field.exists(offeredFeatures)) {
                end = Math.max(end, field.end());
            }
        }
        return end;
    }
}
