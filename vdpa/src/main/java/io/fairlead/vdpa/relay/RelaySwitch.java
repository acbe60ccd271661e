package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What concerns all queues of a relayed device at a time: its memory, the relay in and out for a log, suspended and resumed,
 * another device in its place, its reset.
 *
 * <p>Under the device's lock and on no event loop.
 */
final class RelaySwitch {
    private static final Logger LOG = LoggerFactory.getLogger(RelaySwitch.class);

    private final RelayControl control;
    private final RelayMemory memory;
    private boolean suspended;

    /** Suspended with the device on the guest's rings. */
    private boolean deviceSuspended;

    RelaySwitch(RelayControl control) {
        this.control = control;
        memory = control.memory;
    }

    /** Takes another table of the guest's; the relay's region moves out of its way. */
    void memory(MemoryTable newTable) throws IOException {
        if (memory.collides(newTable)) {
            List<RelayQueue> running = control.relayed();
            control.stop(running);
            memory.replace(newTable);
            memory.enter(control.device());
            control.startAll(running);
            return;
        }
        memory.giveTo(control.device(), newTable);
        memory.replace(newTable);
        control.onAll(runner -> runner.memory(newTable.memory()));
    }

    // ---- the log ----

    /** Switches the relay in, out, or to another log; where that fails everything is as before. */
    void dirtyLog(@Nullable SharedDirtyLog newLog) throws IOException {
        SharedDirtyLog before = control.log();
        control.log(newLog);
        if (suspended) {
            return;
        }
        boolean done = false;
        try {
            if (newLog == null) {
                switchOut();
            } else {
                if (!control.relaying() || control.readyQueues().stream().anyMatch(queue -> queue.runner == null)) {
                    switchIn();
                }
                for (RelayQueue queue : control.queues) {
                    control.on(queue, runner -> runner.dirtyLog(control.counted(newLog, queue)));
                }
            }
            done = true;
        } finally {
            if (!done) {
                control.log(before);
            }
        }
    }

    private void switchIn() throws IOException {
        boolean stopsQueues = control.inner().stopsQueues();
        // A device that starts queues at their beginning only has relays before some already.
        List<RelayQueue> ready = control.readyQueues().stream()
                .filter(queue -> queue.runner == null || !stopsQueues)
                .toList();
        if (!control.relaying()) {
            memory.enter(control.device());
        }
        List<List<RelayQueue>> steps =
                stopsQueues ? ready.stream().map(List::of).toList() : List.of(ready);
        try {
            for (List<RelayQueue> step : steps) {
                control.stop(step);
                control.startAll(step);
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
        if (!control.relaying()) {
            return;
        }
        VdpaDevice device = control.device();
        List<RelayQueue> relayed = control.relayed();
        List<RelayQueue> again = new ArrayList<>();
        control.stop(relayed);
        for (RelayQueue queue : relayed) {
            try {
                queue.startOn(device, device.driverFeatures());
            } catch (UnsupportedOperationException e) {
                LOG.warn(
                        "{}: queue {} keeps its relay, as the device cannot go on where the queue stands: {}",
                        device.name(),
                        queue.index(),
                        e.getMessage());
                again.add(queue);
            } catch (IOException | RuntimeException e) {
                control.failed(queue.index(), e);
                throw e;
            }
        }
        if (again.isEmpty()) {
            memory.leave(device);
        } else {
            control.startAll(again);
        }
        control.inner().endSetUp();
    }

    // ---- suspended ----

    boolean suspended() {
        return suspended;
    }

    /** Where a queue stands that does not run. */
    QueueState state(RelayQueue queue) throws IOException {
        VdpaDevice device = control.device();
        return queue.ready() && deviceSuspended
                ? device.queueState(queue.index())
                : queue.stateFor(device.driverFeatures());
    }

    void suspend() throws IOException {
        if (suspended) {
            return;
        }
        if (control.relaying()) {
            control.stop(control.readyQueues());
        } else {
            control.device().suspend();
            deviceSuspended = true;
        }
        suspended = true;
    }

    void resume() throws IOException {
        if (!suspended) {
            return;
        }
        if (deviceSuspended && control.log() != null) {
            // Behind the device's back its queues stop, so that it never serves one that is not logged.
            control.stop(control.readyQueues());
            control.device().resume();
        } else if (deviceSuspended) {
            control.device().resume();
            suspended = false;
            deviceSuspended = false;
            return;
        }
        suspended = false;
        deviceSuspended = false;
        if (control.log() == null) {
            memory.leave(control.device());
        } else if (!control.relaying()) {
            memory.enter(control.device());
        }
        control.startAll(control.readyQueues());
    }

    /** A queue is to run: it starts, but in a device that stands still behind the relay. */
    void start(RelayQueue queue) throws IOException {
        if (!suspended || deviceSuspended) {
            control.startBeside(queue);
        }
    }

    InflightRequests inflightRequests(RelayQueue queue) throws IOException {
        return control.relaying() ? InflightRequests.none() : control.device().inflightRequests(queue.index());
    }

    // ---- another device ----

    /** Queues that go on when another device is in the place of this one. */
    List<RelayQueue> runningQueues() {
        return suspended ? List.of() : control.readyQueues();
    }

    /** Ends what the device does of the guest's, and notes where its queues stand. */
    void halt(List<RelayQueue> running, boolean serves) throws IOException {
        if (deviceSuspended) {
            for (RelayQueue queue : control.readyQueues()) {
                queue.state(control.device().queueState(queue.index()));
            }
            deviceSuspended = false;
        } else if (serves) {
            control.stop(running);
        } else {
            control.abandon(running);
        }
    }

    /** Another device is behind the relay from now on, brought as far as its queues can be started. No queue runs. */
    void replace(VdpaDevice next) throws IOException {
        InnerDevice old = control.inner();
        InnerDevice nextInner = old.replacedBy(next);
        memory.leave(old.device());
        for (RelayQueue queue : control.queues) {
            old.device().queueKick(queue.index(), null);
            old.device().queueCall(queue.index(), null);
        }
        MemoryTable none = new MemoryTable(List.of());
        try {
            old.device().memory(none);
        } finally {
            none.release();
        }
        if (control.log() == null) {
            memory.giveTo(next);
        } else {
            memory.enter(next);
        }
        control.inner(nextInner);
    }

    // ---- reset ----

    /** The guest resets the device: whatever state it is in, it ends reset and the relay out. */
    void reset() throws IOException {
        VdpaDevice device = control.device();
        List<RelayQueue> running = control.relayed();
        control.on(running, RelayRunner::stopTaking);
        try {
            device.reset();
        } finally {
            running.forEach(control::endRunner);
            control.log(null);
            control.inner().forget();
            suspended = false;
            deviceSuspended = false;
            memory.leave(device);
        }
    }
}
