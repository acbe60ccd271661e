package io.fairlead.vhostuser.client;

import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.PassThroughDevice;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
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
public final class VhostUserBackend extends PassThroughDevice<BackendQueue> {
    private final BackendControl control;
    private final DeviceStatistics statistics;

    private VhostUserBackend(BackendControl control) {
        super(control.name, control, control.queues);
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
    public int maxQueueSize(int queue) {
        control.queues.get(Objects.checkIndex(queue, control.queues.size()));
        return control.settings.maxQueueSize();
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

    // ---- for the base class ----

    @Override
    protected boolean isClosed() {
        return control.closed;
    }

    @Override
    protected boolean isSuspended() {
        return control.suspended;
    }

    @Override
    protected boolean packed() {
        return control.packed();
    }

    @Override
    protected void takeFeatures(long features) {
        control.driverFeatures = features;
    }

    @Override
    protected void tellKick(BackendQueue queue) throws IOException {
        if (queue.running) {
            control.tell(link -> link.kick(queue.index(), queue.kick()));
        }
    }

    @Override
    protected void tellCall(BackendQueue queue) throws IOException {
        if (queue.running) {
            control.tell(link -> link.call(queue));
        }
    }

    @Override
    protected void start(BackendQueue queue) throws IOException {
        queue.ready(true);
        try {
            control.start(queue);
        } catch (IOException | RuntimeException e) {
            queue.ready(false);
            throw e;
        }
    }

    @Override
    protected void stop(BackendQueue queue) throws IOException {
        control.stop(queue);
        queue.ready(false);
    }

    @Override
    public void close() throws IOException {
        control.close();
    }
}
