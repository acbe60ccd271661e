package io.fairlead.devices.vsock;

import org.jspecify.annotations.Nullable;

/** Connections that may have a packet for the guest, the longest waiting first, each once. One thread. */
final class ConnectionLine {
    private @Nullable Connection first;
    private @Nullable Connection last;

    boolean isEmpty() {
        return first == null;
    }

    /** Adds one at the end unless it is there. */
    void add(Connection connection) {
        if (connection.queued) {
            return;
        }
        connection.queued = true;
        if (last == null) {
            first = connection;
        } else {
            last.nextQueued = connection;
        }
        last = connection;
    }

    /** Takes the first out; null where there is none. */
    @Nullable
    Connection poll() {
        Connection taken = first;
        if (taken != null) {
            first = taken.nextQueued;
            if (first == null) {
                last = null;
            }
            taken.nextQueued = null;
            taken.queued = false;
        }
        return taken;
    }
}
