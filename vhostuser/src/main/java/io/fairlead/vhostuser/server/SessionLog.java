package io.fairlead.vhostuser.server;

import io.fairlead.linux.CompilerThreads;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log of dirty pages that one client gave. The device marks pages while there is a log (SET_LOG_BASE) and the client
 * wants it kept (feature VHOST_F_LOG_ALL); the two may come in either order. The session's thread.
 */
final class SessionLog {
    private static final Logger LOG = LoggerFactory.getLogger(SessionLog.class);

    private final VdpaDevice device;
    private @Nullable SharedDirtyLog log;
    private boolean enabled;
    private CompilerThreads.@Nullable Quiet quiet;

    SessionLog(VdpaDevice device) {
        this.device = device;
    }

    /**
     * SET_LOG_BASE. Where another log is in use, the device goes over to this one first; no mark falls between the two.
     *
     * @param next owned from now on, closed where this fails
     */
    void replace(SharedDirtyLog next) throws IOException {
        if (enabled) {
            try {
                device.dirtyLog(next);
            } catch (IOException | RuntimeException e) {
                next.close();
                throw e;
            }
        }
        SharedDirtyLog old = log;
        log = next;
        close(old);
    }

    /** SET_FEATURES, with or without VHOST_F_LOG_ALL. */
    void enabled(boolean wanted) throws IOException {
        if (!wanted) {
            if (enabled) {
                end();
            }
        } else if (!enabled) {
            if (log != null) {
                device.dirtyLog(log);
            }
            enabled = true;
            // Its machine is about to stand still, and what runs then has hardly ever run.
            quiet = CompilerThreads.quiet();
        }
    }

    /** Nothing is marked any more, and the log is let go. Again: no effect. */
    void end() throws IOException {
        SharedDirtyLog old = log;
        try {
            if (enabled && old != null) {
                device.dirtyLog(null);
            }
        } finally {
            enabled = false;
            log = null;
            if (quiet != null) {
                quiet.close();
                quiet = null;
            }
            close(old);
        }
    }

    private void close(@Nullable SharedDirtyLog old) {
        if (old == null) {
            return;
        }
        if (old.marksOutside() > 0) {
            LOG.warn(
                    "{}: {} writes were not logged, since they lay beyond the log of {} bytes that the client gave",
                    device.name(),
                    old.marksOutside(),
                    old.byteCount());
        }
        old.close();
    }
}
