package io.fairlead.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's answer to one request, gathered from the datagrams that it comes in. Everything in them is checked; what
 * makes no sense is an IOException.
 */
final class NetlinkAnswer {
    /** More than any answer has: 16 MiB. */
    static final long MAX_BYTES = 16L << 20;

    private final String request;
    private final byte[] requestBytes;
    private final int messageType;
    private final int sequence;
    private final boolean dump;
    private final List<GenericNetlink.Message> messages = new ArrayList<>();
    private long byteCount;
    private boolean interrupted;

    /**
     * @param request what is asked, for messages
     * @param requestBytes the whole request, from its header on
     * @param messageType of the messages that may come: the family's id
     * @param dump whether the answer ends by NLMSG_DONE, and not by an acknowledgement
     */
    NetlinkAnswer(String request, byte[] requestBytes, int messageType, int sequence, boolean dump) {
        this.request = request;
        this.requestBytes = requestBytes;
        this.messageType = messageType;
        this.sequence = sequence;
        this.dump = dump;
    }

    /** What came, in order. */
    List<GenericNetlink.Message> messages() {
        return List.copyOf(messages);
    }

    /** Whether what is dumped changed meanwhile, so that something may be missing. */
    boolean interrupted() {
        return interrupted;
    }

    /**
     * Takes a datagram.
     *
     * @return whether the answer is complete
     * @throws NetlinkException where the kernel refuses the request
     * @throws IOException where the datagram makes no sense
     */
    boolean take(byte[] datagram) throws IOException {
        byteCount += datagram.length;
        if (byteCount > MAX_BYTES) {
            throw malformed("it does not end after %d bytes".formatted(MAX_BYTES));
        }
        ByteBuffer buffer = ByteBuffer.wrap(datagram).order(ByteOrder.nativeOrder());
        int at = 0;
        while (at < datagram.length) {
            int left = datagram.length - at;
            if (left < NetlinkLayout.NLMSG_HDRLEN) {
                throw malformed("%d bytes instead of a message's header".formatted(left));
            }
            int length = buffer.getInt(at + NetlinkLayout.HEADER_LENGTH);
            if (length < NetlinkLayout.NLMSG_HDRLEN || length > left) {
                throw malformed("a message's length of %s where %d bytes are left"
                        .formatted(Integer.toUnsignedString(length), left));
            }
            // What is left of an earlier request is not ours.
            boolean ours = buffer.getInt(at + NetlinkLayout.HEADER_SEQUENCE) == sequence;
            if (ours && takeMessage(datagram, buffer, at, at + length)) {
                return true;
            }
            at += Math.min(NetlinkLayout.align(length), left);
        }
        return false;
    }

    private boolean takeMessage(byte[] bytes, ByteBuffer buffer, int from, int to) throws IOException {
        int type = Short.toUnsignedInt(buffer.getShort(from + NetlinkLayout.HEADER_TYPE));
        int flags = Short.toUnsignedInt(buffer.getShort(from + NetlinkLayout.HEADER_FLAGS));
        if ((flags & NetlinkLayout.NLM_F_DUMP_INTR) != 0) {
            interrupted = true;
        }
        int payload = from + NetlinkLayout.NLMSG_HDRLEN;
        return switch (type) {
            case NetlinkLayout.NLMSG_NOOP -> false;
            case NetlinkLayout.NLMSG_OVERRUN -> throw malformed("messages were lost");
            case NetlinkLayout.NLMSG_ERROR -> {
                need(NetlinkLayout.ERROR_BYTES, to - payload);
                endOrRefusal(bytes, buffer.getInt(payload), extensions(buffer, flags, payload, to), to, flags);
                if (dump) {
                    throw malformed("an acknowledgement in the middle of a list");
                }
                yield true;
            }
            case NetlinkLayout.NLMSG_DONE -> {
                if (!dump) {
                    throw malformed("the end of a list that nobody asked for");
                }
                need(Integer.BYTES, to - payload);
                endOrRefusal(bytes, buffer.getInt(payload), payload + Integer.BYTES, to, flags);
                yield true;
            }
            default -> {
                if (type != messageType) {
                    throw malformed("a message of type %d instead of %d".formatted(type, messageType));
                }
                need(NetlinkLayout.GENL_HDRLEN, to - payload);
                messages.add(new GenericNetlink.Message(
                        Byte.toUnsignedInt(bytes[payload]),
                        NetlinkAttributes.parse(bytes, payload + NetlinkLayout.GENL_HDRLEN, to)));
                yield false;
            }
        };
    }

    /** Where what the kernel tells besides an error begins: behind as much of the request as it repeats. */
    private int extensions(ByteBuffer buffer, int flags, int payload, int to) throws IOException {
        int begin = payload + NetlinkLayout.ERROR_BYTES;
        boolean acknowledged = buffer.getInt(payload) == 0;
        if ((flags & NetlinkLayout.NLM_F_ACK_TLVS) == 0 || (flags & NetlinkLayout.NLM_F_CAPPED) != 0 || acknowledged) {
            return begin;
        }
        int repeated = buffer.getInt(payload + Integer.BYTES + NetlinkLayout.HEADER_LENGTH);
        if (repeated < NetlinkLayout.NLMSG_HDRLEN || repeated - NetlinkLayout.NLMSG_HDRLEN > to - begin) {
            throw malformed("an error about a request of " + Integer.toUnsignedString(repeated) + " bytes");
        }
        return Math.min(begin + NetlinkLayout.align(repeated - NetlinkLayout.NLMSG_HDRLEN), to);
    }

    private void endOrRefusal(byte[] bytes, int error, int extensionsFrom, int to, int flags) throws IOException {
        if (error == 0) {
            return;
        }
        if (error > 0 || error == Integer.MIN_VALUE) {
            throw malformed("an error number of " + error);
        }
        if ((flags & NetlinkLayout.NLM_F_ACK_TLVS) == 0) {
            throw new NetlinkException(request, -error, null, NetlinkException.NONE, NetlinkException.NONE);
        }
        NetlinkAttributes told = NetlinkAttributes.parse(bytes, extensionsFrom, to);
        Optional<String> message = told.text(NetlinkLayout.NLMSGERR_ATTR_MSG);
        OptionalLong missing = told.u32(NetlinkLayout.NLMSGERR_ATTR_MISS_TYPE);
        throw new NetlinkException(
                request, -error, orNull(message), attributeAt(told.u32(NetlinkLayout.NLMSGERR_ATTR_OFFS)), (int)
                        missing.orElse(NetlinkException.NONE));
    }

    private static @Nullable String orNull(Optional<String> text) {
        return text.isPresent() ? text.get() : null;
    }

    /** The type of the request's attribute at an offset that the kernel tells. */
    private int attributeAt(OptionalLong told) {
        int first = NetlinkLayout.NLMSG_HDRLEN + NetlinkLayout.GENL_HDRLEN;
        long offset = told.orElse(0);
        if (offset < first || offset > requestBytes.length - NetlinkLayout.NLA_HDRLEN) {
            return NetlinkException.NONE;
        }
        byte[] header = Arrays.copyOfRange(requestBytes, (int) offset, (int) offset + NetlinkLayout.NLA_HDRLEN);
        return Short.toUnsignedInt(
                        ByteBuffer.wrap(header).order(ByteOrder.nativeOrder()).getShort(2))
                & NetlinkLayout.TYPE_MASK;
    }

    private void need(int wanted, int there) throws IOException {
        if (there < wanted) {
            throw malformed("a message of %d bytes where %d are needed".formatted(there, wanted));
        }
    }

    private IOException malformed(String what) {
        return new IOException("%s: the answer makes no sense: %s".formatted(request, what));
    }
}
