package io.fairlead.devices.base;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device whose data path Fairlead itself serves: keeps what the driver sets, runs the queues on event loops, and
 * contains what goes wrong. A type gives its features, its configuration space and a handler for each queue.
 *
 * <p>Control calls are serialized by the device's lock and wait for the queues' loops: none may come from an event loop.
 * Where a queue fails, the device sets NEEDS_RESET and all its queues stop taking requests; a reset makes it whole again.
 */
public abstract class SoftwareDevice implements VdpaDevice {
    /** The features of rings and transport that every software device serves. */
    public static final long RING_FEATURES =
            Feature.VERSION_1 | Feature.RING_PACKED | Feature.EVENT_IDX | Feature.INDIRECT_DESC | Feature.RING_RESET;

    private static final Logger LOG = LoggerFactory.getLogger(SoftwareDevice.class);

    private final String name;
    private final int deviceId;
    private final long deviceFeatures;
    private final int maxQueueSize;
    private final ConfigSpace config;
    private final DeviceStatistics statistics;
    private final DeviceQueues queues;
    private final DeviceQueues.Owner owner = new Owner();
    private final AtomicInteger status = new AtomicInteger();
    private volatile @Nullable DeviceListener listener;
    private volatile long driverFeatures;
    private boolean closed;

    /**
     * @param deviceFeatures all that the device offers, {@link #RING_FEATURES} or some of them among it
     * @param maxQueueSize the most entries of a queue, and their number until the driver says another
     * @param loops the queues are dealt out to them in turn
     */
    protected SoftwareDevice(
            String name,
            int deviceId,
            long deviceFeatures,
            int queueCount,
            int maxQueueSize,
            ConfigSpace config,
            EventLoopGroup loops) {
        this(name, deviceId, deviceFeatures, queueCount, maxQueueSize, config, loops::next);
    }

    /** As the other, for queues that share what one thread owns: with one loop for all of them. */
    protected SoftwareDevice(
            String name,
            int deviceId,
            long deviceFeatures,
            int queueCount,
            int maxQueueSize,
            ConfigSpace config,
            EventLoop loop) {
        this(name, deviceId, deviceFeatures, queueCount, maxQueueSize, config, () -> loop);
    }

    private SoftwareDevice(
            String name,
            int deviceId,
            long deviceFeatures,
            int queueCount,
            int maxQueueSize,
            ConfigSpace config,
            Supplier<EventLoop> loops) {
        this.name = name;
        this.deviceId = deviceId;
        this.deviceFeatures = deviceFeatures;
        this.maxQueueSize = maxQueueSize;
        this.config = config;
        statistics = DeviceStatistics.ofQueues(queueCount);
        queues = new DeviceQueues(name, statistics, maxQueueSize, loops);
    }

    // ---- what a type does ----

    /**
     * Makes the handler of a queue that starts. On the queue's loop.
     *
     * @param features the driver's choice
     */
    protected abstract QueueHandler handler(int queue, QueueRunner runner, long features);

    /** Whether the device can serve the driver's choice (virtio 1.4, 3.1.1, step 5). */
    protected boolean acceptsFeatures(long features) {
        return Feature.has(features, Feature.VERSION_1);
    }

    /**
     * Whether queues leave requests in flight when they stop ({@link QueueRunner#leave}), so that these have to be recorded
     * also where the front-end gives no memory for that.
     */
    protected boolean leavesRequests() {
        return false;
    }

    /** The driver changed the configuration space. */
    protected void configWritten() {}

    /** The driver's settings are gone; what the type keeps of them goes too. No queue runs. */
    protected void driverReset() {}

    /**
     * As {@link #driverReset}, for a driver that has noticed nothing and goes on (see {@link VdpaDevice#restart}): what
     * only the device knows of it may stay.
     */
    protected void driverRestart() {
        driverReset();
    }

    /**
     * As {@link #driverReset}, where a driver may as well go on that has noticed nothing (see {@link
     * VdpaDevice#resetOrRestart}): what one that begins says anew before anything else may stay.
     */
    protected void driverResetOrRestart() {
        driverReset();
    }

    /**
     * Makes durable what other hosts shall see of what was written, as far as the device's settings promise. Called on any
     * thread, event loops among them: must not wait.
     *
     * @return completed when it is; exceptionally where it is lost
     */
    protected CompletionStage<Void> settle() {
        return CompletableFuture.completedFuture(null);
    }

    /** The device is closed; no queue runs. */
    protected void release() throws IOException {}

    /** The configuration space, for changes of the device's own. */
    protected final ConfigSpace config() {
        return config;
    }

    /** Tells the driver that the configuration space changed. Any thread. */
    protected final void configChanged() {
        DeviceListener told = listener;
        if (told != null) {
            told.configChanged();
        }
    }

    /** Sets NEEDS_RESET and stops the taking of requests. Any thread; the first cause counts. */
    protected final void needsReset(String reason, @Nullable Throwable cause) {
        int before = status.getAndUpdate(bits -> bits | DeviceStatus.DEVICE_NEEDS_RESET);
        if (DeviceStatus.has(before, DeviceStatus.DEVICE_NEEDS_RESET)) {
            return;
        }
        LOG.error("{}: stopped until the driver resets it: {}", name, reason, cause);
        queues.halt();
        DeviceListener told = listener;
        if (told != null) {
            told.needsReset(reason);
        }
    }

    /** What the queues need of the device. */
    private final class Owner implements DeviceQueues.Owner {
        @Override
        public QueueHandler create(int queue, QueueRunner runner, long features) {
            return handler(queue, runner, features);
        }

        @Override
        public void failed(int queue, Throwable cause) {
            if (cause instanceof GuestFaultException) {
                SoftwareDevice.this.needsReset("queue %d: %s".formatted(queue, cause.getMessage()), null);
            } else {
                SoftwareDevice.this.needsReset("queue %d: %s".formatted(queue, cause), cause);
            }
        }

        @Override
        public boolean leavesRequests() {
            return SoftwareDevice.this.leavesRequests();
        }

        @Override
        public boolean needsReset() {
            return DeviceStatus.has(status.get(), DeviceStatus.DEVICE_NEEDS_RESET);
        }
    }

    // ---- identity ----

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final int deviceId() {
        return deviceId;
    }

    /** All; less where a type cannot have its requests done twice, and then says which. */
    @Override
    public Set<Capability> capabilities() {
        return EnumSet.allOf(Capability.class);
    }

    @Override
    public Map<String, String> identity() {
        return Map.of();
    }

    @Override
    public final DeviceStatistics statistics() {
        return statistics;
    }

    @Override
    public final void listener(@Nullable DeviceListener newListener) {
        listener = newListener;
    }

    // ---- features and status ----

    @Override
    public final long deviceFeatures() {
        return deviceFeatures;
    }

    @Override
    public final long driverFeatures() {
        return driverFeatures;
    }

    @Override
    public final synchronized void driverFeatures(long features) {
        requireOpen();
        if ((features & ~deviceFeatures) != 0) {
            throw new IllegalArgumentException("%s does not offer feature bits 0x%x; it offers 0x%x"
                    .formatted(name, features & ~deviceFeatures, deviceFeatures));
        }
        if (features == driverFeatures) {
            return;
        }
        queues.requireNoneReady();
        driverFeatures = features;
    }

    @Override
    public final int status() {
        return status.get();
    }

    @Override
    public final synchronized void status(int value) throws IOException {
        requireOpen();
        if (value == 0) {
            reset();
            return;
        }
        int written = value & ~DeviceStatus.DEVICE_NEEDS_RESET;
        if (!acceptsFeatures(driverFeatures)) {
            written &= ~DeviceStatus.FEATURES_OK;
        }
        int accepted = written;
        status.updateAndGet(before -> accepted | (before & DeviceStatus.DEVICE_NEEDS_RESET));
    }

    @Override
    public final synchronized void reset() throws IOException {
        requireOpen();
        queues.reset(owner);
        forgetDriver();
        driverReset();
    }

    @Override
    public final synchronized void restart() throws IOException {
        requireOpen();
        queues.restart(owner);
        forgetDriver();
        driverRestart();
    }

    @Override
    public final synchronized void resetOrRestart() throws IOException {
        requireOpen();
        queues.reset(owner);
        forgetDriver();
        driverResetOrRestart();
    }

    private void forgetDriver() {
        driverFeatures = 0;
        status.set(0);
    }

    // ---- configuration space ----

    @Override
    public final int configByteCount() {
        return config.byteCount();
    }

    @Override
    public final void readConfig(int offset, MemorySegment target) {
        config.read(offset, target);
    }

    @Override
    public final synchronized void writeConfig(int offset, MemorySegment source) {
        requireOpen();
        if (config.write(offset, source)) {
            configWritten();
        }
    }

    @Override
    public final int configGeneration() {
        return config.generation();
    }

    // ---- memory ----

    @Override
    public final synchronized void memory(MemoryTable table) throws IOException {
        requireOpen();
        queues.memory(table.memory());
    }

    // ---- migration ----

    @Override
    public final synchronized void dirtyLog(@Nullable SharedDirtyLog log) throws IOException {
        requireOpen();
        queues.dirtyLog(log);
    }

    @Override
    public final synchronized void stopMode(StopMode mode) {
        requireOpen();
        queues.stopMode(mode);
    }

    /** How long {@link StopMode#DRAIN_THEN_FREEZE} waits. */
    final synchronized void drainPatience(Duration patience) {
        queues.drainPatience(patience);
    }

    @Override
    public final CompletionStage<Void> settled() {
        return queues.settled(this::settle);
    }

    @Override
    public final synchronized InflightRequests inflightRequests(int queue) {
        requireOpen();
        return queues.inflightRequests(queue);
    }

    @Override
    public final synchronized void carryOver(
            int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        requireOpen();
        queues.carryOver(queue, requests, settledElsewhere);
    }

    @Override
    public final synchronized void suspend() throws IOException {
        requireOpen();
        queues.suspend(owner);
    }

    @Override
    public final synchronized void resume() throws IOException {
        requireOpen();
        queues.resume(driverFeatures, owner);
    }

    // ---- queues ----

    @Override
    public final int queueCount() {
        return queues.count();
    }

    @Override
    public final int maxQueueSize(int queue) {
        Objects.checkIndex(queue, queues.count());
        return maxQueueSize;
    }

    @Override
    public final synchronized void queueSize(int queue, int size) {
        requireOpen();
        queues.size(queue, size);
    }

    @Override
    public final synchronized void queueAddresses(
            int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        requireOpen();
        queues.requireNotReady(queue).addresses(descriptorAddress, driverAddress, deviceAddress);
    }

    @Override
    public final synchronized QueueSetup queueSetup(int queue) {
        requireOpen();
        return queues.setup(queue);
    }

    @Override
    public final synchronized void queueState(int queue, QueueState state) {
        requireOpen();
        queues.state(queue, state);
    }

    @Override
    public final synchronized QueueState queueState(int queue) {
        requireOpen();
        return queues.state(queue, packed());
    }

    @Override
    public final synchronized void queueInflight(int queue, @Nullable MemorySegment region) {
        requireOpen();
        queues.requireNotReady(queue).inflight = region;
    }

    @Override
    public final synchronized void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        requireOpen();
        queues.kick(queue, kick);
    }

    @Override
    public final synchronized void queueCall(int queue, @Nullable EventFd call) throws IOException {
        requireOpen();
        queues.call(queue, call);
    }

    @Override
    public final synchronized boolean queueSignal(int queue, Signal signal) throws IOException {
        requireOpen();
        queues.call(queue, signal);
        return true;
    }

    @Override
    public final synchronized boolean queueReady(int queue) {
        return queues.settings(queue).ready();
    }

    @Override
    public final synchronized void queueReady(int queue, boolean ready) throws IOException {
        requireOpen();
        queues.ready(queue, ready, driverFeatures, owner);
    }

    private boolean packed() {
        return Feature.has(driverFeatures, Feature.RING_PACKED);
    }

    // ---- end ----

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    @Override
    public final synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        try {
            queues.close(owner);
        } finally {
            forgetDriver();
            driverReset();
            closed = true;
            release();
        }
    }
}
