package io.fairlead.vhostuser.server;

/**
 * How long a device took at most to start and to stop one of its rings, over all sessions: the device's share of a
 * machine's standing still. Written by the session's thread, read by any.
 */
public final class RingTimes {
    private volatile long longestStartNanos;
    private volatile long longestStopNanos;

    RingTimes() {}

    /** Sessions of a device follow one another. */
    void started(long nanos) {
        longestStartNanos = Math.max(longestStartNanos, nanos);
    }

    void stopped(long nanos) {
        longestStopNanos = Math.max(longestStopNanos, nanos);
    }

    /** 0 before the first start. */
    public long longestStartNanos() {
        return longestStartNanos;
    }

    /** From the request to stop to the answer where the ring stands, with all that was waited for; 0 before the first. */
    public long longestStopNanos() {
        return longestStopNanos;
    }
}
