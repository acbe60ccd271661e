package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueRunner;
import io.fairlead.linux.Epoll;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Tap;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetHeader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device's frames go to and come from a TAP interface of the host, a queue of it for each pair. The interface is told what
 * the driver takes, so that the kernel computes and cuts only what it must.
 */
final class TapBackend implements NetBackend {
    private static final Logger LOG = LoggerFactory.getLogger(TapBackend.class);

    private static final int BUFFER_BYTES = NetHeader.BYTES + (1 << 16) + 64;
    private static final int IOVEC_BYTES = 16;

    /** Of pwritev2 and preadv2: where the descriptor stands, for those that have no places. */
    private static final long NO_PLACE = -1;

    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String name;
    private final NetPort port;
    private final List<Fd> queues = new ArrayList<>();
    private final boolean[] running;
    private final boolean[] attached;
    private int pairsInUse = -1;
    private int offloads = -1;

    private TapBackend(String name, int pairs, NetPort port) {
        this.name = name;
        this.port = port;
        running = new boolean[pairs];
        attached = new boolean[pairs];
    }

    /**
     * Opens the interface, which is made where it does not exist.
     *
     * @throws IOException where the host refuses; says what is needed
     */
    static TapBackend open(String name, int pairs, NetPort port) throws IOException {
        TapBackend backend = new TapBackend(name, pairs, port);
        try {
            for (int i = 0; i < pairs; i++) {
                backend.queues.add(Tap.open(name, pairs > 1));
                backend.attached[i] = true;
            }
            backend.choose();
            return backend;
        } catch (LinuxException e) {
            backend.close();
            String hint = switch (e.errno()) {
                case Errno.EPERM, Errno.EACCES -> ": that needs root, or an interface made for this user";
                case Errno.EBUSY -> ": another process has it";
                case Errno.EINVAL ->
                    ": it was made with another number of queues (multi_queue) than queues=%d, or is no TAP interface"
                            .formatted(pairs);
                case Errno.ENOENT -> ": the kernel has no tun module";
                default -> "";
            };
            throw new IOException("tap=%s: %s%s".formatted(name, e.getMessage(), hint), e);
        }
    }

    private synchronized void running(int pair, boolean value) {
        running[pair] = value;
        choose();
    }

    @Override
    public synchronized void pairsInUse(int count) {
        pairsInUse = count;
        choose();
    }

    /** The kernel gives frames to no queue whose driver does not look. */
    private void choose() {
        for (int i = 0; queues.size() > 1 && i < queues.size(); i++) {
            boolean wanted = running[i] && (pairsInUse < 0 || i < pairsInUse);
            if (wanted != attached[i]) {
                try {
                    Tap.attached(queues.get(i), wanted);
                    attached[i] = wanted;
                } catch (LinuxException e) {
                    LOG.warn("tap {}: {}", name, e.getMessage());
                }
            }
        }
    }

    @Override
    public synchronized void offloadsChanged() {
        long wanted = port.offloads;
        int flags = 0;
        if (Feature.has(wanted, NetConfig.F_GUEST_CSUM)) {
            flags = Tap.TUN_F_CSUM
                    | flag(wanted, NetConfig.F_GUEST_TSO4, Tap.TUN_F_TSO4)
                    | flag(wanted, NetConfig.F_GUEST_TSO6, Tap.TUN_F_TSO6)
                    | flag(wanted, NetConfig.F_GUEST_ECN, Tap.TUN_F_TSO_ECN);
        }
        int more = flags
                | (flags != 0 && Feature.has(wanted, NetConfig.F_GUEST_USO4 | NetConfig.F_GUEST_USO6)
                        ? Tap.TUN_F_USO4 | Tap.TUN_F_USO6
                        : 0);
        if (more == offloads) {
            return;
        }
        try {
            try {
                Tap.offloads(queues.getFirst(), more);
            } catch (LinuxException e) {
                if (more == flags) {
                    throw e;
                }
                // USO came with Linux 6.2.
                Tap.offloads(queues.getFirst(), flags);
            }
            offloads = more;
        } catch (LinuxException e) {
            LOG.warn("tap {}: {}", name, e.getMessage());
        }
    }

    private static int flag(long features, long feature, int flag) {
        return Feature.has(features, feature) ? flag : 0;
    }

    @Override
    public Source source(int pair, QueueRunner runner) {
        TapSource source = new TapSource(pair, runner);
        running(pair, true);
        return source;
    }

    @Override
    public Sink sink(int pair) {
        return new TapSink(queues.get(pair));
    }

    @Override
    public void announce(long mac) {
        try (OutgoingFrame frame = Announcement.of(mac);
                TapSink sink = new TapSink(queues.getFirst())) {
            sink.send(frame);
        }
    }

    @Override
    public void close() {
        queues.forEach(Fd::close);
    }

    /** One buffer of native memory and an iovec for it. */
    private static final class Buffer implements AutoCloseable {
        private final Arena arena = Arena.ofConfined();
        private final MemorySegment iovec = arena.allocate(IOVEC_BYTES, Long.BYTES);
        private final MemorySegment bytes = arena.allocate(BUFFER_BYTES, Long.BYTES);

        long read(int fd) {
            aim(BUFFER_BYTES);
            return FileIo.preadv2(fd, iovec.address(), 1, NO_PLACE, 0);
        }

        long write(int fd, int byteCount) {
            aim(byteCount);
            return FileIo.pwritev2(fd, iovec.address(), 1, NO_PLACE, 0);
        }

        private void aim(int byteCount) {
            iovec.set(ValueLayout.JAVA_LONG, 0, bytes.address());
            iovec.set(ValueLayout.JAVA_LONG, Long.BYTES, byteCount);
        }

        @Override
        public void close() {
            arena.close();
        }
    }

    private final class TapSink implements Sink {
        private final Fd queue;
        private final Buffer buffer = new Buffer();

        TapSink(Fd queue) {
            this.queue = queue;
        }

        @Override
        public void send(OutgoingFrame frame) {
            frame.copyTo(buffer.bytes, 0);
            long result = buffer.write(queue.raw(), frame.byteCount());
            if (result == -Errno.EAGAIN || result == -Errno.ENOBUFS || result == -Errno.ENOMEM) {
                port.drops.noRoom.increment();
            } else if (result == -Errno.EINVAL) {
                port.drops.malformed.increment();
            } else if (result < 0) {
                // The interface is down.
                port.drops.linkDown.increment();
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {
            buffer.close();
        }
    }

    private final class TapSource implements Source {
        private final int pair;
        private final QueueRunner runner;
        private final Fd queue;
        private final Buffer buffer = new Buffer();
        private final PacketLayout layout = new PacketLayout();
        private int byteCount;

        /** The descriptor said that it has frames, and did not say since that it has none. */
        private boolean readable = true;

        TapSource(int pair, QueueRunner runner) {
            this.pair = pair;
            this.runner = runner;
            queue = queues.get(pair);
            try {
                // By edges: a driver without buffers must not keep the loop awake.
                runner.loop().register(queue.raw(), Epoll.EPOLLIN | Epoll.EPOLLET, _ -> ready());
            } catch (IOException e) {
                throw new IllegalStateException("tap=" + name, e);
            }
        }

        private void ready() {
            readable = true;
            runner.wake();
        }

        @Override
        public boolean next() {
            while (byteCount == 0) {
                if (!readable) {
                    return false;
                }
                long result = buffer.read(queue.raw());
                if (result < NetHeader.BYTES + PacketLayout.ETHERNET_BYTES) {
                    readable = false;
                    return false;
                }
                if (accepts((int) result)) {
                    byteCount = (int) result;
                }
            }
            return true;
        }

        private boolean accepts(int bytes) {
            MemorySegment from = buffer.bytes;
            long destination = PacketLayout.readMac(from, NetHeader.BYTES);
            layout.parse(from, NetHeader.BYTES, bytes - NetHeader.BYTES);
            int gsoType = from.get(ValueLayout.JAVA_BYTE, NetHeader.GSO_TYPE_OFFSET);
            int frameRoom = port.mtuBytes + PacketLayout.ETHERNET_BYTES + layout.vlanTags * PacketLayout.VLAN_BYTES;
            ReceiveFilter filter = port.filter;
            if (!port.linkUp) {
                port.drops.linkDown.increment();
            } else if (gsoType == NetHeader.GSO_NONE && bytes - NetHeader.BYTES > frameRoom) {
                port.drops.tooLong.increment();
            } else if (!filter.accepts(destination, layout.vlanId)) {
                port.drops.filtered.increment();
            } else if (isMalformed(from, bytes)) {
                port.drops.malformed.increment();
            } else {
                return true;
            }
            return false;
        }

        /** The kernel is trusted with the host and not with the guest; besides, the header is made one of ours. */
        private static boolean isMalformed(MemorySegment from, int bytes) {
            int flags = from.get(ValueLayout.JAVA_BYTE, NetHeader.FLAGS_OFFSET) & NetHeader.F_NEEDS_CSUM;
            from.set(ValueLayout.JAVA_BYTE, NetHeader.FLAGS_OFFSET, (byte) flags);
            int end = (from.get(LE_SHORT, NetHeader.CSUM_START_OFFSET) & 0xffff)
                    + (from.get(LE_SHORT, NetHeader.CSUM_OFFSET_OFFSET) & 0xffff)
                    + Short.BYTES;
            int gsoType = from.get(ValueLayout.JAVA_BYTE, NetHeader.GSO_TYPE_OFFSET) & 0xff;
            return (flags != 0 && end > bytes - NetHeader.BYTES)
                    || (gsoType != NetHeader.GSO_NONE && Segments.hostFeature(gsoType) == 0);
        }

        @Override
        public MemorySegment memory() {
            return buffer.bytes;
        }

        @Override
        public long offset() {
            return 0;
        }

        @Override
        public int byteCount() {
            return byteCount;
        }

        @Override
        public void release() {
            byteCount = 0;
        }

        @Override
        public void close() {
            running(pair, false);
            try {
                runner.loop().unregister(queue.raw());
            } catch (IOException e) {
                LOG.warn("tap {}: {}", name, e.getMessage());
            }
            buffer.close();
        }
    }
}
