package io.fairlead.devices.vsock;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.UnixStream;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.VsockPacket;
import org.jspecify.annotations.Nullable;

/**
 * One stream between a guest's port and a Unix socket of the host. What the host sends stays in its socket until the guest
 * has credit and a buffer for it, and goes straight there; what the guest sends goes straight into the socket, and what
 * finds no room there waits here, within the credit that the guest was given (virtio 1.4, 5.10.6.3).
 *
 * <p>The guest's side and the host's end each for itself: a guest that has said that it is done is answered at once, and
 * what it sent still goes to the host.
 *
 * <p>On the device's loop.
 */
final class Connection {
    /** Room for what a guest sends: its credit. */
    static final int BUFFER_BYTES = 256 << 10;

    /** The most data of one packet to the guest. */
    static final int MAX_PACKET_BYTES = 64 << 10;

    /** Of the guest's side. */
    enum State {
        /** A program of the host has connected and not said whereto. */
        GREETING,
        /** The guest is asked. */
        REQUESTED,
        OPEN,
        /** The guest is to be told of the end. */
        RESETTING,
        /** The guest knows no more of it. */
        ENDED
    }

    private final Connections owner;
    private @Nullable UnixStream stream;
    private final WaitingBytes waiting = new WaitingBytes(BUFFER_BYTES);
    private final Credit credit = new Credit();
    int hostPort;
    int guestPort;
    State state;

    /** Where it stands among all. */
    int place;

    /** It is among those that have something for the guest. */
    boolean queued;

    @Nullable
    Connection nextQueued;

    /** When it ends unless something happens before; 0 for never. */
    long deadlineNanos;

    private boolean requestDue;
    private boolean responseDue;
    private boolean creditAsked;
    private boolean creditRequested;

    /** Flags of SHUTDOWN that the guest is to be told, and was. */
    private int shutdownDue;

    private int shutdownSent;

    /** Flags of SHUTDOWN that the guest has said. */
    private int guestShutdown;

    /** The socket may have data, or its end. */
    private boolean readable;

    /** The host sends no more, and takes no more. */
    private boolean hostSendEnded;

    private boolean hostReceiveEnded;

    Connection(Connections owner, UnixStream stream, State state) {
        this.owner = owner;
        this.stream = stream;
        this.state = state;
    }

    @Nullable
    UnixStream stream() {
        return stream;
    }

    /** Whether the guest knows of it, or will. */
    boolean isGuests() {
        return state == State.REQUESTED || state == State.OPEN || state == State.RESETTING;
    }

    /** Whether no driver was told of it yet. */
    boolean isUntold() {
        return state == State.GREETING || (state == State.REQUESTED && requestDue);
    }

    // ---- its beginning ----

    /** A program of the host wants a port of the guest's. */
    void request(int newHostPort, int newGuestPort) {
        hostPort = newHostPort;
        guestPort = newGuestPort;
        state = State.REQUESTED;
        requestDue = true;
    }

    /** A guest's request was answered by the host. */
    void accepted(PacketHeader packet) {
        hostPort = packet.dstPort;
        guestPort = packet.srcPort;
        responseDue = true;
        credit.take(packet);
    }

    // ---- packets of the guest ----

    /** Takes a packet of this connection, whose header is {@code packet}. */
    void receive(DescriptorChain chain, PacketHeader packet) {
        if (packet.op == VsockPacket.OP_RST) {
            closeStream();
            owner.guestEnded(this);
            return;
        }
        if (state == State.RESETTING) {
            // What is on its way answers this, too.
            return;
        }
        credit.take(packet);
        if (credit.guestFreeBytes() > 0) {
            creditRequested = false;
        }
        switch (packet.op) {
            case VsockPacket.OP_RESPONSE -> responded();
            case VsockPacket.OP_SHUTDOWN -> shutdown(packet.flags);
            case VsockPacket.OP_RW -> data(chain, (int) Math.min(packet.byteCount, Integer.MAX_VALUE));
            case VsockPacket.OP_CREDIT_UPDATE -> {}
            case VsockPacket.OP_CREDIT_REQUEST -> creditAsked = true;
            // A second REQUEST among them.
            default -> reset();
        }
        owner.offer(this);
    }

    private void responded() {
        if (state != State.REQUESTED || requestDue) {
            reset();
            return;
        }
        state = State.OPEN;
        deadlineNanos = 0;
        owner.counters().opened.increment();
        if (!owner.welcome(this)) {
            reset();
        }
    }

    private void data(DescriptorChain chain, int byteCount) {
        UnixStream to = stream;
        if (state != State.OPEN || to == null || (guestShutdown & VsockPacket.SHUTDOWN_SEND) != 0) {
            reset();
            return;
        }
        if (!credit.received(byteCount)) {
            owner.counters().overCredit.increment();
            reset();
            return;
        }
        int done = hostReceiveEnded ? byteCount : 0;
        if (waiting.count() == 0 && done < byteCount) {
            owner.window().readable(chain, VsockPacket.HEADER_BYTES, byteCount);
            long sent = to.send(owner.window().address(), owner.window().count());
            if (sent >= 0) {
                done = (int) sent;
            } else if (sent != -Errno.EAGAIN) {
                done = byteCount;
                hostTakesNoMore();
            }
        }
        credit.forwarded(done);
        if (done < byteCount) {
            try {
                waiting.put(chain, VsockPacket.HEADER_BYTES + done, byteCount - done);
                // epoll speaks of room only after a call that found none.
                flush();
            } catch (LinuxException e) {
                owner.failed(this, e);
                reset();
            }
        }
    }

    private void shutdown(int flags) {
        if (state != State.OPEN) {
            reset();
            return;
        }
        guestShutdown |= flags & VsockPacket.SHUTDOWN_BOTH;
        UnixStream socket = stream;
        if (guestShutdown == VsockPacket.SHUTDOWN_BOTH) {
            state = State.RESETTING;
            deadlineNanos = 0;
            if (waiting.count() == 0) {
                closeStream();
            }
        } else if (socket != null && guestShutdown == VsockPacket.SHUTDOWN_RECEIVE) {
            socket.endReceiving();
        } else if (socket != null && guestShutdown == VsockPacket.SHUTDOWN_SEND && waiting.count() == 0) {
            socket.endSending();
        }
    }

    // ---- its end ----

    /** Ends it at once on both sides; the guest is told. */
    void reset() {
        closeStream();
        state = State.RESETTING;
        deadlineNanos = 0;
    }

    /** Ends the host's side; what waits for it is lost. */
    void closeStream() {
        UnixStream closed = stream;
        if (closed != null) {
            stream = null;
            owner.unwatch(closed);
            closed.close();
        }
        waiting.close();
    }

    // ---- the host's side ----

    /** epoll saw something; by edges. */
    void hostReady(int events) {
        if ((events & ~Epoll.EPOLLOUT) != 0) {
            readable = true;
        }
        if ((events & (Epoll.EPOLLHUP | Epoll.EPOLLERR)) != 0) {
            if ((guestShutdown & VsockPacket.SHUTDOWN_RECEIVE) != 0) {
                // Nobody looks for the end of the data any more.
                shutdownDue |= VsockPacket.SHUTDOWN_SEND;
            }
            hostTakesNoMore();
        } else if ((events & Epoll.EPOLLOUT) != 0) {
            flush();
        }
    }

    private void flush() {
        UnixStream to = stream;
        if (to == null || waiting.count() == 0) {
            return;
        }
        while (waiting.count() > 0) {
            waiting.show(owner.window());
            long sent = to.send(owner.window().address(), owner.window().count());
            if (sent == -Errno.EAGAIN) {
                return;
            }
            if (sent < 0) {
                hostTakesNoMore();
                return;
            }
            waiting.drop((int) sent);
            credit.forwarded((int) sent);
        }
        if ((guestShutdown & VsockPacket.SHUTDOWN_SEND) != 0) {
            to.endSending();
        }
        if (!isOpenForGuest()) {
            closeStream();
        }
    }

    private boolean isOpenForGuest() {
        return state == State.REQUESTED || state == State.OPEN;
    }

    private void hostTakesNoMore() {
        hostReceiveEnded = true;
        credit.forwarded(waiting.count());
        waiting.close();
        shutdownDue |= VsockPacket.SHUTDOWN_RECEIVE;
        if (!isOpenForGuest()) {
            closeStream();
        }
    }

    // ---- packets to the guest ----

    private boolean mayRead() {
        return readable && !hostSendEnded && (guestShutdown & VsockPacket.SHUTDOWN_RECEIVE) == 0;
    }

    private boolean creditDue() {
        return creditAsked || credit.isDue();
    }

    private boolean creditRequestDue() {
        return mayRead() && !creditRequested && credit.guestFreeBytes() == 0;
    }

    private int shutdownUnsaid() {
        return shutdownDue & ~shutdownSent;
    }

    /** Whether there seems to be a packet for the guest. */
    boolean hasPacket() {
        return switch (state) {
            case GREETING, ENDED -> false;
            case REQUESTED -> requestDue;
            case RESETTING -> true;
            case OPEN ->
                responseDue
                        || creditDue()
                        || (mayRead() && credit.guestFreeBytes() > 0)
                        || creditRequestDue()
                        || shutdownUnsaid() != 0;
        };
    }

    /**
     * Makes the next packet: its data is in the chain, what is special of its header in {@code header}.
     *
     * @return whether there was one
     */
    boolean next(DescriptorChain chain, PacketHeader header) {
        int op = nextOp(chain, header);
        if (op == VsockPacket.OP_INVALID) {
            return false;
        }
        header.op = op;
        credit.say(header);
        creditAsked = false;
        return true;
    }

    private int nextOp(DescriptorChain chain, PacketHeader header) {
        switch (state) {
            case REQUESTED -> {
                if (requestDue) {
                    requestDue = false;
                    return VsockPacket.OP_REQUEST;
                }
            }
            case RESETTING -> {
                owner.guestEnded(this);
                return VsockPacket.OP_RST;
            }
            case OPEN -> {
                return nextOfOpen(chain, header);
            }
            case GREETING, ENDED -> {}
        }
        return VsockPacket.OP_INVALID;
    }

    private int nextOfOpen(DescriptorChain chain, PacketHeader header) {
        if (responseDue) {
            responseDue = false;
            return VsockPacket.OP_RESPONSE;
        }
        if (mayRead() && credit.guestFreeBytes() > 0) {
            long room = chain.writableBytes() - VsockPacket.HEADER_BYTES;
            if (room == 0) {
                // Of no use for data, and of no use to be left.
                return VsockPacket.OP_CREDIT_UPDATE;
            }
            header.byteCount = read(chain, (int) Math.min(room, credit.guestFreeBytes()));
            if (header.byteCount > 0) {
                return VsockPacket.OP_RW;
            }
        }
        if (creditDue()) {
            return VsockPacket.OP_CREDIT_UPDATE;
        }
        if (creditRequestDue()) {
            creditRequested = true;
            return VsockPacket.OP_CREDIT_REQUEST;
        }
        if (shutdownUnsaid() != 0) {
            shutdownSent = shutdownDue;
            header.flags = shutdownSent;
            if (shutdownSent == VsockPacket.SHUTDOWN_BOTH) {
                owner.awaitEnd(this);
            }
            return VsockPacket.OP_SHUTDOWN;
        }
        return VsockPacket.OP_INVALID;
    }

    /** Has the host's data go into a chain, behind the header; returns how much that was. */
    private int read(DescriptorChain chain, int mostBytes) {
        UnixStream from = stream;
        if (from == null) {
            return 0;
        }
        owner.window().writable(chain, VsockPacket.HEADER_BYTES, mostBytes);
        long result = from.receive(owner.window().address(), owner.window().count());
        if (result > 0) {
            credit.sent((int) result);
            return (int) result;
        }
        readable = false;
        if (result != -Errno.EAGAIN) {
            hostSendEnded = true;
            shutdownDue |= VsockPacket.SHUTDOWN_SEND;
            if (result < 0) {
                hostTakesNoMore();
            }
        }
        return 0;
    }

    @Override
    public String toString() {
        return "host port %d, guest port %d, %s"
                .formatted(Integer.toUnsignedLong(hostPort), Integer.toUnsignedLong(guestPort), state);
    }
}
