package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DirtyLog;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
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
 * <p>Under the device's lock and on no event loop, but for what says any thread.
 */
final class RelayControl {
    /** A change of a relayed queue, on its loop. */
    interface Change {
        void apply(RelayRunner runner) throws IOException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(RelayControl.class);

    final List<RelayQueue> queues;
    final RelayMemory memory;
    private final DeviceStatistics statistics;
    private final RelayFaults faults;

    /** The device that serves now, and what is to know of it; read by any thread. */
    private volatile InnerDevice inner;

    /** What the relay marks into. */
    private @Nullable SharedDirtyLog log;

    RelayControl(
            InnerDevice inner,
            List<RelayQueue> queues,
            RelayMemory memory,
            DeviceStatistics statistics,
            RelayFaults faults) {
        this.inner = inner;
        this.queues = queues;
        this.memory = memory;
        this.statistics = statistics;
        this.faults = faults;
    }

    InnerDevice inner() {
        return inner;
    }

    /** Another device serves from now on. No queue runs. */
    void inner(InnerDevice next) {
        inner = next;
    }

    /** The device that serves now. Any thread. */
    VdpaDevice device() {
        return inner.device();
    }

    @Nullable
    SharedDirtyLog log() {
        return log;
    }

    /** For queues that start from now on. */
    void log(@Nullable SharedDirtyLog newLog) {
        log = newLog;
    }

    /** What the relay marks, it marks for the device. */
    @Nullable
    DirtyLog counted(@Nullable SharedDirtyLog shared, RelayQueue queue) {
        return shared == null
                ? null
                : shared.countedBy(device().statistics().queues().get(queue.index()));
    }

    List<RelayQueue> readyQueues() {
        return queues.stream().filter(queue -> queue.ready()).toList();
    }

    /** Whether a queue that starts gets the relay. */
    boolean relaying() {
        return memory.shadow() != null;
    }

    List<RelayQueue> relayed() {
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
            LOG.info("{}: all queues start again, with queue {}: {}", device().name(), queue.index(), e.getMessage());
            stop(running);
            List<RelayQueue> all = new ArrayList<>(running);
            all.add(queue);
            startAll(all);
        }
    }

    private void start(RelayQueue queue) throws IOException {
        VdpaDevice device = device();
        if (!relaying()) {
            try {
                queue.startOn(device, device.driverFeatures());
                return;
            } catch (UnsupportedOperationException e) {
                LOG.info(
                        "{}: queue {} has a relay until the next reset: {}",
                        device.name(),
                        queue.index(),
                        e.getMessage());
                memory.enter(device);
            }
        }
        startRelayed(device, queue, Objects.requireNonNull(memory.shadow()));
    }

    private void startRelayed(VdpaDevice device, RelayQueue queue, ShadowMemory shadow) throws IOException {
        if (queue.loop.isOnLoop()) {
            throw new IllegalStateException(device.name() + " is controlled from an event loop");
        }
        long features = device.driverFeatures();
        boolean started = false;
        try {
            EventFd kick = queue.openDeviceKick();
            EventFd call = queue.openDeviceCall();
            DriverRings rings = shadow.rings(queue.index(), queue.size(), features);
            queue.runner = queue.loop.call(() -> makeRunner(queue, rings, kick, call, features));
            if (queue.runner != null) {
                queue.connect(device, rings, kick, call);
                device.queueReady(queue.index(), true);
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
                    memory.guest(),
                    rings,
                    kick,
                    call,
                    queue.kick(),
                    queue.call(),
                    counted(log, queue),
                    queue.carriedSettled,
                    statistics.queues().get(queue.index()),
                    cause -> failed(queue.index(), cause));
        } catch (GuestFaultException | InternalError e) {
            failed(queue.index(), e);
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
                .filter(queue -> queue.runner == null && device().queueReady(queue.index()))
                .toList();
        if (!viaRelay.isEmpty()) {
            stopRelayed(viaRelay);
        }
        if (!direct.isEmpty()) {
            try {
                inner.stopDirect(direct, memory.guest());
            } catch (DeviceFaultException e) {
                failed(direct.getFirst().index(), e);
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
    void endRunner(RelayQueue queue) {
        RelayRunner runner = queue.runner;
        try {
            if (runner != null) {
                queue.state(queue.loop.call(() -> finish(queue, runner)));
            }
            VdpaDevice device = device();
            device.queueKick(queue.index(), null);
            device.queueCall(queue.index(), null);
        } catch (IOException | RuntimeException e) {
            failed(queue.index(), e);
        } finally {
            queue.runner = null;
            queue.closeRun();
        }
    }

    private @Nullable QueueState finish(RelayQueue queue, RelayRunner runner) throws IOException {
        try {
            return runner.finish();
        } catch (DeviceFaultException e) {
            failed(queue.index(), e);
            return queue.state();
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
                    inner.abandonDirect(queue, memory.guest());
                } else {
                    abandonRelayed(queue, runner);
                }
            } catch (DeviceFaultException | IOException | RuntimeException e) {
                failed(queue.index(), e);
            }
        }
    }

    private void abandonRelayed(RelayQueue queue, RelayRunner runner) throws IOException, DeviceFaultException {
        on(queue, RelayRunner::stopTaking);
        int left = runner.outstanding();
        endRunner(queue);
        if (left > 0) {
            throw new DeviceFaultException("queue %d: the device left %d requests unanswered that were relayed"
                    .formatted(queue.index(), left));
        }
    }

    /** A queue cannot go on. Any thread; the first cause counts. */
    void failed(int queue, Throwable cause) {
        boolean guestFault = cause instanceof GuestFaultException;
        if (guestFault) {
            device().statistics().queues().get(queue).countGuestFault();
            statistics.queues().get(queue).countGuestFault();
        }
        faults.fail(
                "queue %d, relayed: %s".formatted(queue, cause.getMessage() == null ? cause : cause.getMessage()),
                guestFault ? null : cause);
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

    void on(List<RelayQueue> changed, Change change) throws IOException {
        for (RelayQueue queue : changed) {
            on(queue, change);
        }
    }

    void onAll(Change change) throws IOException {
        on(queues, change);
    }
}
