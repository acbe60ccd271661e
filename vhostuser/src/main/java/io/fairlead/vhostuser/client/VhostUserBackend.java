package io.fairlead.vhostuser.client;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A device that another daemon serves behind a vhost-user socket (QEMU's docs/interop/vhost-user.rst), such as a disk of
 * qemu-storage-daemon. Guest memory and kick and call descriptors are handed through: outside of control calls no thread
 * of ours runs for it. Its {@link #statistics} therefore stay at zero.
 *
 * <p>A daemon that goes is looked for and told everything again when it is back. Requests that were under way are taken
 * up again where the daemon kept a record of them (INFLIGHT_SHMFD); where it kept none and there were some, the device
 * sets NEEDS_RESET.
 *
 * <p>It can be stopped (every daemon can) and then tells where its queues stand. It logs dirty pages where the daemon does.
 * It does not freeze: a stop waits for what is under way, also at daemons that themselves do not.
 *
 * <p>Every wait for the daemon has an end ({@link VhostUserBackendSettings#answerTimeout}, {@link
 * VhostUserBackendSettings#drainTimeout}). What it answers is checked; one that breaks the protocol is left, and tried
 * again later.
 */
public final class VhostUserBackend implements VdpaDevice {
    private final BackendControl control;
    private final DeviceStatistics statistics;

    private VhostUserBackend(BackendControl control) {
        this.control = control;
        statistics = DeviceStatistics.ofQueues(control.queues.size());
    }

    /**
     * Connects to a daemon.
     *
     * @param loop watches the daemon, which costs nothing while it says nothing; ended by its owner after the device
     * @throws IOException where the daemon is not there, or is no such device
     * @throws IllegalArgumentException where it has fewer queues than wanted
     */
    public static VhostUserBackend connect(String name, VhostUserBackendSettings settings, EventLoop loop)
            throws IOException {
        return new VhostUserBackend(new BackendControl(name, settings, loop));
    }

    /** Whether the daemon is there now. Waits for a control call under way. */
    public boolean isConnected() {
        return control.isConnected();
    }

    // ---- identity ----

    @Override
    public String name() {
        return control.name;
    }

    @Override
    public int deviceId() {
        return control.settings.deviceId();
    }

    @Override
    public Set<Capability> capabilities() {
        EnumSet<Capability> capabilities = EnumSet.of(
                Capability.SUSPEND,
                Capability.RESUME,
                Capability.QUEUE_STOP,
                Capability.QUEUE_STATE,
                Capability.STREAM_STATE);
        if (logs()) {
            capabilities.add(Capability.DIRTY_LOG);
        }
        return capabilities;
    }

    private boolean logs() {
        return control.settings.dirtyLog() && control.offer.logs();
    }

    @Override
    public Map<String, String> identity() {
        return control.settings.identity();
    }

    /** At zero: the daemon serves the requests, and marks what it writes. */
    @Override
    public DeviceStatistics statistics() {
        return statistics.withCountedMarks(!logs());
    }

    @Override
    public void listener(@Nullable DeviceListener listener) {
        control.listener = listener;
    }

    // ---- features and status ----

    @Override
    public long deviceFeatures() {
        return control.offer.driverFeatures();
    }

    @Override
    public long driverFeatures() {
        return control.driverFeatures;
    }

    @Override
    public void driverFeatures(long features) {
        synchronized (control) {
            requireOpen();
            long surplus = features & ~deviceFeatures();
            if (surplus != 0) {
                throw new IllegalArgumentException("%s does not offer feature bits 0x%x; it offers 0x%x"
                        .formatted(name(), surplus, deviceFeatures()));
            }
            if (features != control.driverFeatures) {
                control.queues.forEach(queue -> requireNotReady(queue.index));
                control.driverFeatures = features;
            }
        }
    }

    @Override
    public int status() {
        return control.status.get();
    }

    @Override
    public void status(int value) throws IOException {
        synchronized (control) {
            requireOpen();
            if (value == 0) {
                control.reset();
                return;
            }
            int written = value & ~DeviceStatus.DEVICE_NEEDS_RESET;
            // A daemon that offers it may serve no driver without it.
            if ((deviceFeatures() & ~control.driverFeatures & Feature.VERSION_1) != 0) {
                written &= ~DeviceStatus.FEATURES_OK;
            }
            int accepted = written;
            control.status.updateAndGet(before -> accepted | (before & DeviceStatus.DEVICE_NEEDS_RESET));
        }
    }

    @Override
    public void reset() throws IOException {
        synchronized (control) {
            requireOpen();
            control.reset();
        }
    }

    // ---- configuration space ----

    @Override
    public int configByteCount() {
        synchronized (control) {
            return control.config.length;
        }
    }

    /** Asks the daemon; while it is away, what it said last holds. */
    @Override
    public void readConfig(int offset, MemorySegment target) throws IOException {
        synchronized (control) {
            requireOpen();
            Objects.checkFromIndexSize(offset, target.byteSize(), control.config.length);
            if (control.config.length > 0) {
                control.tell(link -> control.config = link.config());
            }
            MemorySegment.copy(MemorySegment.ofArray(control.config), offset, target, 0, target.byteSize());
        }
    }

    @Override
    public void writeConfig(int offset, MemorySegment source) throws IOException {
        synchronized (control) {
            requireOpen();
            Objects.checkFromIndexSize(offset, source.byteSize(), control.config.length);
            for (WritableConfig.Range range :
                    WritableConfig.ranges(deviceId(), control.driverFeatures, control.config.length)) {
                int start = Math.max(offset, range.start());
                int end = (int) Math.min(offset + source.byteSize(), range.end());
                if (start < end) {
                    control.tell(link -> link.writeConfig(start, source.asSlice(start - offset, end - start)));
                }
            }
        }
    }

    @Override
    public int configGeneration() {
        return control.generation.get();
    }

    // ---- memory ----

    @Override
    public void memory(MemoryTable table) throws IOException {
        synchronized (control) {
            requireOpen();
            control.memory(table);
        }
    }

    @Override
    public void dirtyLog(@Nullable SharedDirtyLog log) throws IOException {
        synchronized (control) {
            requireOpen();
            if (log != null && !logs()) {
                throw new UnsupportedOperationException(control.peer() + " does not log the pages that it writes");
            }
            control.dirtyLog(log);
        }
    }

    // ---- queues ----

    @Override
    public int queueCount() {
        return control.queues.size();
    }

    @Override
    public int maxQueueSize(int queue) {
        control.queues.get(Objects.checkIndex(queue, control.queues.size()));
        return control.settings.maxQueueSize();
    }

    @Override
    public void queueSize(int queue, int size) {
        synchronized (control) {
            if (size < 1 || size > control.settings.maxQueueSize()) {
                throw new IllegalArgumentException(
                        "%s: queue size %d is not in 1..%d".formatted(name(), size, control.settings.maxQueueSize()));
            }
            requireNotReady(queue).size = size;
        }
    }

    @Override
    public void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        synchronized (control) {
            BackendQueue settled = requireNotReady(queue);
            settled.descriptorAddress = descriptorAddress;
            settled.driverAddress = driverAddress;
            settled.deviceAddress = deviceAddress;
        }
    }

    @Override
    public QueueSetup queueSetup(int queue) {
        synchronized (control) {
            return queue(queue).setup();
        }
    }

    @Override
    public void queueState(int queue, QueueState state) {
        synchronized (control) {
            requireNotReady(queue).state = state;
        }
    }

    @Override
    public QueueState queueState(int queue) {
        synchronized (control) {
            BackendQueue settled = queue(queue);
            if (settled.ready && !control.suspended) {
                throw new IllegalStateException("%s: queue %d is running".formatted(name(), queue));
            }
            return settled.stateFor(control.packed());
        }
    }

    @Override
    public void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        synchronized (control) {
            BackendQueue settled = queue(queue);
            EventFd old = settled.kick;
            settled.kick = kick;
            try {
                if (settled.running) {
                    control.tell(link -> link.kick(queue, kick));
                }
            } finally {
                close(old);
            }
        }
    }

    @Override
    public void queueCall(int queue, @Nullable EventFd call) throws IOException {
        synchronized (control) {
            BackendQueue settled = queue(queue);
            EventFd old = settled.call;
            settled.call = call;
            try {
                if (settled.running) {
                    control.tell(link -> link.call(settled));
                }
            } finally {
                close(old);
            }
        }
    }

    private static void close(@Nullable EventFd old) {
        if (old != null) {
            old.close();
        }
    }

    /**
     * Without effect: a segment cannot be handed to another process, so {@link Capability#INFLIGHT} is not offered. A
     * daemon that records requests in flight does it in memory that this object keeps.
     */
    @Override
    public void queueInflight(int queue, @Nullable MemorySegment region) {
        synchronized (control) {
            requireNotReady(queue);
        }
    }

    @Override
    public boolean queueReady(int queue) {
        synchronized (control) {
            return control.queues.get(queue).ready;
        }
    }

    @Override
    public void queueReady(int queue, boolean ready) throws IOException {
        synchronized (control) {
            BackendQueue settled = queue(queue);
            if (settled.ready == ready) {
                return;
            }
            if (ready) {
                start(settled);
            } else {
                control.stop(settled);
                settled.ready = false;
            }
        }
    }

    private void start(BackendQueue queue) throws IOException {
        boolean packed = control.packed();
        if (queue.stateFor(packed) instanceof QueueState.Packed != packed) {
            throw new IllegalStateException("%s: queue %d has a state that does not fit the negotiated ring layout"
                    .formatted(name(), queue.index));
        }
        if (!RingLayout.isValidSize(queue.size, packed)) {
            throw new IllegalStateException(
                    "%s: queue %d cannot have %d entries".formatted(name(), queue.index, queue.size));
        }
        queue.ready = true;
        try {
            control.start(queue);
        } catch (IOException | RuntimeException e) {
            queue.ready = false;
            throw e;
        }
    }

    @Override
    public void suspend() throws IOException {
        synchronized (control) {
            requireOpen();
            if (!control.suspended) {
                control.stopAll();
                control.suspended = true;
            }
        }
    }

    @Override
    public void resume() throws IOException {
        synchronized (control) {
            requireOpen();
            if (control.suspended) {
                control.resume();
            }
        }
    }

    // ---- migration ----

    @Override
    public void stopMode(StopMode mode) {
        synchronized (control) {
            requireOpen();
            if (mode != StopMode.DRAIN) {
                throw new UnsupportedOperationException(name() + " cannot freeze");
            }
        }
    }

    @Override
    public CompletionStage<Void> settled() {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public InflightRequests inflightRequests(int queue) {
        synchronized (control) {
            requireNotReady(queue);
            return InflightRequests.none();
        }
    }

    @Override
    public void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        synchronized (control) {
            requireNotReady(queue);
            if (!requests.isEmpty()) {
                throw new UnsupportedOperationException(name() + " cannot take up requests of another device");
            }
        }
    }

    private BackendQueue queue(int index) {
        requireOpen();
        return control.queues.get(Objects.checkIndex(index, control.queues.size()));
    }

    private BackendQueue requireNotReady(int index) {
        BackendQueue queue = queue(index);
        if (queue.ready) {
            throw new IllegalStateException("%s: queue %d is ready".formatted(name(), index));
        }
        return queue;
    }

    private void requireOpen() {
        if (control.closed) {
            throw new IllegalStateException(name() + " is closed");
        }
    }

    @Override
    public void close() throws IOException {
        control.close();
    }
}
