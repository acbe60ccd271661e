package io.fairlead.kernel.vhostvdpa;

import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.PassThroughDevice;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VendorState;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A device of the kernel's vDPA framework, at /dev/vhost-vdpa-N ({@code linux/vhost.h}): a DPU's, a virtio PCI function's
 * (vp_vdpa), a simulator's, another process's by VDUSE. Kick and call descriptors and guest memory are handed to the kernel:
 * outside of control calls no thread of ours runs for it, and its {@link #statistics} stay at zero.
 *
 * <p>The guest's memory is mapped at the guest's own addresses, so the driver needs no IOMMU and is not offered
 * ACCESS_PLATFORM, which the device is always given. Of a network device the driver sees pairs of queues, and no control
 * queue: where there are several pairs, Fairlead drives that itself, and says by it how many are ready.
 *
 * <p>What it can do is found when it is opened. One that suspends and tells where its queues stand is stopped and started
 * as a front-end wants. One that does neither (vp_vdpa) starts its queues together and at their beginning, and is stopped by
 * a reset alone: {@link #queueState(int, QueueState)} then throws UnsupportedOperationException where a queue is to go on in
 * the middle, and so does {@link #queueReady(int, boolean)} where others run. Behind a {@link
 * io.fairlead.vdpa.relay.RelayDevice} that does not show.
 *
 * <p>A device that is taken away is let go of, since the kernel waits for that, and sets NEEDS_RESET. A reset looks for it
 * again.
 */
public final class VhostVdpaDevice extends PassThroughDevice<VhostVdpaQueue> {
    private final VhostVdpaControl control;
    private final DeviceStatistics statistics;
    private @Nullable LogPuller puller;

    VhostVdpaDevice(VhostVdpaControl control) {
        super(control.name, control, control.queues);
        this.control = control;
        statistics = DeviceStatistics.ofQueues(control.queues.size());
    }

    /** What the device said of itself when it was opened. */
    public VhostVdpaOffer offer() {
        return control.offer;
    }

    /** Its file, as long as it is there; then what it was called by. Waits for a control call under way. */
    public Path file() {
        return control.file();
    }

    /** Whether the device is there. Waits for a control call under way. */
    public boolean isThere() {
        return control.isThere();
    }

    // ---- identity ----

    @Override
    public int deviceId() {
        return control.offer.deviceId();
    }

    @Override
    public Set<Capability> capabilities() {
        EnumSet<Capability> capabilities = EnumSet.of(Capability.STREAM_STATE);
        if (control.offer.tellsStates()) {
            capabilities.add(Capability.QUEUE_STATE);
        }
        if (control.offer.suspends()) {
            capabilities.add(Capability.SUSPEND);
            capabilities.add(Capability.RESUME);
        }
        if (control.logs()) {
            capabilities.add(Capability.DIRTY_LOG);
        }
        return capabilities;
    }

    @Override
    public Map<String, String> identity() {
        return control.settings.identity();
    }

    /** At zero: the device serves the requests, and marks what it writes. */
    @Override
    public DeviceStatistics statistics() {
        return statistics.withCountedMarks(!control.logs());
    }

    @Override
    public void listener(@Nullable DeviceListener listener) {
        control.listener = listener;
    }

    // ---- features and status ----

    @Override
    public long deviceFeatures() {
        return control.offeredFeatures();
    }

    @Override
    public long driverFeatures() {
        return control.driverFeatures;
    }

    @Override
    public int status() {
        return control.status.get();
    }

    /**
     * Writes the status. FEATURES_OK has the device judge the features, and stays away where it refuses them; DRIVER_OK has it
     * go live with the queues that are ready.
     */
    @Override
    public void status(int value) throws IOException {
        synchronized (control) {
            requireOpen();
            if (value == 0) {
                control.reset();
            } else {
                control.status(value & ~DeviceStatus.DEVICE_NEEDS_RESET);
            }
        }
    }

    @Override
    public void reset() throws IOException {
        synchronized (control) {
            requireOpen();
            endPuller();
            control.reset();
        }
    }

    // ---- configuration space ----

    @Override
    public int configByteCount() {
        return control.offer.configByteCount();
    }

    /** Asks the device; while it is gone, what it said last holds. */
    @Override
    public void readConfig(int offset, MemorySegment target) throws IOException {
        synchronized (control) {
            requireOpen();
            Objects.checkFromIndexSize(offset, target.byteSize(), configByteCount());
            control.tell(device -> control.config = control.config(device.link()));
            MemorySegment.copy(MemorySegment.ofArray(control.config), offset, target, 0, target.byteSize());
        }
    }

    @Override
    public void writeConfig(int offset, MemorySegment source) throws IOException {
        synchronized (control) {
            requireOpen();
            Objects.checkFromIndexSize(offset, source.byteSize(), configByteCount());
            if (source.byteSize() > 0) {
                control.tell(device -> device.link().writeConfig(offset, source));
            }
        }
    }

    @Override
    public int configGeneration() {
        return control.generation.get();
    }

    // ---- memory and log ----

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
            if (log != null && !control.logs()) {
                throw new UnsupportedOperationException(control.peer() + " does not log the pages that it writes");
            }
            endPuller();
            control.dirtyLog(log);
            if (log != null) {
                puller = new LogPuller(control);
            }
        }
    }

    private void endPuller() {
        if (puller != null) {
            puller.close();
            puller = null;
        }
    }

    // ---- queues ----

    @Override
    public int maxQueueSize(int queue) {
        return control.queues.get(Objects.checkIndex(queue, control.queues.size())).maxSize;
    }

    @Override
    public void suspend() throws IOException {
        synchronized (control) {
            requireOpen();
            if (!control.offer.suspends()) {
                throw new UnsupportedOperationException(control.peer() + " cannot be suspended");
            }
            if (!control.suspended) {
                control.suspend();
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

    /** In openEuler's kernels: what the device said when it stood still, while its log was on. */
    @Override
    public Optional<VendorState> vendorState() {
        synchronized (control) {
            requireOpen();
            return control.vendorState();
        }
    }

    @Override
    public void vendorState(@Nullable VendorState state) throws IOException {
        synchronized (control) {
            requireOpen();
            control.vendorState(state);
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
    protected void takeFeatures(long features) throws IOException {
        control.features(features);
    }

    @Override
    protected void tellKick(VhostVdpaQueue queue) throws IOException {
        control.kick(queue);
    }

    @Override
    protected void tellCall(VhostVdpaQueue queue) throws IOException {
        control.call(queue);
    }

    @Override
    protected void start(VhostVdpaQueue queue) throws IOException {
        control.started(queue);
    }

    @Override
    protected void stop(VhostVdpaQueue queue) throws IOException {
        control.stopped(queue);
    }

    @Override
    public void close() throws IOException {
        synchronized (control) {
            endPuller();
            control.close();
        }
    }
}
