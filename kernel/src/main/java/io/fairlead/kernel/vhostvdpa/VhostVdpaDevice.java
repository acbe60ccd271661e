package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceStatus;
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
 * A device of the kernel's vDPA framework, at /dev/vhost-vdpa-N ({@code linux/vhost.h}): a DPU's, a virtio PCI function's
 * (vp_vdpa), a simulator's, another process's by VDUSE. Kick and call descriptors and guest memory are handed to the kernel:
 * outside of control calls no thread of ours runs for it, and its {@link #statistics} stay at zero.
 *
 * <p>The guest's memory is mapped at the guest's own addresses, so the driver needs no IOMMU and is not offered
 * ACCESS_PLATFORM, which the device is always given. Of a network device the driver sees one pair of queues, and no control
 * queue.
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
public final class VhostVdpaDevice implements VdpaDevice {
    private final VhostVdpaControl control;
    private final DeviceStatistics statistics;
    private @Nullable LogPuller puller;

    VhostVdpaDevice(VhostVdpaControl control) {
        this.control = control;
        statistics = DeviceStatistics.ofQueues(control.queues.size());
    }

    /** What the device said of itself when it was opened. */
    public VhostVdpaOffer offer() {
        return control.offer;
    }

    /** Whether the device is there. Waits for a control call under way. */
    public boolean isThere() {
        return control.isThere();
    }

    // ---- identity ----

    @Override
    public String name() {
        return control.name;
    }

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
        return control.offer.driverFeatures() & control.settings.features();
    }

    @Override
    public long driverFeatures() {
        return control.driverFeatures;
    }

    @Override
    public void driverFeatures(long features) throws IOException {
        synchronized (control) {
            requireOpen();
            long surplus = features & ~deviceFeatures();
            if (surplus != 0) {
                throw new IllegalArgumentException("%s does not offer feature bits 0x%x; it offers 0x%x"
                        .formatted(name(), surplus, deviceFeatures()));
            }
            if (features != control.driverFeatures) {
                control.queues.forEach(queue -> requireNotReady(queue.index));
                control.features(features);
            }
        }
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
            control.tell(device -> control.config = control.offer.config(device.link()));
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
    public int queueCount() {
        return control.queues.size();
    }

    @Override
    public int maxQueueSize(int queue) {
        return control.queues.get(Objects.checkIndex(queue, control.queues.size())).maxSize;
    }

    @Override
    public void queueSize(int queue, int size) {
        synchronized (control) {
            VhostVdpaQueue settled = requireNotReady(queue);
            if (size < 1 || size > settled.maxSize) {
                throw new IllegalArgumentException(
                        "%s: queue size %d is not in 1..%d".formatted(name(), size, settled.maxSize));
            }
            settled.size = size;
        }
    }

    @Override
    public void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        synchronized (control) {
            VhostVdpaQueue settled = requireNotReady(queue);
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
            VhostVdpaQueue settled = queue(queue);
            if (settled.ready && !control.suspended) {
                throw new IllegalStateException("%s: queue %d is running".formatted(name(), queue));
            }
            return settled.stateFor(control.packed());
        }
    }

    @Override
    public void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        synchronized (control) {
            VhostVdpaQueue settled = queue(queue);
            EventFd old = settled.kick;
            settled.kick = kick;
            try {
                control.kick(settled);
            } finally {
                close(old);
            }
        }
    }

    @Override
    public void queueCall(int queue, @Nullable EventFd call) throws IOException {
        synchronized (control) {
            VhostVdpaQueue settled = queue(queue);
            EventFd old = settled.call;
            settled.call = call;
            try {
                control.call(settled);
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

    /** Without effect: the kernel keeps no such record, so {@link Capability#INFLIGHT} is not offered. */
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
            VhostVdpaQueue settled = queue(queue);
            if (settled.ready == ready) {
                return;
            }
            if (ready) {
                requireFit(settled);
                control.started(settled);
            } else {
                control.stopped(settled);
            }
        }
    }

    private void requireFit(VhostVdpaQueue queue) {
        boolean packed = control.packed();
        if (queue.stateFor(packed) instanceof QueueState.Packed != packed) {
            throw new IllegalStateException("%s: queue %d has a state that does not fit the negotiated ring layout"
                    .formatted(name(), queue.index));
        }
        if (!RingLayout.isValidSize(queue.size, packed)) {
            throw new IllegalStateException(
                    "%s: queue %d cannot have %d entries".formatted(name(), queue.index, queue.size));
        }
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

    private VhostVdpaQueue queue(int index) {
        requireOpen();
        return control.queues.get(Objects.checkIndex(index, control.queues.size()));
    }

    private VhostVdpaQueue requireNotReady(int index) {
        VhostVdpaQueue queue = queue(index);
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
        synchronized (control) {
            endPuller();
            control.close();
        }
    }
}
