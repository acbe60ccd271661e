package io.fairlead.vhostuser.client;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.UnixSocket;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens to what a daemon says unasked, on an event loop: that it goes, that its configuration changed, that a ring is in
 * error. Costs nothing while it says nothing; kicks and calls of the rings do not come by here.
 */
final class BackendWatch implements AutoCloseable {
    /** Told on the loop's thread; must not wait for anybody who may wait for the loop. */
    interface Events {
        /** The daemon is gone, or broke the protocol. */
        void lost(String reason);

        void configChanged();

        void ringError();
    }

    private static final Logger LOG = LoggerFactory.getLogger(BackendWatch.class);
    private static final int CONFIG_CHANGE = 2;

    /** What is there is read without waiting; this holds where the kernel says ready in vain. */
    private static final int RECEIVE_TIMEOUT_MILLIS = 1;

    private final EventLoop loop;
    private final Events events;
    private final EventFd error;
    private final @Nullable UnixSocket channel;
    private final Set<Integer> registered = new HashSet<>();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment message = arena.allocate(Connection.HEADER_BYTES + Payload.MAX_BYTES, 8);
    private int filled;

    private BackendWatch(EventLoop loop, Events events, EventFd error, @Nullable UnixSocket channel) {
        this.loop = loop;
        this.events = events;
        this.error = error;
        this.channel = channel;
    }

    static BackendWatch open(EventLoop loop, BackendLink link, int queueCount, Events events) throws IOException {
        EventFd error = EventFd.create("ring errors");
        UnixSocket ours = null;
        BackendWatch watch = null;
        try {
            if (link.offer().has(ProtocolFeature.BACKEND_REQ)) {
                List<UnixSocket> pair = UnixSocket.socketPair("back-end channel");
                ours = pair.getFirst();
                ours.receiveTimeout(RECEIVE_TIMEOUT_MILLIS);
                ours.sendTimeout(RECEIVE_TIMEOUT_MILLIS);
                // Closed as a descriptor: a shutdown would end the channel for the daemon, too.
                try (Fd theirs = pair.getLast().fd()) {
                    link.channel(theirs);
                }
            }
            for (int queue = 0; queue < queueCount; queue++) {
                link.error(queue, error);
            }
            watch = new BackendWatch(loop, events, error, ours);
            BackendWatch registering = watch;
            int connection = link.connection().raw();
            loop.call(() -> {
                registering.register(connection);
                return true;
            });
            return watch;
        } catch (IOException | RuntimeException e) {
            if (watch != null) {
                watch.close();
            } else {
                error.close();
                if (ours != null) {
                    ours.close();
                }
            }
            throw e;
        }
    }

    private void register(int connection) throws IOException {
        // Answers come here, too, and are no news: only the end is.
        add(connection, Epoll.EPOLLRDHUP, bits -> {
            remove(connection);
            events.lost("the daemon closed the connection");
        });
        add(error.raw(), Epoll.EPOLLIN, bits -> {
            error.drain();
            events.ringError();
        });
        UnixSocket socket = channel;
        if (socket != null) {
            add(socket.fd().raw(), Epoll.EPOLLIN, bits -> receive(socket));
        }
    }

    private void add(int fd, int bits, EventLoop.Handler handler) throws IOException {
        loop.register(fd, bits, handler);
        registered.add(fd);
    }

    private void remove(int fd) {
        if (registered.remove(fd)) {
            try {
                loop.unregister(fd);
            } catch (IOException e) {
                LOG.warn("descriptor {} is watched still: {}", fd, e.getMessage());
            }
        }
    }

    /** One piece of a message; what was left in the socket comes with the next round. */
    private void receive(UnixSocket socket) {
        List<Fd> descriptors = new ArrayList<>();
        try {
            int wanted = filled < Connection.HEADER_BYTES
                    ? Connection.HEADER_BYTES - filled
                    : Connection.HEADER_BYTES + announced() - filled;
            int count = socket.receive(message, filled, wanted, descriptors);
            if (count == 0) {
                remove(socket.fd().raw());
                return;
            }
            filled += count;
            if (!descriptors.isEmpty()) {
                refuse(socket, "descriptors came on the back-end channel");
            } else if (filled >= Connection.HEADER_BYTES) {
                understand(socket);
            }
        } catch (IOException e) {
            refuse(socket, "the back-end channel failed: " + e.getMessage());
        } finally {
            descriptors.forEach(Fd::close);
        }
    }

    private int announced() {
        return message.get(ValueLayout.JAVA_INT, 8);
    }

    private void understand(UnixSocket socket) throws IOException {
        int request = message.get(ValueLayout.JAVA_INT, 0);
        int flags = message.get(ValueLayout.JAVA_INT, 4);
        if ((flags & ~Connection.FLAG_NEED_REPLY) != Connection.VERSION
                || announced() < 0
                || announced() > Payload.MAX_BYTES) {
            refuse(
                    socket,
                    "message with flags 0x%x and %s bytes on the back-end channel"
                            .formatted(flags, Integer.toUnsignedString(announced())));
        } else if (filled == Connection.HEADER_BYTES + announced()) {
            filled = 0;
            if (request != CONFIG_CHANGE) {
                refuse(
                        socket,
                        "message %s on the back-end channel was not offered"
                                .formatted(Integer.toUnsignedString(request)));
                return;
            }
            if ((flags & Connection.FLAG_NEED_REPLY) != 0) {
                acknowledge(socket, request);
            }
            events.configChanged();
        }
    }

    private void acknowledge(UnixSocket socket, int request) throws IOException {
        message.set(ValueLayout.JAVA_INT, 0, request);
        message.set(ValueLayout.JAVA_INT, 4, Connection.VERSION | Connection.FLAG_REPLY);
        message.set(ValueLayout.JAVA_INT, 8, Long.BYTES);
        message.set(ValueLayout.JAVA_LONG_UNALIGNED, Connection.HEADER_BYTES, 0);
        socket.sendAll(message, 0, Connection.HEADER_BYTES + Long.BYTES, List.of());
    }

    private void refuse(UnixSocket socket, String reason) {
        remove(socket.fd().raw());
        events.lost("the daemon broke the protocol: " + reason);
    }

    /** Not on the loop's thread. */
    @Override
    public void close() {
        try {
            loop.call(() -> {
                List.copyOf(registered).forEach(this::remove);
                return true;
            });
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        if (channel != null) {
            channel.close();
        }
        error.close();
        arena.close();
    }
}
