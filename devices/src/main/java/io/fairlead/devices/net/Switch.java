package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueRunner;
import io.fairlead.linux.LinuxException;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vdpa.loop.EventLoopGroup;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * An Ethernet switch between the devices of a process: learns where addresses are, sends frames there, and those to groups
 * or to unknown addresses to all ports but the one they came from. VLAN tags are passed on as they are. Frames to the
 * addresses that bridges keep for themselves (IEEE 802.1D, 7.12.6) are not passed on.
 *
 * <p>A frame is copied once from its sender's memory to the inbox of each receiver, on the sender's loop, without locks. A
 * receiver that does not keep up loses frames; nobody waits for it.
 *
 * <p>Ports come and go on control threads; everything else on event loops.
 */
final class Switch {
    static final int MAX_PORTS = 1024;

    /** 01:80:c2:00:00:00 to :0f. */
    private static final long RESERVED_GROUP = 0x0180_c200_0000L;

    private static final @Nullable SwitchPort[] EMPTY = {};

    private final String name;
    private final EventLoopGroup loops;
    private final MacTable table = new MacTable(MAX_PORTS);

    /** By index, null where one has gone; replaced as a whole. */
    private volatile @Nullable SwitchPort[] ports = EMPTY;

    private int portCount;

    /** @param loops of all devices at the switch */
    Switch(String name, EventLoopGroup loops) {
        this.name = name;
        this.loops = loops;
    }

    // ---- control ----

    /** Adds a device. */
    synchronized SwitchPort connect(int pairs, NetPort net) throws LinuxException {
        @Nullable SwitchPort[] now = ports;
        int index = 0;
        while (index < now.length && now[index] != null) {
            index++;
        }
        if (index == MAX_PORTS) {
            throw new IllegalArgumentException(
                    "switch: %s has %d ports, and all are in use".formatted(name, MAX_PORTS));
        }
        @Nullable SwitchPort[] next = new SwitchPort[Math.max(now.length, index + 1)];
        System.arraycopy(now, 0, next, 0, now.length);
        SwitchPort port = new SwitchPort(index, pairs, net);
        next[index] = port;
        ports = next;
        portCount++;
        return port;
    }

    /** Removes a device, none of whose queues runs, and waits until no loop works on a frame for it. On no event loop. */
    void disconnect(SwitchPort port) throws IOException {
        synchronized (this) {
            @Nullable SwitchPort[] next = ports.clone();
            next[port.index] = null;
            ports = next;
        }
        for (EventLoop loop : loops.loops()) {
            // A loop that has come to this task has ended whatever it did when the port was still to be seen.
            var _ = loop.call(() -> true);
        }
        table.forget(port.index);
        port.close();
        synchronized (this) {
            portCount--;
        }
    }

    synchronized int portCount() {
        return portCount;
    }

    // ---- event loops ----

    static int nowSeconds() {
        return (int) TimeUnit.NANOSECONDS.toSeconds(System.nanoTime());
    }

    /**
     * Passes a frame on.
     *
     * @param batch the sender's; it ends it
     */
    void forward(SwitchPort from, OutgoingFrame frame, SwitchBatch batch) {
        long source = frame.source();
        long destination = frame.destination();
        if (ReceiveFilter.isGroup(source)) {
            from.net.drops.malformed.increment();
            return;
        }
        if (source != batch.learned) {
            batch.learned = source;
            table.learn(source, from.index, batch.seconds());
        }
        if (ReceiveFilter.isGroup(destination)) {
            if ((destination & ~0xfL) == RESERVED_GROUP) {
                from.net.drops.filtered.increment();
            } else {
                flood(from, frame, batch);
            }
            return;
        }
        if (destination != batch.lookedUp) {
            batch.lookedUp = destination;
            batch.foundPort = table.lookUp(destination, batch.seconds());
        }
        int index = batch.foundPort;
        @Nullable SwitchPort[] now = ports;
        SwitchPort to = index >= 0 && index < now.length ? now[index] : null;
        if (to == null) {
            flood(from, frame, batch);
        } else if (to != from) {
            to.deliver(frame, batch);
        } else {
            from.net.drops.filtered.increment();
        }
    }

    private void flood(SwitchPort from, OutgoingFrame frame, SwitchBatch batch) {
        for (SwitchPort port : ports) {
            if (port != null && port != from) {
                port.deliver(frame, batch);
            }
        }
    }

    /** Which port an address is known at; -1 where at none. */
    int portOf(long mac) {
        return table.lookUp(mac, nowSeconds());
    }

    /** How many addresses of a port are known. */
    int learnedCount(SwitchPort port) {
        return table.count(port.index);
    }

    // ---- a device's view ----

    /** Connects a device as its back-end. */
    NetBackend backend(int pairs, NetPort net) throws LinuxException {
        return new Backend(connect(pairs, net));
    }

    private final class Backend implements NetBackend {
        private final SwitchPort port;

        Backend(SwitchPort port) {
            this.port = port;
        }

        @Override
        public Source source(int pair, QueueRunner runner) {
            return new PortSource(port, pair, port.start(pair, runner));
        }

        @Override
        public Sink sink(int pair) {
            return new PortSink(pair);
        }

        @Override
        public void pairsInUse(int count) {
            port.pairsInUse(count);
        }

        @Override
        public void announce(long mac) {
            try (OutgoingFrame frame = Announcement.of(mac)) {
                SwitchBatch batch = new SwitchBatch();
                forward(port, frame, batch);
                batch.end();
            }
        }

        @Override
        public void close() throws IOException {
            disconnect(port);
        }

        private final class PortSink implements Sink {
            private final int pair;
            private final SwitchBatch batch = new SwitchBatch();

            PortSink(int pair) {
                this.pair = pair;
            }

            @Override
            public void send(OutgoingFrame frame) {
                port.sends(frame, pair);
                forward(port, frame, batch);
            }

            @Override
            public void flush() {
                batch.end();
            }

            @Override
            public void close() {
                flush();
            }
        }
    }

    private record PortSource(SwitchPort port, int pair, FrameInbox inbox) implements NetBackend.Source {
        @Override
        public boolean next() {
            return inbox.next();
        }

        @Override
        public MemorySegment memory() {
            return inbox.memory();
        }

        @Override
        public long offset() {
            return inbox.offset();
        }

        @Override
        public int byteCount() {
            return inbox.byteCount();
        }

        @Override
        public void release() {
            inbox.release();
        }

        @Override
        public void close() {
            port.stop(pair);
        }
    }
}
