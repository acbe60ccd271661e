package io.fairlead.virtio.parts;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * The parts of one device as the standard's administration commands carry them (virtio 1.4, 2.13 and 2.12.1.9), one
 * after the other without padding, little-endian:
 *
 * <pre>
 * struct virtio_dev_part_hdr {
 *     le16 part_type;  u8 flags;  u8 reserved;   // flags: bit 0 optional
 *     u8 selector[8];                            // le16 queue, or le32 offset in the PCI common configuration
 *     le32 length;                               // bytes of the value, which follows
 * };
 * </pre>
 *
 * <p>Optional parts of an unknown type are kept as they are; a mandatory one is refused. What is decoded encodes to the
 * same bytes again. Immutable.
 *
 * @param parts each type and selector once
 */
public record DeviceParts(List<DevicePart> parts) {
    /** The longest stream. */
    public static final int MAX_BYTES = 4 << 20;

    /** The most parts of a stream. */
    public static final int MAX_PARTS = 16384;

    static final int HEADER_BYTES = 16;
    static final int OPTIONAL = 1;
    static final int QUEUE_CONFIGURATION_BYTES = 32;
    static final int NOTIFY_BYTES = 8;
    static final int MAX_FEATURE_WORDS = 16;

    /** Bytes of {@code struct virtio_pci_common_cfg}, and of its widest field. */
    static final int PCI_COMMON_BYTES = 64;

    static final int PCI_FIELD_BYTES = 8;

    private record Key(int type, long selector) {}

    public DeviceParts {
        parts = List.copyOf(parts);
    }

    /** The part of a type of which there is one. */
    public <P extends DevicePart> Optional<P> find(Class<P> type) {
        return parts.stream().filter(type::isInstance).map(type::cast).findFirst();
    }

    /** The queues' configurations in the stream's order. */
    public List<DevicePart.QueueConfiguration> queues() {
        return parts.stream()
                .filter(DevicePart.QueueConfiguration.class::isInstance)
                .map(DevicePart.QueueConfiguration.class::cast)
                .toList();
    }

    /** @throws IllegalArgumentException where a value is outside of what its field holds, or there is too much */
    public byte[] encode() {
        if (parts.size() > MAX_PARTS) {
            throw new IllegalArgumentException("%d parts are more than %d".formatted(parts.size(), MAX_PARTS));
        }
        List<byte[]> encoded = parts.stream().map(DeviceParts::encode).toList();
        int byteCount = encoded.stream().mapToInt(part -> part.length).reduce(0, Math::addExact);
        if (byteCount > MAX_BYTES) {
            throw new IllegalArgumentException("%d bytes of parts are more than %d".formatted(byteCount, MAX_BYTES));
        }
        ByteBuffer stream = ByteBuffer.allocate(byteCount);
        encoded.forEach(stream::put);
        return stream.array();
    }

    private static byte[] encode(DevicePart part) {
        byte[] value = switch (part) {
            case DevicePart.DeviceFeatures features -> words(features.words());
            case DevicePart.DriverFeatures features -> words(features.words());
            case DevicePart.PciCommonConfiguration pci -> pci.value().toArray();
            case DevicePart.Status status -> new byte[] {(byte) fit(status.bits(), 0xff, "status")};
            case DevicePart.QueueConfiguration queue ->
                littleEndian(QUEUE_CONFIGURATION_BYTES)
                        .putShort((short) fit(queue.size(), 0xffff, "queue size"))
                        .putShort((short) fit(queue.vector(), 0xffff, "vector"))
                        .putShort((short) (queue.enabled() ? 1 : 0))
                        .putShort((short) 0)
                        .putLong(queue.descriptorAddress())
                        .putLong(queue.driverAddress())
                        .putLong(queue.deviceAddress())
                        .array();
            case DevicePart.QueueNotifyConfiguration notify ->
                littleEndian(NOTIFY_BYTES)
                        .putShort((short) fit(notify.notifyOffset(), 0xffff, "notify offset"))
                        .putShort((short) fit(notify.configurationData(), 0xffff, "notify data"))
                        .array();
            case DevicePart.Unknown unknown -> unknown.value().toArray();
        };
        if (part instanceof DevicePart.QueueConfiguration || part instanceof DevicePart.QueueNotifyConfiguration) {
            fit(part.selector(), 0xffff, "queue");
        }
        return littleEndian(HEADER_BYTES + value.length)
                .putShort((short) fit(part.type(), 0xffff, "part type"))
                .put((byte) (part.optional() ? OPTIONAL : 0))
                .put((byte) 0)
                .putLong(part.selector())
                .putInt(value.length)
                .put(value)
                .array();
    }

    private static long fit(long value, long max, String what) {
        if (value < 0 || value > max) {
            throw new IllegalArgumentException("%s %d is not in 0..%d".formatted(what, value, max));
        }
        return value;
    }

    private static byte[] words(List<Long> words) {
        fit(words.size() - 1L, MAX_FEATURE_WORDS - 1L, "feature words less one");
        byte[] value = new byte[words.size() * Long.BYTES];
        ByteBuffer fields = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
        words.forEach(fields::putLong);
        return value;
    }

    private static ByteBuffer littleEndian(int byteCount) {
        return ByteBuffer.allocate(byteCount).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Reads a whole stream.
     *
     * @throws DevicePartsException where it is not whole, or not understood
     */
    public static DeviceParts decode(MemorySegment stream) throws DevicePartsException {
        if (stream.byteSize() > MAX_BYTES) {
            throw new DevicePartsException(
                    0, "%d bytes of parts are more than %d".formatted(stream.byteSize(), MAX_BYTES));
        }
        // A copy: nobody changes what has been checked.
        ByteBuffer bytes =
                ByteBuffer.wrap(stream.toArray(ValueLayout.JAVA_BYTE)).order(ByteOrder.LITTLE_ENDIAN);
        List<DevicePart> parts = new ArrayList<>();
        Set<Key> seen = new HashSet<>();
        while (bytes.hasRemaining()) {
            int offset = bytes.position();
            DevicePart part = decode(bytes);
            if (!seen.add(new Key(part.type(), part.selector()))) {
                throw new DevicePartsException(
                        offset, "part 0x%x, selector %d, comes twice".formatted(part.type(), part.selector()));
            }
            if (seen.size() > MAX_PARTS) {
                throw new DevicePartsException(offset, "more than %d parts".formatted(MAX_PARTS));
            }
            parts.add(part);
        }
        return new DeviceParts(parts);
    }

    private static DevicePart decode(ByteBuffer bytes) throws DevicePartsException {
        int offset = bytes.position();
        if (bytes.remaining() < HEADER_BYTES) {
            throw new DevicePartsException(
                    offset, "%d bytes are no part's header of %d".formatted(bytes.remaining(), HEADER_BYTES));
        }
        int type = Short.toUnsignedInt(bytes.getShort());
        int flags = Byte.toUnsignedInt(bytes.get());
        int reserved = bytes.get();
        long selector = bytes.getLong();
        long length = Integer.toUnsignedLong(bytes.getInt());
        if ((flags & ~OPTIONAL) != 0 || reserved != 0) {
            throw new DevicePartsException(offset + 2L, "part 0x%x has reserved bits set".formatted(type));
        }
        if (length > bytes.remaining()) {
            throw new DevicePartsException(
                    offset + 12L,
                    "part 0x%x of %d bytes, of which %d are there".formatted(type, length, bytes.remaining()));
        }
        byte[] value = new byte[(int) length];
        bytes.get(value);
        DevicePart part = part(type, flags, selector, value, offset);
        if (part.optional() != ((flags & OPTIONAL) != 0)) {
            throw new DevicePartsException(
                    offset + 2L, "part 0x%x has to be %s".formatted(type, part.optional() ? "optional" : "mandatory"));
        }
        if (part.selector() != selector) {
            throw new DevicePartsException(
                    offset + 4L, "part 0x%x cannot have the selector 0x%x".formatted(type, selector));
        }
        return part;
    }

    private static DevicePart part(int type, int flags, long selector, byte[] value, int offset)
            throws DevicePartsException {
        ByteBuffer fields = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
        return switch (type) {
            case DevicePart.DEVICE_FEATURES -> features(type, fields, offset, DevicePart.DeviceFeatures::new);
            case DevicePart.DRIVER_FEATURES -> features(type, fields, offset, DevicePart.DriverFeatures::new);
            case DevicePart.PCI_COMMON_CONFIGURATION -> {
                if (selector < 0
                        || selector >= PCI_COMMON_BYTES
                        || value.length < 1
                        || value.length > PCI_FIELD_BYTES) {
                    throw new DevicePartsException(
                            offset,
                            "%d bytes at 0x%x are no field of the PCI common configuration"
                                    .formatted(value.length, selector));
                }
                yield new DevicePart.PciCommonConfiguration((int) selector, Octets.of(value));
            }
            case DevicePart.DEVICE_STATUS -> {
                requireLength(type, value, 1, offset);
                yield new DevicePart.Status(Byte.toUnsignedInt(value[0]));
            }
            case DevicePart.QUEUE_CONFIGURATION -> {
                requireLength(type, value, QUEUE_CONFIGURATION_BYTES, offset);
                int size = Short.toUnsignedInt(fields.getShort());
                int vector = Short.toUnsignedInt(fields.getShort());
                int enabled = Short.toUnsignedInt(fields.getShort());
                int reserved = fields.getShort();
                if (enabled > 1 || reserved != 0) {
                    throw new DevicePartsException(
                            offset + HEADER_BYTES + 4L,
                            "queue %d has enabled %d and reserved %d".formatted(selector, enabled, reserved));
                }
                yield new DevicePart.QueueConfiguration(
                        (int) selector & 0xffff,
                        size,
                        vector,
                        enabled == 1,
                        fields.getLong(),
                        fields.getLong(),
                        fields.getLong());
            }
            case DevicePart.QUEUE_NOTIFY_CONFIGURATION -> {
                requireLength(type, value, NOTIFY_BYTES, offset);
                int notifyOffset = Short.toUnsignedInt(fields.getShort());
                int data = Short.toUnsignedInt(fields.getShort());
                if (fields.getInt() != 0) {
                    throw new DevicePartsException(offset + HEADER_BYTES + 4L, "reserved bytes are not 0");
                }
                yield new DevicePart.QueueNotifyConfiguration((int) selector & 0xffff, notifyOffset, data);
            }
            default -> {
                if ((flags & OPTIONAL) == 0) {
                    throw new DevicePartsException(offset, "the mandatory part 0x%x is unknown".formatted(type));
                }
                yield new DevicePart.Unknown(type, selector, Octets.of(value));
            }
        };
    }

    private static DevicePart features(
            int type, ByteBuffer fields, int offset, Function<List<Long>, ? extends DevicePart> part)
            throws DevicePartsException {
        int byteCount = fields.remaining();
        if (byteCount == 0 || byteCount % Long.BYTES != 0 || byteCount > MAX_FEATURE_WORDS * Long.BYTES) {
            throw new DevicePartsException(
                    offset + 12L,
                    "part 0x%x of %d bytes is not of 1 to %d words".formatted(type, byteCount, MAX_FEATURE_WORDS));
        }
        List<Long> words = new ArrayList<>();
        while (fields.hasRemaining()) {
            words.add(fields.getLong());
        }
        return part.apply(words);
    }

    private static void requireLength(int type, byte[] value, int byteCount, int offset) throws DevicePartsException {
        if (value.length != byteCount) {
            throw new DevicePartsException(
                    offset + 12L, "part 0x%x is of %d bytes, not %d".formatted(type, value.length, byteCount));
        }
    }
}
