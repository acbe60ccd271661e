package io.fairlead.devices.base;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.StopMode;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The queues of one device: what was settled for each, when they run, what they leave in flight and take up. Under the
 * device's lock, but for {@link #halt} and {@link #settled}.
 */
final class DeviceQueues {
    /** The device, as its queues see it. */
    interface Owner extends QueueControl.Handlers, QueueControl.Failures {
        /** See {@link SoftwareDevice#leavesRequests}. */
        boolean leavesRequests();

        /** Whether no queue shall take requests. */
        boolean needsReset();
    }

    private static final Logger LOG = LoggerFactory.getLogger(DeviceQueues.class);

    private final String name;
    private final int maxSize;
    private final List<QueueSettings> queues;
    private final QueueControl control;
    private final Settlement settlement = new Settlement();
    private Duration drainPatience = Duration.ofSeconds(5);
    private GuestMemory memory = GuestMemory.EMPTY;
    private @Nullable SharedDirtyLog dirtyLog;
    private StopMode stopMode = StopMode.DRAIN;
    private boolean suspended;

    DeviceQueues(String name, DeviceStatistics statistics, int maxSize, Supplier<EventLoop> loops) {
        this.name = name;
        this.maxSize = maxSize;
        queues = IntStream.range(0, statistics.queues().size())
                .mapToObj(index -> new QueueSettings(index, loops.get(), maxSize))
                .toList();
        control = new QueueControl(name, queues, statistics);
    }

    int count() {
        return queues.size();
    }

    QueueSettings settings(int queue) {
        return queues.get(Objects.checkIndex(queue, queues.size()));
    }

    QueueSettings requireNotReady(int queue) {
        QueueSettings settings = settings(queue);
        if (settings.ready()) {
            throw new IllegalStateException("%s: queue %d is ready and cannot be changed".formatted(name, queue));
        }
        return settings;
    }

    void requireNoneReady() {
        for (int i = 0; i < queues.size(); i++) {
            requireNotReady(i);
        }
    }

    private QueueSettings requireStopped(int queue) {
        QueueSettings settings = settings(queue);
        if (settings.ready() && !suspended) {
            throw new IllegalStateException("%s: queue %d is running".formatted(name, queue));
        }
        return settings;
    }

    // ---- what is settled for a queue ----

    void size(int queue, int size) {
        if (size < 1 || size > maxSize) {
            throw new IllegalArgumentException("%s: queue size %d is not in 1..%d".formatted(name, size, maxSize));
        }
        requireNotReady(queue).size(size);
    }

    QueueSetup setup(int queue) {
        return settings(queue).setup();
    }

    void state(int queue, QueueState state) {
        QueueSettings settings = requireNotReady(queue);
        int forgotten = settings.carried.goesOn(settings.stateFor(state instanceof QueueState.Packed), state);
        if (forgotten > 0) {
            LOG.warn(
                    "{}: queue {} goes on at {}; {} requests that it left in flight are forgotten",
                    name,
                    queue,
                    state,
                    forgotten);
        }
        settings.state(state);
    }

    QueueState state(int queue, boolean packed) {
        return requireStopped(queue).stateFor(packed);
    }

    void kick(int queue, @Nullable EventFd kick) throws IOException {
        QueueSettings settings = settings(queue);
        settings.kick(kick, () -> control.on(settings, runner -> runner.kick(kick)));
    }

    void call(int queue, @Nullable Signal call) throws IOException {
        QueueSettings settings = settings(queue);
        settings.call(call, () -> control.on(settings, runner -> runner.call(call)));
    }

    // ---- start and stop ----

    void ready(int queue, boolean ready, long features, Owner owner) throws IOException {
        QueueSettings settings = settings(queue);
        if (settings.ready() == ready) {
            return;
        }
        if (!ready) {
            stop(List.of(settings), owner);
            settings.ready(false);
            return;
        }
        boolean packed = Feature.has(features, Feature.RING_PACKED);
        settings.startState(name, packed);
        settings.ready(true);
        if (!suspended) {
            try {
                start(queue, features, owner);
            } catch (IOException | RuntimeException e) {
                settings.ready(false);
                throw e;
            }
        }
    }

    private void start(int queue, long features, Owner owner) throws IOException {
        control.start(queue, features, memory, dirtyLog, owner);
        if (owner.needsReset()) {
            control.halt();
        }
    }

    private void stop(List<QueueSettings> stopping, QueueRunner.Stop how, Owner owner) throws IOException {
        control.stop(stopping, how, null, settlement, owner);
    }

    /** As the owner said. */
    private void stop(List<QueueSettings> stopping, Owner owner) throws IOException {
        QueueRunner.Stop how = stopMode == StopMode.FREEZE ? QueueRunner.Stop.FREEZE : QueueRunner.Stop.DRAIN;
        Duration patience = stopMode == StopMode.DRAIN_THEN_FREEZE ? drainPatience : null;
        control.stop(stopping, how, patience, settlement, owner);
    }

    void drainPatience(Duration patience) {
        drainPatience = patience;
    }

    void suspend(Owner owner) throws IOException {
        if (!suspended) {
            stop(queues, owner);
            suspended = true;
        }
    }

    void resume(long features, Owner owner) throws IOException {
        if (suspended) {
            suspended = false;
            for (int i = 0; i < queues.size(); i++) {
                if (queues.get(i).ready()) {
                    start(i, features, owner);
                }
            }
        }
    }

    /** Has all queues take no further request. Any thread. */
    void halt() {
        control.halt();
    }

    // ---- migration ----

    void stopMode(StopMode mode) {
        stopMode = mode;
    }

    /** Any thread. */
    CompletionStage<Void> settled(Supplier<CompletionStage<Void>> lastStep) {
        return settlement.settled(lastStep);
    }

    InflightRequests inflightRequests(int queue) {
        return requireStopped(queue).carried.requests();
    }

    void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        QueueSettings settings = requireNotReady(queue);
        try {
            requests.requireFit(maxSize);
        } catch (GuestFaultException e) {
            throw new IllegalArgumentException("%s: queue %d: %s".formatted(name, queue, e.getMessage()), e);
        }
        settings.carried.carryOver(requests, settledElsewhere);
    }

    void dirtyLog(@Nullable SharedDirtyLog log) throws IOException {
        dirtyLog = log;
        control.onAll(runner -> runner.dirtyLog(log == null ? null : log.countedBy(runner.statistics())));
    }

    // ---- memory ----

    void memory(GuestMemory replacement) throws IOException {
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

    // ---- end ----

    /** Stops all queues, waits until the host works on nothing of theirs, and forgets what the driver set. */
    void reset(Owner owner) throws IOException {
        stop(queues, QueueRunner.Stop.FINISH, owner);
        settlement.awaitQuiet();
        forgetDriver();
    }

    /** As {@link #reset}, and waits for nothing that the host works on: queues that start again do. */
    void restart(Owner owner) throws IOException {
        stop(queues, QueueRunner.Stop.FREEZE, owner);
        List<InflightRequests> left =
                queues.stream().map(queue -> queue.carried.requests()).toList();
        forgetDriver();
        if (owner.leavesRequests()) {
            // Nobody else recorded them.
            for (int i = 0; i < left.size(); i++) {
                queues.get(i).carried.carryOver(left.get(i), CompletableFuture.completedStage(null));
            }
        }
    }

    private void forgetDriver() {
        settlement.reset();
        queues.forEach(queue -> queue.reset(maxSize));
        stopMode = StopMode.DRAIN;
        suspended = false;
    }

    /** As {@link #reset}, and lets go of what the front-end gave. */
    void close(Owner owner) throws IOException {
        try {
            stop(queues, QueueRunner.Stop.FINISH, owner);
            settlement.awaitAll();
        } finally {
            queues.forEach(queue -> {
                queue.reset(maxSize);
                queue.closeDescriptors();
            });
            dirtyLog = null;
            release(memory);
            memory = GuestMemory.EMPTY;
        }
    }
}
