package io.fairlead.linux;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** The attributes of a netlink request, put together one after the other. For one thread. */
public final class NetlinkPayload {
    private static final int MAX_VALUE_BYTES = 0xffff - NetlinkLayout.NLA_HDRLEN;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    /** An empty one. */
    public NetlinkPayload() {}

    /**
     * Adds a text with a zero byte at its end.
     *
     * @throws IllegalArgumentException where it has a zero byte within
     */
    public NetlinkPayload text(int type, String value) {
        if (value.indexOf(0) >= 0) {
            throw new IllegalArgumentException("a zero byte within '%s'".formatted(value.replace('\0', '?')));
        }
        return add(type, (value + '\0').getBytes(StandardCharsets.UTF_8));
    }

    /** Adds a number of two bytes. */
    public NetlinkPayload u16(int type, int value) {
        return add(type, buffer(2).putShort((short) value).array());
    }

    /** Adds a number of four bytes. */
    public NetlinkPayload u32(int type, int value) {
        return add(type, buffer(4).putInt(value).array());
    }

    /** Adds a number of eight bytes. */
    public NetlinkPayload u64(int type, long value) {
        return add(type, buffer(8).putLong(value).array());
    }

    /** Adds a value as it is. */
    public NetlinkPayload add(int type, byte[] value) {
        if (value.length > MAX_VALUE_BYTES) {
            throw new IllegalArgumentException(
                    "netlink attribute %d: %d bytes, %d are possible".formatted(type, value.length, MAX_VALUE_BYTES));
        }
        int length = NetlinkLayout.NLA_HDRLEN + value.length;
        bytes.writeBytes(buffer(NetlinkLayout.NLA_HDRLEN)
                .putShort((short) length)
                .putShort((short) type)
                .array());
        bytes.writeBytes(value);
        bytes.writeBytes(new byte[NetlinkLayout.align(length) - length]);
        return this;
    }

    /** What was put together, as it stands in a message. */
    public byte[] bytes() {
        return bytes.toByteArray();
    }

    private static ByteBuffer buffer(int byteCount) {
        return ByteBuffer.allocate(byteCount).order(ByteOrder.nativeOrder());
    }
}
