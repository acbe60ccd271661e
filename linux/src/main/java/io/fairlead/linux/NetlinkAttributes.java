package io.fairlead.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * The attributes of a netlink message ({@code struct nlattr}): parsed with every length checked, in the order in which
 * they came. Where a type comes more than once, the readers by type take the last, as the kernel does. Immutable.
 */
public final class NetlinkAttributes {
    /** One attribute. Immutable. */
    public static final class Attribute {
        private final int type;
        private final byte[] value;

        private Attribute(int type, byte[] value) {
            this.type = type;
            this.value = value;
        }

        /** Without the flags for nesting and byte order. */
        public int type() {
            return type;
        }

        /** As it came. */
        public byte[] value() {
            return value.clone();
        }

        /** The value as an unsigned number of 1, 2, 4 or 8 bytes in the machine's byte order. */
        public long number(int byteCount) throws IOException {
            if (value.length != byteCount) {
                throw new IOException(
                        "netlink attribute %d has %d bytes instead of %d".formatted(type, value.length, byteCount));
            }
            ByteBuffer bytes = ByteBuffer.wrap(value).order(ByteOrder.nativeOrder());
            return switch (byteCount) {
                case 1 -> Byte.toUnsignedLong(bytes.get());
                case 2 -> Short.toUnsignedLong(bytes.getShort());
                case 4 -> Integer.toUnsignedLong(bytes.getInt());
                case 8 -> bytes.getLong();
                default -> throw new IllegalArgumentException("no number has " + byteCount + " bytes");
            };
        }

        /** The value as text, with or without the zero byte at the end. */
        public String text() throws IOException {
            int length = value.length;
            if (length > 0 && value[length - 1] == 0) {
                length--;
            }
            for (int i = 0; i < length; i++) {
                if (value[i] == 0) {
                    throw new IOException("netlink attribute %d: a zero byte within its text".formatted(type));
                }
            }
            return new String(value, 0, length, StandardCharsets.UTF_8);
        }
    }

    private final List<Attribute> attributes;

    private NetlinkAttributes(List<Attribute> attributes) {
        this.attributes = List.copyOf(attributes);
    }

    /**
     * Takes attributes apart, as they stand in a message or in another attribute.
     *
     * @throws IOException where a length is impossible or bytes are left over
     */
    public static NetlinkAttributes parse(byte[] bytes) throws IOException {
        return parse(bytes, 0, bytes.length);
    }

    /**
     * Takes attributes apart.
     *
     * @param bytes holds them from {@code from} to {@code to} (exclusive), which is inside of it
     * @throws IOException where a length is impossible or bytes are left over
     */
    static NetlinkAttributes parse(byte[] bytes, int from, int to) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        List<Attribute> found = new ArrayList<>();
        int at = from;
        while (at < to) {
            if (to - at < NetlinkLayout.NLA_HDRLEN) {
                throw new IOException("netlink message: %d bytes are left behind its attributes".formatted(to - at));
            }
            int length = Short.toUnsignedInt(buffer.getShort(at));
            int type = Short.toUnsignedInt(buffer.getShort(at + 2)) & NetlinkLayout.TYPE_MASK;
            if (length < NetlinkLayout.NLA_HDRLEN || length > to - at) {
                throw new IOException("netlink attribute %d: a length of %d where %d bytes are left"
                        .formatted(type, length, to - at));
            }
            found.add(new Attribute(type, Arrays.copyOfRange(bytes, at + NetlinkLayout.NLA_HDRLEN, at + length)));
            at += Math.min(NetlinkLayout.align(length), to - at);
        }
        return new NetlinkAttributes(found);
    }

    /** All, in the order of the message. */
    public List<Attribute> all() {
        return attributes;
    }

    /** The last of a type. */
    public Optional<Attribute> find(int type) {
        return attributes.reversed().stream()
                .filter(attribute -> attribute.type == type)
                .findFirst();
    }

    /** @throws IOException where it is there, but not of one byte */
    public OptionalInt u8(int type) throws IOException {
        return small(type, 1);
    }

    /** @throws IOException where it is there, but not of two bytes */
    public OptionalInt u16(int type) throws IOException {
        return small(type, 2);
    }

    /** @throws IOException where it is there, but not of four bytes */
    public OptionalLong u32(int type) throws IOException {
        return number(type, 4);
    }

    /** @throws IOException where it is there, but not of eight bytes */
    public OptionalLong u64(int type) throws IOException {
        return number(type, 8);
    }

    /** @throws IOException where it is there, but with a zero byte within */
    public Optional<String> text(int type) throws IOException {
        Optional<Attribute> found = find(type);
        return found.isPresent() ? Optional.of(found.get().text()) : Optional.empty();
    }

    private OptionalInt small(int type, int byteCount) throws IOException {
        OptionalLong number = number(type, byteCount);
        return number.isPresent() ? OptionalInt.of((int) number.getAsLong()) : OptionalInt.empty();
    }

    private OptionalLong number(int type, int byteCount) throws IOException {
        Optional<Attribute> found = find(type);
        return found.isPresent() ? OptionalLong.of(found.get().number(byteCount)) : OptionalLong.empty();
    }
}
