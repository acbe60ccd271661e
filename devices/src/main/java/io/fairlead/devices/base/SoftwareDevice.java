package io.fairlead.devices.base;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.ConfigSpace;
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
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
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
    private final List<QueueSettings> queues;
    private final QueueControl control;
    private final AtomicInteger status = new AtomicInteger();
    private volatile @Nullable DeviceListener listener;
    private volatile long driverFeatures;
    private GuestMemory memory = GuestMemory.EMPTY;
    private @Nullable SharedDirtyLog dirtyLog;
    private boolean suspended;
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
        this.name = name;
        this.deviceId = deviceId;
        this.deviceFeatures = deviceFeatures;
        this.maxQueueSize = maxQueueSize;
        this.config = config;
        statistics = DeviceStatistics.ofQueues(queueCount);
        queues = IntStream.range(0, queueCount)
                .mapToObj(i -> new QueueSettings(loops.next(), maxQueueSize))
                .toList();
        control = new QueueControl(name, queues, statistics);
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

    /** The driver changed the configuration space. */
    protected void configWritten() {}

    /** The driver's settings are gone; what the type keeps of them goes too. No queue runs. */
    protected void driverReset() {}

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
        control.halt();
        DeviceListener told = listener;
        if (told != null) {
            told.needsReset(reason);
        }
    }

    private void queueFailed(int queue, Throwable cause) {
        if (cause instanceof GuestFaultException) {
            needsReset("queue %d: %s".formatted(queue, cause.getMessage()), null);
        } else {
            needsReset("queue %d: %s".formatted(queue, cause), cause);
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

    @Override
    public final Set<Capability> capabilities() {
        return EnumSet.complementOf(EnumSet.of(Capability.FREEZE));
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
        for (int i = 0; i < queues.size(); i++) {
            requireNotReady(i);
        }
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
        control.stop(queues, this::queueFailed);
        forgetDriver();
    }

    private void forgetDriver() {
        queues.forEach(queue -> queue.reset(maxQueueSize));
        driverFeatures = 0;
        dirtyLog = null;
        suspended = false;
        status.set(0);
        driverReset();
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
        GuestMemory replacement = table.memory();
        replacement.retain();
        GuestMemory old = memory;
        memory = replacement;
        try {
            control.onAll(runner -> runner.memory(replacement));
        } finally {
            release(old);
        }
    }

    private static void release(GuestMemory old) {
        if (old != GuestMemory.EMPTY) {
            old.release();
        }
    }

    @Override
    public final synchronized void dirtyLog(@Nullable SharedDirtyLog log) throws IOException {
        requireOpen();
        dirtyLog = log;
        control.onAll(runner -> runner.dirtyLog(log));
    }

    @Override
    public final synchronized void stopMode(StopMode mode) {
        requireOpen();
        if (mode == StopMode.FREEZE) {
            throw new UnsupportedOperationException(name + " cannot freeze");
        }
    }

    @Override
    public final CompletionStage<Void> settled() {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public final synchronized InflightRequests inflightRequests(int queue) {
        requireNotReady(queue);
        return InflightRequests.none();
    }

    @Override
    public final synchronized void carryOver(
            int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        requireNotReady(queue);
        if (!requests.isEmpty()) {
            throw new UnsupportedOperationException(name + " cannot take up requests of another device");
        }
    }

    // ---- queues ----

    @Override
    public final int queueCount() {
        return queues.size();
    }

    @Override
    public final int maxQueueSize(int queue) {
        queues.get(Objects.checkIndex(queue, queues.size()));
        return maxQueueSize;
    }

    @Override
    public final synchronized void queueSize(int queue, int size) {
        if (size < 1 || size > maxQueueSize) {
            throw new IllegalArgumentException("%s: queue size %d is not in 1..%d".formatted(name, size, maxQueueSize));
        }
        requireNotReady(queue).size = size;
    }

    @Override
    public final synchronized void queueAddresses(
            int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        QueueSettings settings = requireNotReady(queue);
        settings.descriptorAddress = descriptorAddress;
        settings.driverAddress = driverAddress;
        settings.deviceAddress = deviceAddress;
    }

    @Override
    public final synchronized void queueState(int queue, QueueState state) {
        requireNotReady(queue).state = state;
    }

    @Override
    public final synchronized QueueState queueState(int queue) {
        QueueSettings settings = settings(queue);
        if (settings.ready && !suspended) {
            throw new IllegalStateException("%s: queue %d is running".formatted(name, queue));
        }
        return settings.stateFor(packed());
    }

    @Override
    public final synchronized QueueSetup queueSetup(int queue) {
        QueueSettings settings = settings(queue);
        return new QueueSetup(
                settings.size, settings.descriptorAddress, settings.driverAddress, settings.deviceAddress);
    }

    @Override
    public final synchronized void queueInflight(int queue, @Nullable MemorySegment region) {
        requireNotReady(queue).inflight = region;
    }

    @Override
    public final synchronized void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        QueueSettings settings = settings(queue);
        EventFd old = settings.kick;
        settings.kick = kick;
        try {
            control.on(settings, runner -> runner.kick(kick));
        } finally {
            if (old != null) {
                old.close();
            }
        }
    }

    @Override
    public final synchronized void queueCall(int queue, @Nullable EventFd call) throws IOException {
        QueueSettings settings = settings(queue);
        EventFd old = settings.call;
        settings.call = call;
        try {
            control.on(settings, runner -> runner.call(call));
        } finally {
            if (old != null) {
                old.close();
            }
        }
    }

    @Override
    public final synchronized boolean queueReady(int queue) {
        return queues.get(queue).ready;
    }

    @Override
    public final synchronized void queueReady(int queue, boolean ready) throws IOException {
        QueueSettings settings = settings(queue);
        if (settings.ready == ready) {
            return;
        }
        if (ready) {
            if (settings.stateFor(packed()) instanceof QueueState.Packed != packed()) {
                throw new IllegalStateException(
                        "%s: queue %d has a state that does not fit the negotiated ring layout".formatted(name, queue));
            }
            settings.ready = true;
            if (!suspended) {
                try {
                    start(queue);
                } catch (IOException | RuntimeException e) {
                    settings.ready = false;
                    throw e;
                }
            }
        } else {
            control.stop(List.of(settings), this::queueFailed);
            settings.ready = false;
        }
    }

    private void start(int queue) throws IOException {
        control.start(queue, driverFeatures, memory, dirtyLog, this::handler, this::queueFailed);
        if (DeviceStatus.has(status.get(), DeviceStatus.DEVICE_NEEDS_RESET)) {
            control.halt();
        }
    }

    private boolean packed() {
        return Feature.has(driverFeatures, Feature.RING_PACKED);
    }

    @Override
    public final synchronized void suspend() throws IOException {
        requireOpen();
        if (!suspended) {
            control.stop(queues, this::queueFailed);
            suspended = true;
        }
    }

    @Override
    public final synchronized void resume() throws IOException {
        requireOpen();
        if (suspended) {
            suspended = false;
            for (int i = 0; i < queues.size(); i++) {
                if (queues.get(i).ready) {
                    start(i);
                }
            }
        }
    }

    private QueueSettings settings(int queue) {
        requireOpen();
        return queues.get(Objects.checkIndex(queue, queues.size()));
    }

    private QueueSettings requireNotReady(int queue) {
        QueueSettings settings = settings(queue);
        if (settings.ready) {
            throw new IllegalStateException("%s: queue %d is ready and cannot be changed".formatted(name, queue));
        }
        return settings;
    }

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
            control.stop(queues, this::queueFailed);
        } finally {
            forgetDriver();
            queues.forEach(QueueSettings::closeDescriptors);
            closed = true;
            release(memory);
            memory = GuestMemory.EMPTY;
            release();
        }
    }
}
