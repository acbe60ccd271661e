package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Lets any device log the pages that it writes. While there is no log, the device serves the guest's rings itself and
 * this is not on the data path. {@link #dirtyLog} puts Fairlead's own rings between, queue by queue and without the guest
 * noticing: the device then sees the same buffers at the same addresses, and what it says it wrote is marked before the
 * guest learns of the completion. Without the log the rings are taken out again.
 *
 * <p>A device that cannot stop a queue is suspended and reset for both, and set up again; the guest does not learn of it.
 * One that cannot be suspended either, or does not tell where its queues stand, must be drained first. That needs an
 * instant without requests, which a driver that polls under load may never leave: then the switch ends with an
 * IOException after a deadline, and all goes on as before. Such a device's packed rings, which do not show the instant, are
 * not offered to the guest. A device that cannot start where the guest's ring stands keeps its relay until the next reset,
 * and has it from the start where it comes upon such a ring.
 *
 * <p>A device that goes away ({@link io.fairlead.vdpa.Departure}) is stopped in the same way, and a {@link Substitute} goes on where it stood,
 * without the guest noticing. When the guest resets the device, the one itself serves again if it is back.
 *
 * <p>Queues stop by draining: FREEZE is not offered, even where the device has it.
 */
public final class RelayDevice extends ForwardingDevice {
    private final String name;
    private final long deviceFeatures;
    private final List<RelayQueue> queues;
    private final RelayFaults faults;
    private final RelayControl control;
    private final RelaySwitch relay;
    private final Substitution substitution;
    private final DeviceStatistics relayStatistics;
    private boolean closed;

    /** As the other, without anything to take the device's place. */
    public RelayDevice(VdpaDevice device, EventLoopGroup loops, Duration drainDeadline) {
        this(device, loops, drainDeadline, null);
    }

    /**
     * @param device belongs to the relay from now on, which must be the only one to call it
     * @param loops the queues' relays are dealt out to them in turn
     * @param drainDeadline how long a device that must be reset may take to answer what it has
     * @param substitute what goes on where the device goes away, until a reset finds it again; null for nothing
     */
    public RelayDevice(
            VdpaDevice device, EventLoopGroup loops, Duration drainDeadline, @Nullable Substitute substitute) {
        name = device.name();
        queues = IntStream.range(0, device.queueCount())
                .mapToObj(i -> new RelayQueue(i, loops.next(), device.maxQueueSize(i)))
                .toList();
        relayStatistics = DeviceStatistics.ofQueues(queues.size());
        faults = new RelayFaults(name, this::halt);
        control = new RelayControl(
                new InnerDevice(device, drainDeadline),
                queues,
                new RelayMemory(queues.size()),
                relayStatistics,
                faults);
        relay = new RelaySwitch(control);
        substitution = new Substitution(name, this, control, relay, faults, substitute);
        long features = device.deviceFeatures() & (substitute == null ? -1 : substitute.features());
        deviceFeatures = control.inner().tellsStates() ? features : features & ~Feature.RING_PACKED;
        substitution.listenTo(device);
    }

    private void halt() {
        control.halt();
    }

    @Override
    VdpaDevice device() {
        return control.device();
    }

    /** What went through the relay's rings. The device's own counters are {@link #statistics}. */
    public DeviceStatistics relayStatistics() {
        return relayStatistics;
    }

    // ---- identity ----

    /** The device's, whatever serves in its place. */
    @Override
    public String name() {
        return name;
    }

    @Override
    public Set<Capability> capabilities() {
        EnumSet<Capability> all = EnumSet.of(Capability.DIRTY_LOG, Capability.QUEUE_STOP, Capability.QUEUE_STATE);
        all.addAll(device().capabilities());
        all.remove(Capability.FREEZE);
        return all;
    }

    /** The device's own; pages that the relay marked are counted there. */
    @Override
    public DeviceStatistics statistics() {
        return device().statistics().withCountedMarks(true);
    }

    @Override
    public void listener(@Nullable DeviceListener newListener) {
        faults.listener(newListener);
    }

    // ---- features and status ----

    @Override
    public long deviceFeatures() {
        return deviceFeatures;
    }

    @Override
    public synchronized void driverFeatures(long features) throws IOException {
        requireOpen();
        if ((features & ~deviceFeatures) != 0) {
            throw new IllegalArgumentException("%s does not offer feature bits 0x%x; it offers 0x%x"
                    .formatted(name(), features & ~deviceFeatures, deviceFeatures));
        }
        if (features != device().driverFeatures()) {
            queues.forEach(queue -> requireNotReady(queue.index()));
            device().driverFeatures(features);
        }
    }

    @Override
    public int status() {
        return control.inner().status() | (faults.failed() ? DeviceStatus.DEVICE_NEEDS_RESET : 0);
    }

    @Override
    public synchronized void status(int status) throws IOException {
        requireOpen();
        if (status == 0) {
            reset();
        } else {
            control.inner().forget();
            device().status(status);
        }
    }

    @Override
    public synchronized void reset() throws IOException {
        requireOpen();
        forgetDriver();
        substitution.returnIfBack();
    }

    private void forgetDriver() throws IOException {
        try {
            relay.reset();
        } finally {
            queues.forEach(queue -> queue.reset(maxQueueSize(queue.index())));
            faults.forget();
        }
    }

    // ---- configuration space ----

    @Override
    public int configGeneration() throws IOException {
        return control.inner().configGeneration();
    }

    // ---- memory and log ----

    @Override
    public synchronized void memory(MemoryTable table) throws IOException {
        requireOpen();
        relay.memory(table);
    }

    @Override
    public synchronized void dirtyLog(@Nullable SharedDirtyLog newLog) throws IOException {
        requireOpen();
        relay.dirtyLog(newLog);
    }

    // ---- queues ----

    @Override
    public int queueCount() {
        return queues.size();
    }

    @Override
    public synchronized void queueSize(int queue, int size) {
        RelayQueue settings = requireNotReady(queue);
        if (size < 1 || size > maxQueueSize(queue)) {
            throw new IllegalArgumentException(
                    "%s: queue size %d is not in 1..%d".formatted(name(), size, maxQueueSize(queue)));
        }
        settings.size(size);
    }

    @Override
    public synchronized void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        requireNotReady(queue).addresses(descriptorAddress, driverAddress, deviceAddress);
    }

    @Override
    public synchronized QueueSetup queueSetup(int queue) {
        return settings(queue).setup();
    }

    @Override
    public synchronized void queueState(int queue, QueueState state) {
        requireNotReady(queue).state(state);
    }

    @Override
    public synchronized QueueState queueState(int queue) throws IOException {
        RelayQueue settings = settings(queue);
        if (settings.ready() && !relay.suspended()) {
            throw new IllegalStateException("%s: queue %d is running".formatted(name(), queue));
        }
        return relay.state(settings);
    }

    @Override
    public synchronized void queueInflight(int queue, @Nullable MemorySegment region) throws IOException {
        RelayQueue settings = requireNotReady(queue);
        // A record that only the relay keeps would be wrong after each time that it is out.
        if (device().capabilities().contains(Capability.INFLIGHT)) {
            settings.inflight = region;
            device().queueInflight(queue, region);
        }
    }

    @Override
    public synchronized void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        RelayQueue settings = settings(queue);
        settings.kick(kick, () -> {
            if (settings.runner == null) {
                device().queueKick(queue, RelayQueue.duplicate(kick));
            } else {
                control.on(settings, runner -> runner.kick(kick));
            }
        });
    }

    @Override
    public synchronized void queueCall(int queue, @Nullable EventFd call) throws IOException {
        RelayQueue settings = settings(queue);
        settings.call(call, () -> {
            if (settings.runner == null) {
                device().queueCall(queue, RelayQueue.duplicate(call));
            } else {
                control.on(settings, runner -> runner.call(call));
            }
        });
    }

    @Override
    public synchronized boolean queueReady(int queue) {
        return queues.get(queue).ready();
    }

    @Override
    public synchronized void queueReady(int queue, boolean ready) throws IOException {
        RelayQueue settings = settings(queue);
        if (settings.ready() == ready) {
            return;
        }
        if (ready) {
            settings.startState(name, Feature.has(driverFeatures(), Feature.RING_PACKED));
            relay.start(settings);
            settings.ready(true);
        } else {
            control.stop(List.of(settings));
            settings.ready(false);
        }
    }

    // ---- migration ----

    @Override
    public synchronized void suspend() throws IOException {
        requireOpen();
        relay.suspend();
    }

    @Override
    public synchronized void resume() throws IOException {
        requireOpen();
        relay.resume();
    }

    @Override
    public synchronized void stopMode(StopMode mode) {
        requireOpen();
        if (mode != StopMode.DRAIN) {
            throw new UnsupportedOperationException(name() + " cannot freeze");
        }
    }

    @Override
    public synchronized InflightRequests inflightRequests(int queue) throws IOException {
        return relay.inflightRequests(requireNotReady(queue));
    }

    @Override
    public synchronized void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        RelayQueue settings = requireNotReady(queue);
        settings.carried = requests;
        settings.carriedSettled = settledElsewhere;
    }

    private RelayQueue settings(int queue) {
        requireOpen();
        return queues.get(Objects.checkIndex(queue, queues.size()));
    }

    private RelayQueue requireNotReady(int queue) {
        RelayQueue settings = settings(queue);
        if (settings.ready()) {
            throw new IllegalStateException("%s: queue %d is ready and cannot be changed".formatted(name(), queue));
        }
        return settings;
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name() + " is closed");
        }
    }

    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        // Not by reset(), which would look for a device that is gone.
        try (substitution;
                VdpaDevice _ = device()) {
            forgetDriver();
        } finally {
            closed = true;
            queues.forEach(RelayQueue::closeDescriptors);
            control.memory.close();
        }
    }
}
