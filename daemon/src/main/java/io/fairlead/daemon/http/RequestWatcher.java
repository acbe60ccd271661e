package io.fairlead.daemon.http;

import java.time.Duration;

/** Learns of each answered request; called by the thread that answered it. */
@FunctionalInterface
public interface RequestWatcher {
    /**
     * A request was answered.
     *
     * @param method as it was sent, {@code other} where it is none of ours
     * @param path the route's, {@code none} where there is no route: never what a caller made up
     */
    void answered(String method, String path, int status, Duration time);
}
