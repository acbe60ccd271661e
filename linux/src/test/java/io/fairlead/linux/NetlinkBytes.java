package io.fairlead.linux;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Puts together datagrams as the kernel would send them. */
final class NetlinkBytes {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final int sequence;

    NetlinkBytes(int sequence) {
        this.sequence = sequence;
    }

    NetlinkBytes message(int type, int flags, byte[] payload) {
        int length = NetlinkLayout.NLMSG_HDRLEN + payload.length;
        bytes.writeBytes(buffer(NetlinkLayout.NLMSG_HDRLEN)
                .putInt(length)
                .putShort((short) type)
                .putShort((short) flags)
                .putInt(sequence)
                .putInt(4711)
                .array());
        bytes.writeBytes(payload);
        bytes.writeBytes(new byte[NetlinkLayout.align(length) - length]);
        return this;
    }

    NetlinkBytes generic(int type, int flags, int command, NetlinkPayload attributes) {
        byte[] payload = attributes.bytes();
        return message(
                type,
                flags,
                buffer(NetlinkLayout.GENL_HDRLEN + payload.length)
                        .put((byte) command)
                        .put((byte) 1)
                        .putShort((short) 0)
                        .put(payload)
                        .array());
    }

    /** An acknowledgement or refusal that repeats some bytes of the request's payload. */
    NetlinkBytes error(int error, int flags, int requestBytes, int repeatedBytes, NetlinkPayload extensions) {
        byte[] told = extensions.bytes();
        return message(
                NetlinkLayout.NLMSG_ERROR,
                flags,
                buffer(NetlinkLayout.ERROR_BYTES + repeatedBytes + told.length)
                        .putInt(error)
                        .putInt(requestBytes)
                        .putShort((short) 0x20)
                        .putShort((short) 5)
                        .putInt(sequence)
                        .putInt(0)
                        .put(new byte[repeatedBytes])
                        .put(told)
                        .array());
    }

    NetlinkBytes done(int error, int flags, NetlinkPayload extensions) {
        byte[] told = extensions.bytes();
        return message(
                NetlinkLayout.NLMSG_DONE,
                flags | NetlinkLayout.NLM_F_MULTI,
                buffer(Integer.BYTES + told.length).putInt(error).put(told).array());
    }

    byte[] bytes() {
        return bytes.toByteArray();
    }

    static ByteBuffer buffer(int byteCount) {
        return ByteBuffer.allocate(byteCount).order(ByteOrder.nativeOrder());
    }
}
