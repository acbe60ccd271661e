package io.fairlead.daemon.machine;

import org.jspecify.annotations.Nullable;

/** A machine of the daemon: what is written down of it, and its QEMU. Thread-safe; changed by {@link Machines}. */
final class ManagedMachine {
    private MachineRecord kept;
    private @Nullable RunningMachine running;

    ManagedMachine(MachineRecord kept) {
        this.kept = kept;
    }

    synchronized MachineRecord kept() {
        return kept;
    }

    synchronized void kept(MachineRecord value) {
        kept = value;
    }

    synchronized @Nullable RunningMachine running() {
        return running;
    }

    synchronized void running(RunningMachine value) {
        running = value;
    }

    /** It has no QEMU any more; false where this one is not its. */
    synchronized boolean ended(RunningMachine which) {
        if (running != which) {
            return false;
        }
        running = null;
        return true;
    }

    String name() {
        return kept().name();
    }

    /** The word of the API, without what an operation is about to make of it. */
    synchronized String state() {
        if (running == null) {
            if (kept.live() != null) {
                return "unresponsive";
            }
            return kept.isCrashed() ? "crashed" : "shut off";
        }
        return running.isRunning() ? "running" : "paused";
    }
}
