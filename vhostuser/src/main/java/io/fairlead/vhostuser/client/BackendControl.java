package io.fairlead.vhostuser.client;

import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a device is to be, as driver and front-end settled it, and the daemon that is to do it: tells the daemon as much as
 * it needs to know at each moment, and all of it again where it comes back.
 *
 * <p>A daemon that goes takes the requests that it had under way with it. Where it recorded them in memory of ours, or had
 * none, the next one goes on and the driver notices a pause; else the device sets NEEDS_RESET, since a request given to a
 * device twice is as bad as one that is lost.
 *
 * <p>Everything under this object's lock but what says that it needs none.
 */
final class BackendControl {
    private static final Logger LOG = LoggerFactory.getLogger(BackendControl.class);

    final String name;
    final VhostUserBackendSettings settings;
    final List<BackendQueue> queues;
    final AtomicInteger status = new AtomicInteger();
    final AtomicInteger generation = new AtomicInteger();
    volatile @Nullable DeviceListener listener;
    volatile long driverFeatures;
    volatile BackendOffer offer;
    byte[] config;

    @Nullable
    SharedDirtyLog log;

    boolean suspended;
    boolean closed;

    private final EventLoop loop;
    private final Reconnector reconnector;
    private @Nullable BackendLink link;
    private MemoryTable table = new MemoryTable(List.of());
    private @Nullable BackendInflight inflight;

    BackendControl(String name, VhostUserBackendSettings settings, EventLoop loop) throws IOException {
        this.name = name;
        this.settings = settings;
        this.loop = loop;
        reconnector = new Reconnector(this);
        BackendLink first = reconnector.connect();
        offer = first.offer();
        config = offer.config();
        int queueCount = settings.queueCount() == 0 ? offer.queueCount() : settings.queueCount();
        if (queueCount > offer.queueCount()) {
            first.close();
            throw new IllegalArgumentException(
                    "queues: %s has %d queues, not %d".formatted(peer(), offer.queueCount(), queueCount));
        }
        queues = IntStream.range(0, queueCount)
                .mapToObj(index -> new BackendQueue(index, settings.maxQueueSize()))
                .toList();
        try {
            take(first);
        } catch (IOException | RuntimeException e) {
            first.close();
            throw e;
        }
    }

    /** The device and its daemon, for messages. */
    String peer() {
        return "%s (daemon at %s)".formatted(name, settings.socket());
    }

    boolean packed() {
        return Feature.has(driverFeatures, Feature.RING_PACKED);
    }

    private boolean needsReset() {
        return DeviceStatus.has(status.get(), DeviceStatus.DEVICE_NEEDS_RESET);
    }

    /** Sets NEEDS_RESET and tells the listener; the first cause counts. Needs no lock. */
    void needsReset(String reason) {
        int before = status.getAndUpdate(bits -> bits | DeviceStatus.DEVICE_NEEDS_RESET);
        if (!DeviceStatus.has(before, DeviceStatus.DEVICE_NEEDS_RESET)) {
            LOG.error("{}: stopped until the driver resets it: {}", peer(), reason);
            DeviceListener told = listener;
            if (told != null) {
                told.needsReset(reason);
            }
        }
    }

    /** Needs no lock. */
    void configChanged() {
        generation.incrementAndGet();
        DeviceListener told = listener;
        if (told != null) {
            told.configChanged();
        }
    }

    // ---- the daemon comes and goes ----

    synchronized boolean isConnected() {
        return link != null;
    }

    /** Whether nobody has to look for the daemon any more. */
    synchronized boolean isSettled() {
        return closed || link != null;
    }

    /**
     * A daemon is there again: tells it everything.
     *
     * @throws IOException where it is not the same device; the caller closes the link
     */
    synchronized void take(BackendLink next) throws IOException {
        if (closed) {
            throw new IOException(name + " is closed");
        }
        BackendOffer offered = next.offer();
        if (offered.queueCount() < queues.size() || offered.config().length != config.length) {
            throw new IOException(
                    "%s came back as another: %d queues and %d bytes of configuration space, not %d and %d"
                            .formatted(
                                    peer(),
                                    offered.queueCount(),
                                    offered.config().length,
                                    queues.size(),
                                    config.length));
        }
        next.watch(loop, queues.size(), new BackendWatch.Events() {
            @Override
            public void lost(String reason) {
                reconnector.later(() -> lose(next, reason));
            }

            @Override
            public void configChanged() {
                BackendControl.this.configChanged();
            }

            @Override
            public void ringError() {
                needsReset("the daemon says that a ring is in error");
            }
        });
        link = next;
        offer = offered;
        if (!Arrays.equals(config, offered.config())) {
            config = offered.config();
            configChanged();
        }
        if ((driverFeatures & ~offered.driverFeatures()) != 0) {
            needsReset("the daemon came back without features 0x%x, which the driver uses"
                    .formatted(driverFeatures & ~offered.driverFeatures()));
        }
        try {
            startReady();
        } catch (IOException e) {
            needsReset(String.valueOf(e.getMessage()));
        }
    }

    /** The daemon is of no more use. */
    synchronized void lose(BackendLink lost, String reason) {
        if (link != lost) {
            return;
        }
        LOG.warn("{}: lost: {}", peer(), reason);
        link = null;
        lost.close();
        if (log != null) {
            // What it wrote last it may not have marked.
            for (MemoryRegion region : table.regions()) {
                log.mark(region.guestAddress(), region.byteCount());
            }
        }
        for (BackendQueue queue : queues) {
            if (queue.running) {
                queue.running = false;
                abandon(queue, reason);
            }
        }
        reconnector.start();
    }

    /** Finds out where a queue stands whose daemon went. */
    private void abandon(BackendQueue queue, String reason) {
        int outstanding = packed() ? -1 : outstanding(queue);
        if (inflight != null) {
            queue.resumes = true;
        } else if (outstanding != 0) {
            needsReset(
                    "%s; queue %d had requests under way, of which it kept no record".formatted(reason, queue.index()));
        }
    }

    /** How many requests are offered and not answered, and where the queue stands then; -1 where that cannot be known. */
    private int outstanding(BackendQueue queue) {
        try {
            RingIndices indices = RingIndices.of(queue, driverFeatures, table.memory());
            int outstanding = indices.outstanding();
            int used = indices.used();
            queue.state(new QueueState.Split(used, used));
            return outstanding;
        } catch (GuestFaultException | InternalError e) {
            LOG.warn("{}: queue {}: {}", peer(), queue.index(), e.getMessage());
            return -1;
        }
    }

    /** A step that speaks to the daemon; one that was lost with it is made up for when it is back. */
    interface Step {
        void on(BackendLink link) throws IOException;
    }

    /** Does a step where the daemon is there. */
    void tell(Step step) throws IOException {
        BackendLink current = link;
        if (current != null) {
            try {
                step.on(current);
            } catch (BackendLostException e) {
                lose(current, String.valueOf(e.getMessage()));
            }
        }
    }

    // ---- queues ----

    boolean anyRunning() {
        return queues.stream().anyMatch(queue -> queue.running);
    }

    private void startReady() throws IOException {
        for (BackendQueue queue : queues) {
            if (queue.ready() && !queue.running) {
                start(queue);
            }
        }
    }

    /** Has the daemon serve a queue, now or when it is back. */
    void start(BackendQueue queue) throws IOException {
        if (suspended || needsReset()) {
            return;
        }
        try {
            RingIndices.check(queue, driverFeatures, table.memory());
        } catch (GuestFaultException e) {
            needsReset("queue %d: %s".formatted(queue.index(), e.getMessage()));
            return;
        }
        tell(current -> {
            if (queue.resumes && !current.offer().has(ProtocolFeature.INFLIGHT_SHMFD)) {
                needsReset("the daemon came back without INFLIGHT_SHMFD, with requests under way");
                return;
            }
            current.log(log);
            current.features(driverFeatures, log != null);
            current.memory().replace(table);
            record(current, queue);
            current.start(queue, packed(), log != null);
            queue.running = true;
            queue.resumes = false;
        });
    }

    /** Sees to the memory in which the daemon records requests in flight, where it can. */
    private void record(BackendLink current, BackendQueue queue) throws IOException {
        if (!current.offer().has(ProtocolFeature.INFLIGHT_SHMFD)) {
            return;
        }
        boolean resumes = queues.stream().anyMatch(each -> each.resumes);
        if (inflight == null || (inflight.queueSize() != queue.size() && !resumes && !anyRunning())) {
            closeInflight();
            inflight = BackendInflight.ask(current.connection(), queues.size(), queue.size());
        }
        if (queue.size() > inflight.queueSize()) {
            throw new IOException("%s: queue %d has %d entries, the queues started before it only %d"
                    .formatted(peer(), queue.index(), queue.size(), inflight.queueSize()));
        }
        if (!queue.resumes) {
            inflight.forget(queue.index());
        }
        if (!anyRunning()) {
            current.inflight(inflight);
        }
    }

    private void closeInflight() throws IOException {
        if (inflight != null) {
            inflight.close();
            inflight = null;
        }
    }

    /** Stops a queue when nothing of it is under way. */
    void stop(BackendQueue queue) throws IOException {
        if (queue.running) {
            try {
                RingIndices indices = packed() ? null : RingIndices.of(queue, driverFeatures, table.memory());
                tell(current -> {
                    queue.state(current.stop(queue, indices));
                    queue.running = false;
                });
            } catch (GuestFaultException | InternalError e) {
                // Its rings lie in memory that was cut short, or is gone.
                needsReset("queue %d: %s".formatted(queue.index(), e.getMessage()));
                BackendLink current = link;
                if (current != null) {
                    lose(current, "its rings cannot be read any more");
                }
            }
        }
        if (queue.resumes) {
            queue.resumes = false;
            if (packed() || outstanding(queue) != 0) {
                needsReset("queue %d was stopped while its daemon is away with requests under way"
                        .formatted(queue.index()));
            }
        }
    }

    /** Stops all that runs; where one cannot be stopped, those before it go on. */
    void stopAll() throws IOException {
        try {
            for (BackendQueue queue : queues) {
                stop(queue);
            }
        } catch (IOException e) {
            startReady();
            throw e;
        }
    }

    void resume() throws IOException {
        suspended = false;
        startReady();
    }

    // ---- memory and log ----

    void memory(MemoryTable next) throws IOException {
        if (log != null) {
            requireRoom(log, next);
        }
        next.memory().retain();
        MemoryTable old = table;
        try {
            tell(current -> {
                if (!anyRunning()) {
                    table = next;
                    // More of it is told when a queue starts.
                    current.memory().remove(next);
                } else if (current.memory().loses(next)) {
                    // Nobody in the field takes memory from requests under way without harm.
                    stopAll();
                    table = next;
                    current.memory().remove(next);
                    startReady();
                } else {
                    table = next;
                    current.memory().replace(next);
                }
            });
            table = next;
        } finally {
            GuestMemory unused = table == next ? old.memory() : next.memory();
            unused.release();
        }
    }

    /** Tells the daemon to log, all that runs included, or not to. */
    void dirtyLog(@Nullable SharedDirtyLog next) throws IOException {
        if (next != null) {
            requireRoom(next, table);
        }
        log = next;
        if (!anyRunning()) {
            return;
        }
        try {
            tell(current -> {
                current.log(next);
                current.features(driverFeatures, next != null);
                for (BackendQueue queue : queues) {
                    if (queue.running) {
                        current.address(queue, next != null);
                    }
                }
            });
        } catch (IOException e) {
            log = null;
            throw e;
        }
    }

    /** A daemon that finds no room for a page may end itself. */
    private void requireRoom(SharedDirtyLog log, MemoryTable memory) throws IOException {
        long room = (log.byteCount() * Byte.SIZE) << SharedDirtyLog.PAGE_SHIFT;
        for (MemoryRegion region : memory.regions()) {
            if (region.guestAddress() + region.byteCount() > room) {
                throw new IOException("%s: the dirty log has room for addresses below 0x%x, %s lies above"
                        .formatted(peer(), room, region));
            }
        }
    }

    // ---- reset and end ----

    void reset() throws IOException {
        BackendLink before = link;
        if (before != null) {
            try {
                for (BackendQueue queue : queues) {
                    stop(queue);
                }
                if (link == before) {
                    before.reset();
                }
            } catch (IOException e) {
                queues.forEach(queue -> queue.running = false);
                lose(before, String.valueOf(e.getMessage()));
            }
        }
        queues.forEach(queue -> queue.reset(settings.maxQueueSize()));
        driverFeatures = 0;
        log = null;
        suspended = false;
        status.set(0);
    }

    /** Not under the lock: whoever looks for the daemon takes it. */
    void close() throws IOException {
        synchronized (this) {
            if (closed) {
                return;
            }
            reset();
            closed = true;
        }
        reconnector.close();
        synchronized (this) {
            if (link != null) {
                link.close();
                link = null;
            }
            queues.forEach(BackendQueue::closeDescriptors);
            closeInflight();
            table.memory().release();
        }
    }
}
