package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DirtyLog;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts and stops the queues of a relayed device, each either with the device on the guest's rings or with the relay
 * between, and waits for it.
 *
 * <p>Under the device's lock and on no event loop, but for {@link #halt}.
 */
final class RelayControl {
    /** Told that a queue cannot go on. */
    interface Failures {
        void failed(int queue, Throwable cause);
    }

    /** A change of a relayed queue, on its loop. */
    interface Change {
        void apply(RelayRunner runner) throws IOException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(RelayControl.class);

    private final List<RelayQueue> queues;
    private final DeviceStatistics statistics;
    private final Failures failures;

    private VdpaDevice device;

    /** Of the device; read by any thread. */
    private volatile InnerDevice inner;

    /** The guest's. */
    private MemoryTable table;

    private @Nullable ShadowMemory shadow;
    private @Nullable SharedDirtyLog log;

    RelayControl(
            VdpaDevice device,
            List<RelayQueue> queues,
            DeviceStatistics statistics,
            Duration drainDeadline,
            Failures failures) {
        this.device = device;
        inner = new InnerDevice(device, drainDeadline);
        this.queues = queues;
        this.statistics = statistics;
        this.failures = failures;
        table = new MemoryTable(List.of());
    }

    InnerDevice inner() {
        return inner;
    }

    List<RelayQueue> readyQueues() {
        return queues.stream().filter(queue -> queue.ready).toList();
    }

    /** Whether a queue that starts gets the relay. */
    boolean relaying() {
        return shadow != null;
    }

    // ---- memory and log ----

    /** Takes another table of the guest's; the relay's region moves out of its way. */
    void memory(MemoryTable newTable) throws IOException {
        ShadowMemory before = shadow;
        if (before != null && before.collides(newTable)) {
            List<RelayQueue> running = relayed();
            stop(running);
            replaceTable(newTable);
            enter();
            before.close();
            startAll(running);
            return;
        }
        giveMemory(newTable);
        replaceTable(newTable);
        onAll(runner -> runner.memory(newTable.memory()));
    }

    private void replaceTable(MemoryTable newTable) {
        newTable.memory().retain();
        table.memory().release();
        table = newTable;
    }

    private void giveMemory(MemoryTable guestTable) throws IOException {
        ShadowMemory added = shadow;
        if (added == null) {
            device.memory(guestTable);
            return;
        }
        MemoryTable both = added.addedTo(guestTable);
        try {
            device.memory(both);
        } finally {
            both.release();
        }
    }

    /** Has queues that start from now on relayed. */
    private void enter() throws IOException {
        int[] sizes = new int[queues.size()];
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = device.maxQueueSize(i);
        }
        ShadowMemory before = shadow;
        ShadowMemory made = ShadowMemory.create(device.name(), table, device.deviceFeatures(), sizes);
        shadow = made;
        try {
            giveMemory(table);
        } catch (IOException | RuntimeException e) {
            shadow = before;
            made.close();
            throw e;
        }
    }

    /** Has queues that start from now on served by the device itself; none is relayed. */
    private void leave() throws IOException {
        ShadowMemory old = shadow;
        if (old != null) {
            shadow = null;
            try {
                giveMemory(table);
            } finally {
                old.close();
            }
        }
    }

    /** Only takes the log for queues that start later; used while the device is suspended. */
    void laterLog(@Nullable SharedDirtyLog newLog) {
        log = newLog;
    }

    /** Switches the relay in, out, or to another log; where that fails everything is as before. */
    void dirtyLog(@Nullable SharedDirtyLog newLog) throws IOException {
        SharedDirtyLog before = log;
        log = newLog;
        boolean done = false;
        try {
            if (newLog == null) {
                switchOut();
            } else {
                if (!relaying() || readyQueues().stream().anyMatch(queue -> queue.runner == null)) {
                    switchIn();
                }
                for (RelayQueue queue : queues) {
                    on(List.of(queue), runner -> runner.dirtyLog(counted(newLog, queue)));
                }
            }
            done = true;
        } finally {
            if (!done) {
                log = before;
            }
        }
    }

    /** What the relay marks, it marks for the device. */
    private @Nullable DirtyLog counted(@Nullable SharedDirtyLog shared, RelayQueue queue) {
        return shared == null
                ? null
                : shared.countedBy(device.statistics().queues().get(queue.index));
    }

    private void switchIn() throws IOException {
        // A device that starts queues at their beginning only has relays before some already.
        List<RelayQueue> ready = readyQueues().stream()
                .filter(queue -> queue.runner == null || !inner.stopsQueues())
                .toList();
        if (!relaying()) {
            enter();
        }
        List<List<RelayQueue>> steps =
                inner.stopsQueues() ? ready.stream().map(List::of).toList() : List.of(ready);
        try {
            for (List<RelayQueue> step : steps) {
                stop(step);
                startAll(step);
            }
        } catch (IOException | RuntimeException e) {
            try {
                switchOut();
            } catch (IOException | RuntimeException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private void switchOut() throws IOException {
        if (!relaying()) {
            return;
        }
        List<RelayQueue> relayed = relayed();
        ShadowMemory kept = shadow;
        List<RelayQueue> again = new ArrayList<>();
        stop(relayed);
        shadow = null;
        try {
            for (RelayQueue queue : relayed) {
                try {
                    queue.startOn(device, device.driverFeatures());
                } catch (UnsupportedOperationException e) {
                    LOG.warn(
                            "{}: queue {} keeps its relay, as the device cannot go on where the queue stands: {}",
                            device.name(),
                            queue.index,
                            e.getMessage());
                    again.add(queue);
                } catch (IOException | RuntimeException e) {
                    failures.failed(queue.index, e);
                    throw e;
                }
            }
        } finally {
            shadow = kept;
        }
        if (again.isEmpty()) {
            leave();
        } else {
            startAll(again);
        }
        inner.endSetUp();
    }

    /** No queue runs: has the next ones start as the log wants it. */
    void enterOrLeave() throws IOException {
        if (log == null) {
            leave();
        } else if (!relaying()) {
            enter();
        }
    }

    private List<RelayQueue> relayed() {
        return queues.stream().filter(queue -> queue.runner != null).toList();
    }

    // ---- queues ----

    /** Starts queues, relayed or not as things stand; rings that are unfit are a failure and no exception. */
    void startAll(List<RelayQueue> starting) throws IOException {
        for (RelayQueue queue : starting) {
            start(queue);
        }
        inner.endSetUp();
    }

    /**
     * Starts a queue while others run. A device that takes its queues together only is stopped for it and started with all.
     */
    void startBeside(RelayQueue queue) throws IOException {
        List<RelayQueue> running = readyQueues();
        try {
            startAll(List.of(queue));
        } catch (UnsupportedOperationException e) {
            if (running.isEmpty()) {
                throw e;
            }
            LOG.info("{}: all queues start again, with queue {}: {}", device.name(), queue.index, e.getMessage());
            stop(running);
            List<RelayQueue> all = new ArrayList<>(running);
            all.add(queue);
            startAll(all);
        }
    }

    private void start(RelayQueue queue) throws IOException {
        if (shadow == null) {
            try {
                queue.startOn(device, device.driverFeatures());
                return;
            } catch (UnsupportedOperationException e) {
                LOG.info(
                        "{}: queue {} has a relay until the next reset: {}",
                        device.name(),
                        queue.index,
                        e.getMessage());
                enter();
            }
        }
        startRelayed(queue, Objects.requireNonNull(shadow));
    }

    private void startRelayed(RelayQueue queue, ShadowMemory memory) throws IOException {
        if (queue.loop.isOnLoop()) {
            throw new IllegalStateException(device.name() + " is controlled from an event loop");
        }
        long features = device.driverFeatures();
        boolean started = false;
        try {
            EventFd kick = queue.openDeviceKick();
            EventFd call = queue.openDeviceCall();
            DriverRings rings = memory.rings(queue.index, queue.setup.size(), features);
            queue.runner = queue.loop.call(() -> makeRunner(queue, rings, kick, call, features));
            if (queue.runner != null) {
                queue.connect(device, rings, kick, call);
                device.queueReady(queue.index, true);
                queue.forgetCarried();
                started = true;
            }
        } finally {
            if (!started) {
                endRunner(queue);
            }
        }
    }

    private @Nullable RelayRunner makeRunner(
            RelayQueue queue, DriverRings rings, EventFd kick, EventFd call, long features) throws IOException {
        try {
            return new RelayRunner(
                    queue.loop,
                    queue.config(features),
                    table.memory(),
                    rings,
                    kick,
                    call,
                    queue.kick,
                    queue.call,
                    counted(log, queue),
                    queue.carriedSettled,
                    statistics.queues().get(queue.index),
                    cause -> failures.failed(queue.index, cause));
        } catch (GuestFaultException | InternalError e) {
            failures.failed(queue.index, e);
            return null;
        }
    }

    /**
     * Stops queues and notes where they stand. Where the device has to be reset for it, the others stop too and go on
     * behind the reset. Where that fails in time, all go on as before.
     */
    void stop(List<RelayQueue> stopping) throws IOException {
        if (stopping.isEmpty()) {
            return;
        }
        List<RelayQueue> affected = inner.stopsQueues() ? stopping : readyQueues();
        List<RelayQueue> viaRelay =
                affected.stream().filter(queue -> queue.runner != null).toList();
        List<RelayQueue> direct = affected.stream()
                .filter(queue -> queue.runner == null && device.queueReady(queue.index))
                .toList();
        if (!viaRelay.isEmpty()) {
            stopRelayed(viaRelay);
        }
        if (!direct.isEmpty()) {
            try {
                inner.stopDirect(direct, table.memory());
            } catch (DeviceFaultException e) {
                failures.failed(direct.getFirst().index, e);
            }
        }
        List<RelayQueue> others =
                affected.stream().filter(queue -> !stopping.contains(queue)).toList();
        if (!others.isEmpty()) {
            startAll(others);
        }
    }

    private void stopRelayed(List<RelayQueue> stopping) throws IOException {
        boolean stopped = false;
        try {
            inner.awaitTakenOver(stopping);
            on(stopping, RelayRunner::stopTaking);
            inner.stopRelayed(stopping);
            stopped = true;
        } finally {
            if (!stopped) {
                on(stopping, RelayRunner::goOn);
            }
        }
        stopping.forEach(this::endRunner);
    }

    /** The device's queue has stopped: the relay of it ends and leaves the state of the guest's. */
    private void endRunner(RelayQueue queue) {
        RelayRunner runner = queue.runner;
        try {
            if (runner != null) {
                queue.state = queue.loop.call(() -> finish(queue, runner));
            }
            device.queueKick(queue.index, null);
            device.queueCall(queue.index, null);
        } catch (IOException | RuntimeException e) {
            failures.failed(queue.index, e);
        } finally {
            queue.runner = null;
            queue.closeRun();
        }
    }

    private @Nullable QueueState finish(RelayQueue queue, RelayRunner runner) throws IOException {
        try {
            return runner.finish();
        } catch (DeviceFaultException e) {
            failures.failed(queue.index, e);
            return queue.state;
        }
    }

    /**
     * Notes where queues stand whose device is gone. A queue where that does not show has failed: the driver has to reset
     * the device.
     */
    void abandon(List<RelayQueue> abandoned) {
        for (RelayQueue queue : abandoned) {
            try {
                RelayRunner runner = queue.runner;
                if (runner == null) {
                    inner.abandonDirect(queue, table.memory());
                } else {
                    abandonRelayed(queue, runner);
                }
            } catch (DeviceFaultException | IOException | RuntimeException e) {
                failures.failed(queue.index, e);
            }
        }
    }

    private void abandonRelayed(RelayQueue queue, RelayRunner runner) throws IOException, DeviceFaultException {
        on(queue, RelayRunner::stopTaking);
        int left = runner.outstanding();
        endRunner(queue);
        if (left > 0) {
            throw new DeviceFaultException(
                    "queue %d: the device left %d requests unanswered that were relayed".formatted(queue.index, left));
        }
    }

    /** Another device is behind the relay from now on, brought as far as its queues can be started. No queue runs. */
    void replace(VdpaDevice next) throws IOException {
        InnerDevice nextInner = inner.replacedBy(next);
        leave();
        for (RelayQueue queue : queues) {
            device.queueKick(queue.index, null);
            device.queueCall(queue.index, null);
        }
        MemoryTable none = new MemoryTable(List.of());
        try {
            device.memory(none);
        } finally {
            none.release();
        }
        next.memory(table);
        device = next;
        inner = nextInner;
        if (log != null) {
            enter();
        }
    }

    /** The guest resets the device: whatever state it is in, it ends reset and the relay out. */
    void reset() throws IOException {
        List<RelayQueue> running = relayed();
        on(running, RelayRunner::stopTaking);
        try {
            device.reset();
        } finally {
            running.forEach(this::endRunner);
            log = null;
            inner.forget();
            leave();
        }
    }

    /** Has all queues move nothing any more. Any thread. */
    void halt() {
        for (RelayQueue queue : queues) {
            RelayRunner runner = queue.runner;
            if (runner != null) {
                queue.loop.execute(runner::halt);
            }
        }
    }

    void on(RelayQueue queue, Change change) throws IOException {
        RelayRunner runner = queue.runner;
        if (runner != null) {
            queue.loop.call(() -> {
                change.apply(runner);
                return true;
            });
        }
    }

    private void on(List<RelayQueue> changed, Change change) throws IOException {
        for (RelayQueue queue : changed) {
            on(queue, change);
        }
    }

    private void onAll(Change change) throws IOException {
        on(queues, change);
    }

    InflightRequests inflightRequests(RelayQueue queue) throws IOException {
        return relaying() ? InflightRequests.none() : device.inflightRequests(queue.index);
    }

    /** Lets go of the guest's memory; the device is closed. */
    void close() {
        table.memory().release();
    }
}
