package io.fairlead.node.migration;

/** Pauses between tries, longer each time, up to a bound. One thread. */
final class Backoff {
    private static final long FIRST_MILLIS = 50;
    private static final long MAX_MILLIS = 2000;

    private long millis = FIRST_MILLIS;

    void pause() {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            // The question stays open; only the end of the process ends it.
        }
        millis = Math.min(MAX_MILLIS, millis * 2);
    }
}
