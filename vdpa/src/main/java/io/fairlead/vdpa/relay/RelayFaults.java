package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.DeviceListener;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether a relayed device has failed, and who is told of that and of what else happens to it. Any thread. */
final class RelayFaults {
    private static final Logger LOG = LoggerFactory.getLogger(RelayFaults.class);

    private final String name;
    private final Runnable halt;
    private final AtomicBoolean failed = new AtomicBoolean();
    private volatile @Nullable DeviceListener listener;

    /** @param halt has all queues move nothing any more */
    RelayFaults(String name, Runnable halt) {
        this.name = name;
        this.halt = halt;
    }

    void listener(@Nullable DeviceListener newListener) {
        listener = newListener;
    }

    boolean failed() {
        return failed.get();
    }

    /** The device stops until the driver resets it. The first cause counts. */
    void fail(String reason, @Nullable Throwable cause) {
        if (failed.getAndSet(true)) {
            return;
        }
        LOG.error("{}: stopped until the driver resets it: {}", name, reason, cause);
        halt.run();
        needsReset(reason);
    }

    void forget() {
        failed.set(false);
    }

    void configChanged() {
        DeviceListener told = listener;
        if (told != null) {
            told.configChanged();
        }
    }

    void needsReset(String reason) {
        DeviceListener told = listener;
        if (told != null) {
            told.needsReset(reason);
        }
    }
}
