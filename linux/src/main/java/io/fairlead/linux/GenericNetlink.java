package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A family of the kernel's generic netlink: requests and their answers, one after the other. The kernel carries out a
 * request before the call that sends it returns.
 *
 * <p>Thread-safe: one request at a time, others wait. After an answer that makes no sense the socket is closed, and
 * every further request fails.
 */
public final class GenericNetlink implements AutoCloseable {
    /**
     * A message of an answer.
     *
     * @param command the family's, such as {@code VDPA_CMD_DEV_NEW}
     */
    public record Message(int command, NetlinkAttributes attributes) {}

    /** More than the kernel puts into one datagram. */
    private static final int BUFFER_BYTES = 1 << 18;

    private static final int MSG_TRUNC = 0x20;
    private static final int TIMEOUT_SECONDS = 30;
    private static final int MAX_DUMPS = 10;
    private static final int MAX_STRANGERS = 1000;

    private final Fd socket;
    private final String family;
    private int familyId;
    private int version = 1;
    private int sequence;

    private GenericNetlink(Fd socket, String family) {
        this.socket = socket;
        this.family = family;
        familyId = NetlinkLayout.GENL_ID_CTRL;
    }

    /**
     * Opens a socket and looks up a family.
     *
     * @param family its name, such as {@code vdpa}
     * @param version of the family's messages
     * @throws NetlinkException with ENOENT where the kernel has no such family
     */
    public static GenericNetlink open(String family, int version) throws IOException {
        if (family.isEmpty() || family.length() >= NetlinkLayout.GENL_NAMSIZ) {
            throw new IllegalArgumentException("no name of a generic netlink family: " + family);
        }
        int raw = SocketCalls.socket(
                NetlinkLayout.AF_NETLINK,
                NetlinkLayout.SOCK_RAW | SocketFile.SOCK_CLOEXEC,
                NetlinkLayout.NETLINK_GENERIC);
        String subject = "generic netlink family " + family;
        Fd socket = Fd.adopt(LinuxException.check(raw, "socket", subject), subject);
        GenericNetlink netlink = new GenericNetlink(socket, family);
        try {
            netlink.prepare();
            netlink.resolve();
            netlink.version = version;
            return netlink;
        } catch (Throwable e) {
            socket.close();
            throw e;
        }
    }

    private void prepare() throws LinuxException {
        MemorySegment scratch = Libc.scratch();
        scratch.fill((byte) 0);
        scratch.set(JAVA_SHORT, 0, (short) NetlinkLayout.AF_NETLINK);
        LinuxException.check(
                SocketCalls.bind(socket.raw(), scratch.address(), NetlinkLayout.SOCKADDR_BYTES),
                "bind",
                socket.subject());
        option(NetlinkLayout.SOL_NETLINK, NetlinkLayout.NETLINK_EXT_ACK, "setsockopt(NETLINK_EXT_ACK)");
        option(NetlinkLayout.SOL_NETLINK, NetlinkLayout.NETLINK_CAP_ACK, "setsockopt(NETLINK_CAP_ACK)");
        scratch.set(JAVA_LONG, 0, TIMEOUT_SECONDS);
        scratch.set(JAVA_LONG, Long.BYTES, 0);
        LinuxException.check(
                SocketCalls.setsockopt(
                        socket.raw(),
                        SocketMessage.SOL_SOCKET,
                        UnixSocket.SO_RCVTIMEO,
                        scratch.address(),
                        UnixSocket.TIMEVAL_SIZE),
                "setsockopt(SO_RCVTIMEO)",
                socket.subject());
    }

    private void option(int level, int option, String call) throws LinuxException {
        MemorySegment one = Libc.scratch();
        one.set(JAVA_INT, 0, 1);
        LinuxException.check(
                SocketCalls.setsockopt(socket.raw(), level, option, one.address(), Integer.BYTES),
                call,
                socket.subject());
    }

    private void resolve() throws IOException {
        List<Message> found = exchange(
                "CTRL_CMD_GETFAMILY " + family,
                NetlinkLayout.CTRL_CMD_GETFAMILY,
                false,
                new NetlinkPayload().text(NetlinkLayout.CTRL_ATTR_FAMILY_NAME, family));
        for (Message message : found) {
            int id = message.attributes().u16(NetlinkLayout.CTRL_ATTR_FAMILY_ID).orElse(0);
            if (message.command() == NetlinkLayout.CTRL_CMD_NEWFAMILY && id >= NetlinkLayout.NLMSG_MIN_TYPE) {
                familyId = id;
                return;
            }
        }
        throw new IOException("CTRL_CMD_GETFAMILY %s: the kernel told no id".formatted(family));
    }

    /**
     * Has the kernel do something, or tell of one object.
     *
     * @param request what is asked, for messages
     * @param command the family's
     * @return what the kernel tells; empty where it only acknowledges
     * @throws NetlinkException where the kernel refuses
     * @throws IOException where the answer makes no sense or does not come within 30 seconds
     */
    public synchronized List<Message> request(String request, int command, NetlinkPayload payload) throws IOException {
        return exchange(request, command, false, payload);
    }

    /**
     * Has the kernel tell of all objects. A list that changes while the kernel makes it is asked for again.
     *
     * @throws NetlinkException where the kernel refuses
     * @throws IOException as {@link #request}; and where the list changes all the time
     */
    public synchronized List<Message> dump(String request, int command, NetlinkPayload payload) throws IOException {
        return exchange(request, command, true, payload);
    }

    private List<Message> exchange(String request, int command, boolean dump, NetlinkPayload payload)
            throws IOException {
        if (!socket.isOpen()) {
            throw new IOException("%s: the socket was closed".formatted(request));
        }
        boolean done = false;
        try {
            for (int i = 0; i < MAX_DUMPS; i++) {
                NetlinkAnswer answer = exchangeOnce(request, command, dump, payload);
                if (!answer.interrupted()) {
                    done = true;
                    return answer.messages();
                }
            }
            done = true;
            throw new IOException("%s: what is listed changes all the time; try again".formatted(request));
        } catch (NetlinkException e) {
            done = true;
            throw e;
        } finally {
            if (!done) {
                socket.close();
            }
        }
    }

    private NetlinkAnswer exchangeOnce(String request, int command, boolean dump, NetlinkPayload payload)
            throws IOException {
        sequence++;
        byte[] bytes = message(command, dump, payload.bytes());
        NetlinkAnswer answer = new NetlinkAnswer(request, bytes, familyId, sequence, dump);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(BUFFER_BYTES, Long.BYTES);
            MemorySegment sender = arena.allocate(2 * Long.BYTES, Long.BYTES);
            send(request, buffer, bytes);
            int strangers = 0;
            for (; ; ) {
                byte[] datagram = receive(request, buffer, sender);
                // Only the kernel has port 0; whatever another process sends is not an answer.
                if (sender.get(JAVA_INT, NetlinkLayout.SOCKADDR_PORT) != 0) {
                    strangers++;
                    if (strangers > MAX_STRANGERS) {
                        throw new IOException(request + ": other processes send to this socket all the time");
                    }
                } else if (answer.take(datagram)) {
                    return answer;
                }
            }
        }
    }

    private byte[] message(int command, boolean dump, byte[] payload) {
        int length = NetlinkLayout.NLMSG_HDRLEN + NetlinkLayout.GENL_HDRLEN + payload.length;
        int flags = NetlinkLayout.NLM_F_REQUEST | NetlinkLayout.NLM_F_ACK | (dump ? NetlinkLayout.NLM_F_DUMP : 0);
        return ByteBuffer.allocate(length)
                .order(ByteOrder.nativeOrder())
                .putInt(length)
                .putShort((short) familyId)
                .putShort((short) flags)
                .putInt(sequence)
                .putInt(0)
                .put((byte) command)
                .put((byte) version)
                .putShort((short) 0)
                .put(payload)
                .array();
    }

    private void send(String request, MemorySegment buffer, byte[] bytes) throws IOException {
        if (bytes.length > BUFFER_BYTES) {
            throw new IllegalArgumentException("a netlink request of %d bytes".formatted(bytes.length));
        }
        MemorySegment.copy(bytes, 0, buffer, JAVA_BYTE, 0, bytes.length);
        int raw = socket.beginUse();
        try {
            long result;
            do {
                // A request that was interrupted has not reached the kernel's side.
                result = Libc.write(raw, buffer.address(), bytes.length);
            } while (result == -Errno.EINTR);
            LinuxException.check(result, "write", request);
            if (result != bytes.length) {
                throw new IOException("%s: only %d of %d bytes were sent".formatted(request, result, bytes.length));
            }
        } finally {
            socket.endUse();
        }
    }

    private byte[] receive(String request, MemorySegment buffer, MemorySegment sender) throws IOException {
        int raw = socket.beginUse();
        try {
            long result;
            do {
                sender.fill((byte) 0);
                sender.set(JAVA_INT, NetlinkLayout.SOCKADDR_BYTES, NetlinkLayout.SOCKADDR_BYTES);
                result = SocketCalls.recvfrom(
                        raw,
                        buffer.address(),
                        BUFFER_BYTES,
                        MSG_TRUNC,
                        sender.address(),
                        sender.address() + NetlinkLayout.SOCKADDR_BYTES);
            } while (result == -Errno.EINTR);
            if (result == -Errno.EAGAIN) {
                throw new IOException("%s: the kernel did not answer within %d s".formatted(request, TIMEOUT_SECONDS));
            }
            LinuxException.check(result, "recvfrom", request);
            if (result > BUFFER_BYTES) {
                throw new IOException("%s: an answer of %d bytes was cut short".formatted(request, result));
            }
            return buffer.asSlice(0, result).toArray(JAVA_BYTE);
        } finally {
            socket.endUse();
        }
    }

    @Override
    public void close() {
        socket.close();
    }

    @Override
    public String toString() {
        return socket.toString();
    }
}
