package io.fairlead.devices.base;

import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueConfig;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Starts, changes and stops the queues of one device, each on its loop, and waits for it.
 *
 * <p>Under the device's lock and on no event loop, but for {@link #halt}.
 */
final class QueueControl {
    /** Makes the handler of a queue. */
    interface Handlers {
        QueueHandler create(int queue, QueueRunner runner, long features);
    }

    /** Told that a queue cannot go on. */
    interface Failures {
        void failed(int queue, Throwable cause);
    }

    /** A change of a running queue, on its loop. */
    interface Change {
        void apply(QueueRunner runner) throws IOException;
    }

    private final String name;
    private final List<QueueSettings> queues;
    private final DeviceStatistics statistics;

    QueueControl(String name, List<QueueSettings> queues, DeviceStatistics statistics) {
        this.name = name;
        this.queues = queues;
        this.statistics = statistics;
    }

    /** Starts a queue where its settings say; rings that are unfit are a failure of the queue and no exception. */
    void start(int index, long features, GuestMemory memory, @Nullable SharedDirtyLog log, DeviceQueues.Owner owner)
            throws IOException {
        QueueSettings settings = queues.get(index);
        EventLoop loop = settings.loop;
        requireOffLoop(loop);
        QueueConfig config = settings.config(features, owner.leavesRequests());
        Gate gate = settings.carried.gate();
        QueueStatistics counters = statistics.queues().get(index);
        settings.runner = loop.call(() -> {
            try {
                return new QueueRunner(
                        loop,
                        config,
                        memory,
                        settings.kick(),
                        settings.call(),
                        log == null ? null : log.countedBy(counters),
                        gate,
                        counters,
                        runner -> owner.create(index, runner, features),
                        cause -> owner.failed(index, cause));
            } catch (GuestFaultException | InternalError e) {
                counters.countGuestFault();
                owner.failed(index, e);
                return null;
            }
        });
    }

    /** Has all queues take no further request. Any thread. */
    void halt() {
        for (QueueSettings queue : queues) {
            QueueRunner runner = queue.runner;
            if (runner != null) {
                queue.loop.execute(runner::halt);
            }
        }
    }

    void onAll(Change change) throws IOException {
        for (QueueSettings queue : queues) {
            on(queue, change);
        }
    }

    void on(QueueSettings queue, Change change) throws IOException {
        QueueRunner runner = queue.runner;
        if (runner != null) {
            queue.loop.call(() -> {
                change.apply(runner);
                return true;
            });
        }
    }

    /**
     * Stops queues at the same time, waits until they have stopped, and notes where they stand.
     *
     * @param stopping some or all of the device's
     * @param patience after which those that have not stopped are frozen; null to wait for them
     * @param settlement told of what is frozen
     */
    void stop(
            List<QueueSettings> stopping,
            QueueRunner.Stop how,
            @Nullable Duration patience,
            Settlement settlement,
            Failures failures)
            throws IOException {
        List<QueueSettings> running =
                stopping.stream().filter(queue -> queue.runner != null).toList();
        List<CompletableFuture<QueueRunner.End>> ends = new ArrayList<>();
        for (QueueSettings queue : running) {
            requireOffLoop(queue.loop);
            QueueRunner runner = queue.runner;
            if (runner != null) {
                ends.add(queue.loop.call(() -> runner.stop(how)));
            }
        }
        if (patience != null) {
            freezeLate(running, ends, patience);
        }
        for (int i = 0; i < ends.size(); i++) {
            QueueSettings queue = running.get(i);
            QueueRunner runner = Objects.requireNonNull(queue.runner);
            InflightRequests left = InflightRequests.none();
            try {
                QueueRunner.End end = ends.get(i).join();
                queue.state(end.state());
                left = end.left();
            } catch (CompletionException e) {
                failures.failed(queues.indexOf(queue), e.getCause() == null ? e : e.getCause());
            } finally {
                queue.runner = null;
                queue.carried.stopped(left, runner.ended());
                if (runner.isFrozen()) {
                    settlement.add(runner.ended(), queue.carried.endedElsewhere(left));
                }
            }
        }
    }

    private static void freezeLate(
            List<QueueSettings> stopping, List<CompletableFuture<QueueRunner.End>> ends, Duration patience)
            throws IOException {
        CompletableFuture<Void> all = CompletableFuture.allOf(ends.toArray(CompletableFuture[]::new));
        boolean late = all.handle((_, _) -> false)
                .completeOnTimeout(true, patience.toNanos(), TimeUnit.NANOSECONDS)
                .join();
        if (late) {
            for (QueueSettings queue : stopping) {
                QueueRunner runner = Objects.requireNonNull(queue.runner);
                var _ = queue.loop.call(() -> runner.stop(QueueRunner.Stop.FREEZE));
            }
        }
    }

    private void requireOffLoop(EventLoop loop) {
        if (loop.isOnLoop()) {
            throw new IllegalStateException(name + " is controlled from an event loop");
        }
    }
}
