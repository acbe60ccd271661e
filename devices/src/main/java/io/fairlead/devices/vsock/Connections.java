package io.fairlead.devices.vsock;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Self;
import io.fairlead.linux.UnixStream;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.VsockPacket;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All connections of a device: which packet of the guest belongs to which, whose turn it is to send, and when one is given
 * up. They stay while queues stop and start again; a driver that comes anew finds none but those that nobody was told of.
 *
 * <p>On the device's loop.
 */
final class Connections {
    /** For what the host's or the guest's side has to say, before a connection is given up. */
    static final Duration HALF_OPEN = Duration.ofSeconds(10);

    private static final Logger LOG = LoggerFactory.getLogger(Connections.class);

    /** The ports of the host's side, when the host begins. */
    private static final int FIRST_HOST_PORT = 1 << 30;

    private static final int LAST_HOST_PORT = Integer.MAX_VALUE;

    /** Descriptors that the process needs besides. */
    private static final int OTHER_DESCRIPTORS = 256;

    private static final int CONNECTION_EVENTS = Epoll.EPOLLIN | Epoll.EPOLLOUT | Epoll.EPOLLRDHUP | Epoll.EPOLLET;

    private final String name;
    private final VsockSettings settings;
    private final EventLoop loop;
    private final Duration halfOpen;
    private final EventLoop.Timer timer;
    private final VsockCounters counters = new VsockCounters();
    private final IovecWindow window = new IovecWindow();
    private final PacketHeader incoming = new PacketHeader();
    private final PacketHeader outgoing = new PacketHeader();
    private final PendingResets resets = new PendingResets();
    private final ConnectionTable table;
    private final HostListener listener;

    /** All of them without gaps; also those that the guest does not know. */
    private final @Nullable Connection[] all;

    private int count;

    private final ConnectionLine line = new ConnectionLine();
    private int nextHostPort = FIRST_HOST_PORT;
    private boolean timerSet;

    /** No driver has come since the device is there, or was reset. */
    private boolean fresh = true;

    private boolean resetEventDue;
    private Runnable onPackets = () -> {};
    private Runnable onRoom = () -> {};
    private Runnable onEvent = () -> {};

    /**
     * Listens for programs of the host.
     *
     * @param halfOpen {@link #HALF_OPEN} but for tests
     */
    Connections(String name, VsockSettings settings, EventLoop loop, Duration halfOpen) throws IOException {
        this.name = name;
        this.settings = settings;
        this.loop = loop;
        this.halfOpen = halfOpen;
        timer = loop.timer(this::expire);
        table = new ConnectionTable(settings.connections());
        all = new Connection[settings.connections()];
        long limit = Self.raiseOpenFilesLimit(settings.connections() + (long) OTHER_DESCRIPTORS);
        if (limit < settings.connections()) {
            LOG.warn("{}: this process may open {} files; connections={} cannot be reached", name, limit, all.length);
        }
        listener = new HostListener(name, settings.path(), loop, this);
    }

    VsockCounters counters() {
        return counters;
    }

    IovecWindow window() {
        return window;
    }

    // ---- the driver ----

    /** Who is told that there are packets for the guest. */
    void onPackets(Runnable wake) {
        onPackets = wake;
    }

    /** Who is told that packets of the guest can be taken again. */
    void onRoom(Runnable wake) {
        onRoom = wake;
    }

    /** Who is told that there is an event for the guest. */
    void onEvent(Runnable wake) {
        onEvent = wake;
    }

    /**
     * The receive queue starts.
     *
     * @param anew with a driver that has just come; else one goes on whose connections are known, or were another process's
     *     or another host's
     */
    void driverCame(boolean anew) {
        if (anew) {
            for (int i = count - 1; i >= 0; i--) {
                Connection each = Objects.requireNonNull(all[i]);
                if (each.isGuests() && !each.isUntold()) {
                    each.reset();
                    offer(each);
                }
            }
        } else if (fresh) {
            resetEventDue = true;
            onEvent.run();
        }
        fresh = false;
    }

    boolean isResetEventDue() {
        return resetEventDue;
    }

    void resetEventGiven() {
        resetEventDue = false;
    }

    /** The driver has gone; what only the host knows of stays. */
    void driverGone() {
        resets.clear();
        resetEventDue = false;
        fresh = true;
        for (int i = count - 1; i >= 0; i--) {
            Connection each = Objects.requireNonNull(all[i]);
            if (each.isGuests() && !each.isUntold()) {
                each.closeStream();
                guestEnded(each);
            }
        }
    }

    // ---- packets of the guest ----

    /** Whether a packet can be taken, which may need an answer of its own. */
    boolean hasRoom() {
        return !resets.isFull();
    }

    /**
     * Takes a packet.
     *
     * @param chain with a whole header
     * @return how many bytes of data it had; -1 where it made no sense
     */
    long receive(DescriptorChain chain) {
        PacketHeader packet = incoming;
        packet.read(chain);
        if (packet.srcCid != settings.cid()) {
            counters.malformed.increment();
            return -1;
        }
        boolean known = packet.type == VsockPacket.TYPE_STREAM
                && packet.op > VsockPacket.OP_INVALID
                && packet.op <= VsockPacket.OP_CREDIT_REQUEST
                && packet.byteCount <= chain.readableBytes() - VsockPacket.HEADER_BYTES;
        Connection connection = packet.dstCid == VsockPacket.CID_HOST && packet.type == VsockPacket.TYPE_STREAM
                ? table.find(packet.dstPort, packet.srcPort)
                : null;
        if (!known) {
            counters.malformed.increment();
            if (connection != null) {
                connection.reset();
                offer(connection);
            } else {
                refuse(packet);
            }
            return -1;
        }
        if (connection != null) {
            connection.receive(chain, packet);
        } else if (packet.op == VsockPacket.OP_REQUEST && packet.dstCid == VsockPacket.CID_HOST) {
            connect(packet);
        } else {
            refuse(packet);
        }
        return packet.byteCount;
    }

    private void refuse(PacketHeader packet) {
        if (packet.op != VsockPacket.OP_RST) {
            resets.answer(packet);
            onPackets.run();
        }
    }

    private void connect(PacketHeader packet) {
        String port = Integer.toUnsignedString(packet.dstPort);
        Connection connection = null;
        if (count < all.length) {
            try {
                connection = add(UnixStream.connect(Path.of(settings.path() + "_" + port)), Connection.State.OPEN);
            } catch (IOException e) {
                LOG.debug("{}: port {} of the host: {}", name, port, e.getMessage());
            }
        }
        if (connection == null) {
            counters.refused.increment();
            refuse(packet);
            return;
        }
        connection.accepted(packet);
        table.add(connection);
        counters.opened.increment();
        offer(connection);
    }

    // ---- packets to the guest ----

    /** Whether there seem to be some. */
    boolean hasPackets() {
        return !resets.isEmpty() || !line.isEmpty();
    }

    /**
     * Puts the next packet into a chain that has room for a header.
     *
     * @return bytes of header and data; 0 where there was no packet
     */
    long give(DescriptorChain chain) {
        PacketHeader header = outgoing;
        if (!resets.isEmpty()) {
            boolean wasFull = resets.isFull();
            resets.take(header, settings.cid());
            if (wasFull) {
                onRoom.run();
            }
            header.write(chain);
            return VsockPacket.HEADER_BYTES;
        }
        for (Connection each = line.poll(); each != null; each = line.poll()) {
            header.set(
                    VsockPacket.CID_HOST,
                    settings.cid(),
                    each.hostPort,
                    each.guestPort,
                    VsockPacket.TYPE_STREAM,
                    VsockPacket.OP_INVALID);
            boolean made = each.next(chain, header);
            offer(each);
            if (made) {
                header.write(chain);
                return VsockPacket.HEADER_BYTES + header.byteCount;
            }
        }
        return 0;
    }

    /** Something happened with a connection: it stands in line if it has a packet. */
    void offer(Connection connection) {
        if (connection.hasPacket()) {
            line.add(connection);
            onPackets.run();
        }
    }

    // ---- connections ----

    /** Whether another one may come. */
    boolean isFull() {
        return count == all.length;
    }

    /** Takes a socket and watches it. */
    Connection add(UnixStream stream, Connection.State state) throws IOException {
        Connection connection = new Connection(this, stream, state);
        boolean watched = false;
        try {
            loop.register(stream.fd().raw(), CONNECTION_EVENTS, events -> hostReady(connection, events));
            watched = true;
        } finally {
            if (!watched) {
                stream.close();
            }
        }
        connection.place = count;
        all[count++] = connection;
        return connection;
    }

    private void hostReady(Connection connection, int events) {
        if (connection.stream() == null) {
            return;
        }
        if (connection.state == Connection.State.GREETING) {
            listener.greet(connection);
        } else if (connection.state == Connection.State.REQUESTED
                && (events & (Epoll.EPOLLHUP | Epoll.EPOLLERR)) != 0) {
            // It has gone before it was told that it is connected.
            abandon(connection);
        } else {
            connection.hostReady(events);
        }
        offer(connection);
        dropIfEnded(connection);
    }

    /** A program of the host wants a port of the guest's. */
    void request(Connection connection, int guestPort) {
        int hostPort;
        do {
            hostPort = nextHostPort;
            nextHostPort = hostPort == LAST_HOST_PORT ? FIRST_HOST_PORT : hostPort + 1;
        } while (table.find(hostPort, guestPort) != null);
        connection.request(hostPort, guestPort);
        table.add(connection);
        awaitEnd(connection);
        // What the program sends at once has come before, and epoll says it once.
        connection.hostReady(Epoll.EPOLLIN);
        offer(connection);
    }

    /** The guest has answered: the program of the host is told so. */
    boolean welcome(Connection connection) {
        return listener.welcome(connection);
    }

    /** The guest knows no more of a connection. */
    void guestEnded(Connection connection) {
        table.remove(connection);
        connection.state = Connection.State.ENDED;
        connection.deadlineNanos = 0;
        dropIfEnded(connection);
    }

    /** Gives up a connection that the guest does not know of. */
    void giveUp(Connection connection) {
        connection.closeStream();
        connection.state = Connection.State.ENDED;
        dropIfEnded(connection);
    }

    /** Ends a connection whatever it stands at; the guest is told if it knows of it. */
    private void abandon(Connection connection) {
        if (!connection.isUntold()) {
            connection.reset();
            offer(connection);
            return;
        }
        if (connection.isGuests()) {
            table.remove(connection);
        }
        giveUp(connection);
    }

    private void dropIfEnded(Connection connection) {
        int place = connection.place;
        if (connection.state == Connection.State.ENDED && connection.stream() == null && place >= 0) {
            count--;
            Connection last = Objects.requireNonNull(all[count]);
            all[place] = last;
            last.place = place;
            all[count] = null;
            connection.place = -1;
        }
    }

    void unwatch(UnixStream stream) {
        try {
            loop.unregister(stream.fd().raw());
        } catch (IOException e) {
            LOG.warn("{}: {}", name, e.getMessage());
        }
    }

    /** The host cannot do what a connection needs. */
    void failed(Connection connection, LinuxException cause) {
        LOG.warn("{}: a connection is reset ({}): {}", name, connection, cause.getMessage());
    }

    // ---- time ----

    /** Gives a connection up some time from now, unless it is over or open before. */
    void awaitEnd(Connection connection) {
        // 0 says never.
        connection.deadlineNanos = (System.nanoTime() + halfOpen.toNanos()) | 1;
        setTimer();
    }

    /** Looks at everybody's time once in a while. */
    void setTimer() {
        if (!timerSet) {
            timerSet = true;
            timer.after(halfOpen.toNanos() / 8);
        }
    }

    private void expire() {
        timerSet = false;
        long now = System.nanoTime();
        boolean more = listener.retry();
        for (int i = count - 1; i >= 0; i--) {
            Connection each = Objects.requireNonNull(all[i]);
            if (each.deadlineNanos == 0) {
                continue;
            }
            if (now - each.deadlineNanos < 0) {
                more = true;
                continue;
            }
            counters.timedOut.increment();
            abandon(each);
        }
        if (more) {
            setTimer();
        }
    }

    // ---- the end ----

    void close() {
        timer.cancel();
        listener.close();
        for (int i = 0; i < count; i++) {
            Objects.requireNonNull(all[i]).closeStream();
        }
        Arrays.fill(all, null);
        count = 0;
    }
}
