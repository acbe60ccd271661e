package io.fairlead.vdpa.relay;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.Departure;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DeviceQueue;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A device for tests that serves its rings for real, on an event loop, and can do as little as the test wants. Queue 0
 * answers requests ({@link TestQueue}); queue 1 hands out what the test gives to {@link #event}.
 */
final class TestDevice implements VdpaDevice {
    static final long FEATURES =
            Feature.VERSION_1 | Feature.RING_PACKED | Feature.EVENT_IDX | Feature.INDIRECT_DESC | Feature.IN_ORDER;
    static final int MAX_SIZE = 256;
    static final int REQUESTS = 0;
    static final int EVENTS = 1;

    /** In which order it answers. */
    enum Order {
        FIRST_IN_FIRST_OUT,
        RANDOM,
        /** Like RANDOM, and each waits for a while. */
        SLOW,
        /** None, until a stop. */
        NEVER
    }

    private static final class Settings {
        QueueSetup setup = new QueueSetup(MAX_SIZE, 0, 0, 0);

        @Nullable
        QueueState state;

        @Nullable
        EventFd kick;

        @Nullable
        EventFd call;

        @Nullable
        MemorySegment inflight;

        @Nullable
        TestQueue queue;

        boolean ready;
    }

    private final EventLoop loop;
    private final Set<Capability> capabilities;
    private final List<Settings> queues =
            IntStream.range(0, 2).mapToObj(_ -> new Settings()).toList();
    private final DeviceStatistics statistics = DeviceStatistics.ofQueues(2);
    private final ConfigSpace config;
    private final long seed;
    /** Buffers that it took from its rings. */
    final AtomicInteger taken = new AtomicInteger();

    /** The id of the buffer that it took last. */
    volatile int lastHead;

    /** Sizes of events to hand out. */
    final Queue<Integer> eventsDue = new ConcurrentLinkedQueue<>();

    volatile Order order = Order.FIRST_IN_FIRST_OUT;
    volatile boolean onlyInitialState;

    /** As one that is gone. */
    volatile boolean needsResetAfterReset;

    /** How many resets the device has seen. */
    final AtomicInteger resets = new AtomicInteger();

    private volatile @Nullable DeviceListener listener;
    private final AtomicInteger status = new AtomicInteger();
    private long features;
    private GuestMemory memory = GuestMemory.EMPTY;
    private final List<GuestMemory> memories = new ArrayList<>();
    private @Nullable MemoryTable table;
    private boolean suspended;

    TestDevice(EventLoop loop, Set<Capability> capabilities, long seed) {
        this.loop = loop;
        this.capabilities = capabilities.isEmpty() ? Set.of() : EnumSet.copyOf(capabilities);
        this.seed = seed;
        BitSet writable = new BitSet();
        writable.set(2, 6);
        config = new ConfigSpace(8, writable);
    }

    /** Fills the next buffer of queue 1 with so many bytes. */
    void event(int byteCount) throws IOException {
        TestQueue queue = queues.get(EVENTS).queue;
        eventsDue.add(byteCount);
        if (queue != null) {
            loop.execute(queue::wake);
        }
    }

    /** Has queue 0 go on after another order was set. */
    void wake() {
        TestQueue queue = queues.get(REQUESTS).queue;
        if (queue != null) {
            loop.execute(queue::wake);
        }
    }

    /** Whether somebody sees to it that the device may go away. */
    boolean isLeaving(Departure departure) {
        DeviceListener told = listener;
        return told != null && told.leaving(departure);
    }

    /** What the device sees of memory. */
    @Nullable
    MemoryTable table() {
        return table;
    }

    QueueSetup innerSetup(int queue) {
        return queues.get(queue).setup;
    }

    MemorySegment ring(int queue) throws GuestFaultException {
        QueueSetup setup = queues.get(queue).setup;
        return memory.slice(setup.deviceAddress(), 4 + 8L * setup.size());
    }

    /** Rings the bell without having done anything. */
    void signal(int queue) {
        EventFd call = queues.get(queue).call;
        if (call != null) {
            call.signal();
        }
    }

    @Override
    public String name() {
        return "test";
    }

    @Override
    public int deviceId() {
        return 42;
    }

    @Override
    public Set<Capability> capabilities() {
        return capabilities;
    }

    @Override
    public Map<String, String> identity() {
        return Map.of("serial", "t1");
    }

    @Override
    public long deviceFeatures() {
        return FEATURES;
    }

    @Override
    public long driverFeatures() {
        return features;
    }

    @Override
    public void driverFeatures(long newFeatures) {
        queues.forEach(TestDevice::requireNotReady);
        features = newFeatures;
    }

    @Override
    public int status() {
        return status.get();
    }

    @Override
    public void status(int newStatus) throws IOException {
        if (newStatus == 0) {
            reset();
        } else {
            status.set(newStatus);
        }
    }

    @Override
    public void reset() throws IOException {
        resets.incrementAndGet();
        for (Settings queue : queues) {
            stop(queue);
            queue.ready = false;
            queue.state = null;
            queue.inflight = null;
            queue.setup = new QueueSetup(MAX_SIZE, 0, 0, 0);
        }
        features = 0;
        status.set(needsResetAfterReset ? DeviceStatus.DEVICE_NEEDS_RESET : 0);
        suspended = false;
        config.update(bytes -> bytes.fill((byte) 0));
    }

    @Override
    public int configByteCount() {
        return config.byteCount();
    }

    @Override
    public void readConfig(int offset, MemorySegment target) {
        config.read(offset, target);
    }

    @Override
    public void writeConfig(int offset, MemorySegment source) {
        boolean _ = config.write(offset, source);
    }

    @Override
    public int configGeneration() {
        return config.generation();
    }

    @Override
    public void listener(@Nullable DeviceListener newListener) {
        listener = newListener;
    }

    @Override
    public void memory(MemoryTable newTable) throws IOException {
        newTable.memory().retain();
        // Requests in flight may use any of them.
        memories.add(newTable.memory());
        table = newTable;
        memory = newTable.memory();
        for (Settings queue : queues) {
            TestQueue running = queue.queue;
            if (running != null) {
                loop.call(() -> {
                    running.memory(newTable.memory());
                    return true;
                });
            }
        }
    }

    @Override
    public int queueCount() {
        return queues.size();
    }

    @Override
    public int maxQueueSize(int queue) {
        return MAX_SIZE;
    }

    private static void requireNotReady(Settings queue) {
        if (queue.ready) {
            throw new IllegalStateException("the queue is ready");
        }
    }

    @Override
    public void queueSize(int queue, int size) {
        requireNotReady(queues.get(queue));
        QueueSetup old = queues.get(queue).setup;
        queues.get(queue).setup =
                new QueueSetup(size, old.descriptorAddress(), old.driverAddress(), old.deviceAddress());
    }

    @Override
    public void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        requireNotReady(queues.get(queue));
        queues.get(queue).setup =
                new QueueSetup(queues.get(queue).setup.size(), descriptorAddress, driverAddress, deviceAddress);
    }

    @Override
    public QueueSetup queueSetup(int queue) {
        return queues.get(queue).setup;
    }

    @Override
    public void queueState(int queue, QueueState state) {
        requireNotReady(queues.get(queue));
        if (onlyInitialState && !state.equals(QueueState.initial(state instanceof QueueState.Packed))) {
            throw new UnsupportedOperationException("only from the beginning");
        }
        queues.get(queue).state = state;
    }

    @Override
    public QueueState queueState(int queue) {
        Settings settings = queues.get(queue);
        if (!capabilities.contains(Capability.QUEUE_STATE)) {
            throw new UnsupportedOperationException("no state");
        }
        if (settings.ready && !suspended) {
            throw new IllegalStateException("the queue is running");
        }
        QueueState state = settings.state;
        return state != null ? state : QueueState.initial(Feature.has(features, Feature.RING_PACKED));
    }

    @Override
    public void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        Settings settings = queues.get(queue);
        EventFd old = settings.kick;
        settings.kick = kick;
        TestQueue running = settings.queue;
        if (running != null) {
            loop.call(() -> {
                running.kick(kick);
                return true;
            });
        }
        if (old != null) {
            old.close();
        }
    }

    @Override
    public void queueCall(int queue, @Nullable EventFd call) throws IOException {
        Settings settings = queues.get(queue);
        EventFd old = settings.call;
        settings.call = call;
        TestQueue running = settings.queue;
        if (running != null) {
            loop.call(() -> {
                running.call(call);
                return true;
            });
        }
        if (old != null) {
            old.close();
        }
    }

    @Override
    public void queueInflight(int queue, @Nullable MemorySegment region) {
        requireNotReady(queues.get(queue));
        queues.get(queue).inflight = region;
    }

    @Override
    public boolean queueReady(int queue) {
        return queues.get(queue).ready;
    }

    @Override
    public void queueReady(int queue, boolean ready) throws IOException {
        Settings settings = queues.get(queue);
        if (settings.ready == ready) {
            return;
        }
        if (ready) {
            start(queue, settings);
        } else if (capabilities.contains(Capability.QUEUE_STOP)) {
            stop(settings);
        } else {
            throw new UnsupportedOperationException("no stop");
        }
        settings.ready = ready;
    }

    private void start(int index, Settings settings) throws IOException {
        QueueState state = settings.state;
        QueueConfig queueConfig = new QueueConfig(
                settings.setup.size(),
                settings.setup.descriptorAddress(),
                settings.setup.driverAddress(),
                settings.setup.deviceAddress(),
                features,
                state != null ? state : QueueState.initial(Feature.has(features, Feature.RING_PACKED)),
                settings.inflight);
        settings.queue = loop.call(() -> {
            try {
                return new TestQueue(
                        this,
                        loop,
                        DeviceQueue.create(queueConfig, memory),
                        index == EVENTS,
                        seed,
                        settings.kick,
                        settings.call);
            } catch (GuestFaultException e) {
                fault(e);
                return null;
            }
        });
    }

    private void stop(Settings settings) throws IOException {
        TestQueue queue = settings.queue;
        if (queue != null) {
            settings.state = loop.call(queue::stop);
            settings.queue = null;
        }
    }

    void fault(Throwable cause) {
        status.updateAndGet(bits -> bits | DeviceStatus.DEVICE_NEEDS_RESET);
        DeviceListener told = listener;
        if (told != null) {
            told.needsReset(String.valueOf(cause.getMessage()));
        }
    }

    @Override
    public void suspend() throws IOException {
        if (!capabilities.contains(Capability.SUSPEND)) {
            throw new UnsupportedOperationException("no suspend");
        }
        for (Settings queue : queues) {
            stop(queue);
        }
        suspended = true;
    }

    @Override
    public void resume() throws IOException {
        suspended = false;
        for (int i = 0; i < queues.size(); i++) {
            if (queues.get(i).ready) {
                start(i, queues.get(i));
            }
        }
    }

    @Override
    public void stopMode(StopMode mode) {}

    @Override
    public CompletionStage<Void> settled() {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public InflightRequests inflightRequests(int queue) {
        return InflightRequests.none();
    }

    @Override
    public void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void dirtyLog(@Nullable SharedDirtyLog log) {
        throw new UnsupportedOperationException("no log");
    }

    @Override
    public DeviceStatistics statistics() {
        return statistics;
    }

    @Override
    public void close() throws IOException {
        reset();
        for (int i = 0; i < queues.size(); i++) {
            queueKick(i, null);
            queueCall(i, null);
        }
        memories.forEach(GuestMemory::release);
        memories.clear();
    }

    /** Registers or leaves a descriptor. */
    static void listen(EventLoop loop, EventFd event, Runnable woken) throws IOException {
        loop.register(event.raw(), Epoll.EPOLLIN, _ -> {
            if (event.drain()) {
                woken.run();
            }
        });
    }
}
