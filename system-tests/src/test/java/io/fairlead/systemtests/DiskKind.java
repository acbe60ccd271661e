package io.fairlead.systemtests;

import io.fairlead.vdpa.VdpaDevice.Capability;
import java.util.Set;

/** Whose a host's disk is, and who logs the pages that it writes. */
enum DiskKind {
    FAIRLEAD("Fairlead"),
    /** Without a log of its own. */
    FAIRLEAD_RELAYED("Fairlead behind the relay"),
    /** Without a log, and its queues cannot stop one by one. */
    FAIRLEAD_SUSPENDED("Fairlead behind the relay, suspended"),
    /** Without a log, and only a reset stops it; it does not tell where its rings stand. */
    FAIRLEAD_DRAINED("Fairlead behind the relay, drained"),
    STORAGE_DAEMON("qemu-storage-daemon"),
    /** Its log is not used. */
    STORAGE_DAEMON_RELAYED("qemu-storage-daemon behind the relay");

    private final String label;

    DiskKind(String label) {
        this.label = label;
    }

    boolean isDaemon() {
        return this == STORAGE_DAEMON || this == STORAGE_DAEMON_RELAYED;
    }

    boolean isRelayed() {
        return this != FAIRLEAD && this != STORAGE_DAEMON;
    }

    /** Of a Fairlead disk behind the relay: what it says it can. */
    Set<Capability> capabilities() {
        return switch (this) {
            case FAIRLEAD_RELAYED ->
                Set.of(
                        Capability.SUSPEND,
                        Capability.RESUME,
                        Capability.QUEUE_STOP,
                        Capability.QUEUE_STATE,
                        Capability.INFLIGHT);
            case FAIRLEAD_SUSPENDED ->
                Set.of(Capability.SUSPEND, Capability.RESUME, Capability.QUEUE_STATE, Capability.INFLIGHT);
            case FAIRLEAD_DRAINED -> Set.of(Capability.INFLIGHT);
            case FAIRLEAD, STORAGE_DAEMON, STORAGE_DAEMON_RELAYED ->
                throw new IllegalStateException(this + " says itself what it can");
        };
    }

    @Override
    public String toString() {
        return label;
    }
}
