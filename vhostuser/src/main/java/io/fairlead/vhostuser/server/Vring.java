package io.fairlead.vhostuser.server;

import io.fairlead.linux.EventFd;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.VringBase;
import org.jspecify.annotations.Nullable;

/** What a client told of one ring. Used by the session's thread; {@link #signalError} by any. */
final class Vring {
    int size;
    Payload.@Nullable VringAddress address;

    /** Where to go on, as the protocol packs it (see {@link VringBase}). */
    int base;

    /** A kick descriptor came (or the word that none will): the ring runs as soon as it is enabled. */
    boolean started;

    boolean enabled;

    /** It has run since the client was last told where it stands, so that signals may be on their way. */
    boolean hasRun;

    private @Nullable EventFd error;

    /** Forgets all but where to signal errors. */
    void reset() {
        size = 0;
        address = null;
        base = 0;
        started = false;
        enabled = false;
        hasRun = false;
    }

    synchronized void error(@Nullable EventFd newError) {
        if (error != null) {
            error.close();
        }
        error = newError;
    }

    synchronized void signalError() {
        if (error != null) {
            error.signal();
        }
    }
}
