package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.Departure;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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
 * <p>A device that goes away ({@link Departure}) is stopped in the same way, and a {@link Substitute} goes on where it stood,
 * without the guest noticing. When the guest resets the device, the one itself serves again if it is back.
 *
 * <p>Queues stop by draining: FREEZE is not offered, even where the device has it.
 */
public final class RelayDevice implements VdpaDevice {
    private static final Logger LOG = LoggerFactory.getLogger(RelayDevice.class);

    private final String name;
    private final long deviceFeatures;
    private final List<RelayQueue> queues;
    private final RelayControl control;
    private final DeviceStatistics relayStatistics;
    private final @Nullable Substitute substitute;
    private final AtomicBoolean failed = new AtomicBoolean();
    private volatile @Nullable DeviceListener listener;

    /** What serves the guest now. */
    private volatile VdpaDevice device;

    /** The device itself, while a substitute serves. */
    private @Nullable VdpaDevice gone;

    private boolean suspended;

    /** Suspended with the device on the guest's rings. */
    private boolean deviceSuspended;

    private @Nullable SharedDirtyLog log;
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
        this.device = device;
        this.substitute = substitute;
        name = device.name();
        queues = IntStream.range(0, device.queueCount())
                .mapToObj(i -> new RelayQueue(i, loops.next(), device.maxQueueSize(i)))
                .toList();
        relayStatistics = DeviceStatistics.ofQueues(queues.size());
        control = new RelayControl(device, queues, relayStatistics, drainDeadline, this::queueFailed);
        long features = device.deviceFeatures() & (substitute == null ? -1 : substitute.features());
        deviceFeatures = control.inner().tellsStates() ? features : features & ~Feature.RING_PACKED;
        device.listener(new Ear(device));
    }

    /** Listens to one of the devices that may serve. */
    private final class Ear implements DeviceListener {
        private final VdpaDevice source;

        Ear(VdpaDevice source) {
            this.source = source;
        }

        private @Nullable DeviceListener told() {
            return source.equals(device) ? listener : null;
        }

        @Override
        public void configChanged() {
            DeviceListener told = told();
            if (told != null) {
                told.configChanged();
            }
        }

        @Override
        public void needsReset(String reason) {
            DeviceListener told = told();
            if (told != null) {
                told.needsReset(reason);
            }
        }

        /** Whoever tells may hold the device's lock, and waits for nothing. */
        @Override
        public boolean leaving(Departure departure) {
            Substitute takesOver = substitute;
            if (takesOver == null || !source.equals(device)) {
                return false;
            }
            Thread.ofPlatform()
                    .name("fairlead-substitute-" + source.name())
                    .start(() -> substitute(source, takesOver, departure));
            return true;
        }
    }

    /** Has a substitute go on in the device's place; where that fails, the driver has to reset the device. */
    private synchronized void substitute(VdpaDevice leaving, Substitute takesOver, Departure departure) {
        try {
            if (!closed && device.equals(leaving)) {
                LOG.warn("{}: it goes away: {}", name(), departure.reason());
                replaceBy(takesOver, departure.serves());
            }
        } catch (IOException | RuntimeException e) {
            fail("%s; nothing took its place: %s".formatted(departure.reason(), e.getMessage()), e);
        } finally {
            departure.letGo();
        }
    }

    private void replaceBy(Substitute takesOver, boolean serves) throws IOException {
        VdpaDevice next = takesOver.make(device);
        List<RelayQueue> running = suspended ? List.of() : control.readyQueues();
        boolean replaced = false;
        try {
            halt(running, serves);
            control.replace(next);
            next.listener(new Ear(next));
            gone = device;
            device = next;
            replaced = true;
        } finally {
            if (!replaced) {
                next.close();
            }
        }
        if (!failed.get()) {
            control.startAll(running);
        }
        LOG.warn("{}: {} goes on in its place", name, next.name());
        DeviceListener told = listener;
        if (told != null) {
            told.configChanged();
        }
    }

    /** Ends what the device does of the guest's, and notes where its queues stand. */
    private void halt(List<RelayQueue> running, boolean serves) throws IOException {
        if (deviceSuspended) {
            for (RelayQueue queue : control.readyQueues()) {
                queue.state = device.queueState(queue.index);
            }
            deviceSuspended = false;
        } else if (serves) {
            control.stop(running);
        } else {
            control.abandon(running);
        }
    }

    /** At a reset: the device itself serves again if it is back. */
    private void returnIfBack() throws IOException {
        VdpaDevice first = gone;
        if (first == null) {
            return;
        }
        first.reset();
        if (DeviceStatus.has(first.status(), DeviceStatus.DEVICE_NEEDS_RESET)) {
            return;
        }
        VdpaDevice substituted = device;
        control.replace(first);
        device = first;
        gone = null;
        substituted.close();
        LOG.info("{}: back again", name);
    }

    /** Any thread; the first cause counts. */
    private void queueFailed(int queue, Throwable cause) {
        boolean guestFault = cause instanceof GuestFaultException;
        if (guestFault) {
            device.statistics().queues().get(queue).countGuestFault();
            relayStatistics.queues().get(queue).countGuestFault();
        }
        fail(
                "queue %d, relayed: %s".formatted(queue, cause.getMessage() == null ? cause : cause.getMessage()),
                guestFault ? null : cause);
    }

    private void fail(String reason, @Nullable Throwable cause) {
        if (failed.getAndSet(true)) {
            return;
        }
        LOG.error("{}: stopped until the driver resets it: {}", name(), reason, cause);
        control.halt();
        DeviceListener told = listener;
        if (told != null) {
            told.needsReset(reason);
        }
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
    public int deviceId() {
        return device.deviceId();
    }

    @Override
    public Set<Capability> capabilities() {
        EnumSet<Capability> all = EnumSet.of(Capability.DIRTY_LOG, Capability.QUEUE_STOP, Capability.QUEUE_STATE);
        all.addAll(device.capabilities());
        all.remove(Capability.FREEZE);
        return all;
    }

    @Override
    public Map<String, String> identity() {
        return device.identity();
    }

    @Override
    public Map<String, Long> typeCounters() {
        return device.typeCounters();
    }

    /** The device's own; pages that the relay marked are counted there. */
    @Override
    public DeviceStatistics statistics() {
        return device.statistics().withCountedMarks(true);
    }

    @Override
    public void listener(@Nullable DeviceListener newListener) {
        listener = newListener;
    }

    // ---- features and status ----

    @Override
    public long deviceFeatures() {
        return deviceFeatures;
    }

    @Override
    public long driverFeatures() {
        return device.driverFeatures();
    }

    @Override
    public synchronized void driverFeatures(long features) throws IOException {
        requireOpen();
        if ((features & ~deviceFeatures) != 0) {
            throw new IllegalArgumentException("%s does not offer feature bits 0x%x; it offers 0x%x"
                    .formatted(name(), features & ~deviceFeatures, deviceFeatures));
        }
        if (features != device.driverFeatures()) {
            queues.forEach(queue -> requireNotReady(queue.index));
            device.driverFeatures(features);
        }
    }

    @Override
    public int status() {
        return control.inner().status() | (failed.get() ? DeviceStatus.DEVICE_NEEDS_RESET : 0);
    }

    @Override
    public synchronized void status(int status) throws IOException {
        requireOpen();
        if (status == 0) {
            reset();
        } else {
            control.inner().forget();
            device.status(status);
        }
    }

    @Override
    public synchronized void reset() throws IOException {
        requireOpen();
        forgetDriver();
        returnIfBack();
    }

    private void forgetDriver() throws IOException {
        try {
            control.reset();
        } finally {
            queues.forEach(queue -> queue.reset(device.maxQueueSize(queue.index)));
            log = null;
            suspended = false;
            deviceSuspended = false;
            failed.set(false);
        }
    }

    // ---- configuration space ----

    @Override
    public int configByteCount() {
        return device.configByteCount();
    }

    @Override
    public void readConfig(int offset, MemorySegment target) throws IOException {
        device.readConfig(offset, target);
    }

    @Override
    public synchronized void writeConfig(int offset, MemorySegment source) throws IOException {
        device.writeConfig(offset, source);
    }

    @Override
    public int configGeneration() throws IOException {
        return control.inner().configGeneration();
    }

    // ---- memory and log ----

    @Override
    public synchronized void memory(MemoryTable table) throws IOException {
        requireOpen();
        control.memory(table);
    }

    @Override
    public synchronized void dirtyLog(@Nullable SharedDirtyLog newLog) throws IOException {
        requireOpen();
        if (suspended) {
            control.laterLog(newLog);
        } else {
            control.dirtyLog(newLog);
        }
        log = newLog;
    }

    // ---- queues ----

    @Override
    public int queueCount() {
        return queues.size();
    }

    @Override
    public int maxQueueSize(int queue) {
        return device.maxQueueSize(queue);
    }

    @Override
    public synchronized void queueSize(int queue, int size) {
        RelayQueue settings = requireNotReady(queue);
        if (size < 1 || size > device.maxQueueSize(queue)) {
            throw new IllegalArgumentException(
                    "%s: queue size %d is not in 1..%d".formatted(name(), size, device.maxQueueSize(queue)));
        }
        QueueSetup old = settings.setup;
        settings.setup = new QueueSetup(size, old.descriptorAddress(), old.driverAddress(), old.deviceAddress());
    }

    @Override
    public synchronized void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        RelayQueue settings = requireNotReady(queue);
        settings.setup = new QueueSetup(settings.setup.size(), descriptorAddress, driverAddress, deviceAddress);
    }

    @Override
    public synchronized QueueSetup queueSetup(int queue) {
        return settings(queue).setup;
    }

    @Override
    public synchronized void queueState(int queue, QueueState state) {
        requireNotReady(queue).state = state;
    }

    @Override
    public synchronized QueueState queueState(int queue) throws IOException {
        RelayQueue settings = settings(queue);
        if (settings.ready && !suspended) {
            throw new IllegalStateException("%s: queue %d is running".formatted(name(), queue));
        }
        return settings.ready && deviceSuspended
                ? device.queueState(queue)
                : settings.stateFor(device.driverFeatures());
    }

    @Override
    public synchronized void queueInflight(int queue, @Nullable MemorySegment region) throws IOException {
        RelayQueue settings = requireNotReady(queue);
        // A record that only the relay keeps would be wrong after each time that it is out.
        if (device.capabilities().contains(Capability.INFLIGHT)) {
            settings.inflight = region;
            device.queueInflight(queue, region);
        }
    }

    @Override
    public synchronized void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        RelayQueue settings = settings(queue);
        EventFd old = settings.kick;
        settings.kick = kick;
        try {
            if (settings.runner == null) {
                device.queueKick(queue, RelayQueue.duplicate(kick));
            } else {
                control.on(settings, runner -> runner.kick(kick));
            }
        } finally {
            if (old != null) {
                old.close();
            }
        }
    }

    @Override
    public synchronized void queueCall(int queue, @Nullable EventFd call) throws IOException {
        RelayQueue settings = settings(queue);
        EventFd old = settings.call;
        settings.call = call;
        try {
            if (settings.runner == null) {
                device.queueCall(queue, RelayQueue.duplicate(call));
            } else {
                control.on(settings, runner -> runner.call(call));
            }
        } finally {
            if (old != null) {
                old.close();
            }
        }
    }

    @Override
    public synchronized boolean queueReady(int queue) {
        return queues.get(queue).ready;
    }

    @Override
    public synchronized void queueReady(int queue, boolean ready) throws IOException {
        RelayQueue settings = settings(queue);
        if (settings.ready == ready) {
            return;
        }
        if (ready) {
            QueueState state = settings.stateFor(device.driverFeatures());
            if (state instanceof QueueState.Packed != Feature.has(device.driverFeatures(), Feature.RING_PACKED)) {
                throw new IllegalStateException("%s: queue %d has a state that does not fit the negotiated ring layout"
                        .formatted(name(), queue));
            }
            if (!suspended || deviceSuspended) {
                control.startBeside(settings);
            }
            settings.ready = true;
        } else {
            control.stop(List.of(settings));
            settings.ready = false;
        }
    }

    // ---- migration ----

    @Override
    public synchronized void suspend() throws IOException {
        requireOpen();
        if (suspended) {
            return;
        }
        if (control.relaying()) {
            control.stop(control.readyQueues());
        } else {
            device.suspend();
            deviceSuspended = true;
        }
        suspended = true;
    }

    @Override
    public synchronized void resume() throws IOException {
        requireOpen();
        if (!suspended) {
            return;
        }
        if (deviceSuspended && log != null) {
            // Behind the device's back its queues stop, so that it never serves one that is not logged.
            control.stop(control.readyQueues());
            device.resume();
        } else if (deviceSuspended) {
            device.resume();
            suspended = false;
            deviceSuspended = false;
            return;
        }
        suspended = false;
        deviceSuspended = false;
        control.enterOrLeave();
        control.startAll(control.readyQueues());
    }

    @Override
    public synchronized void stopMode(StopMode mode) {
        requireOpen();
        if (mode != StopMode.DRAIN) {
            throw new UnsupportedOperationException(name() + " cannot freeze");
        }
    }

    @Override
    public CompletionStage<Void> settled() {
        return device.settled();
    }

    @Override
    public synchronized InflightRequests inflightRequests(int queue) throws IOException {
        return control.inflightRequests(requireNotReady(queue));
    }

    @Override
    public synchronized void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        RelayQueue settings = requireNotReady(queue);
        settings.carried = requests;
        settings.carriedSettled = settledElsewhere;
    }

    @Override
    public synchronized void announce(long mac) throws IOException {
        device.announce(mac);
    }

    @Override
    public synchronized List<ControlCommand> controlCommands() throws IOException {
        return device.controlCommands();
    }

    @Override
    public synchronized void controlCommands(List<ControlCommand> commands) throws IOException {
        device.controlCommands(commands);
    }

    @Override
    public synchronized void follow(Octets config) throws IOException {
        device.follow(config);
    }

    @Override
    public synchronized void followTypeState(Octets sourceState) throws IOException {
        device.followTypeState(sourceState);
    }

    @Override
    public synchronized Octets typeState() throws IOException {
        return device.typeState();
    }

    @Override
    public synchronized void typeState(Octets state) throws IOException {
        device.typeState(state);
    }

    private RelayQueue settings(int queue) {
        requireOpen();
        return queues.get(Objects.checkIndex(queue, queues.size()));
    }

    private RelayQueue requireNotReady(int queue) {
        RelayQueue settings = settings(queue);
        if (settings.ready) {
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
        try (VdpaDevice _ = gone;
                VdpaDevice _ = device) {
            forgetDriver();
        } finally {
            closed = true;
            queues.forEach(RelayQueue::closeDescriptors);
            control.close();
        }
    }
}
