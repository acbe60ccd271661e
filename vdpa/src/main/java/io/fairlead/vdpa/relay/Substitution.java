package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.Departure;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceStatus;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens to the device behind a relay, and has a {@link Substitute} go on in its place when it goes away, until a reset
 * finds it back. Under the device's lock, which it takes itself where devices tell something.
 */
final class Substitution implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Substitution.class);

    private final String name;
    private final Object lock;
    private final RelayControl control;
    private final RelaySwitch relay;
    private final RelayFaults faults;
    private final @Nullable Substitute substitute;

    /** The device itself, while a substitute serves. */
    private @Nullable VdpaDevice gone;

    private boolean closed;

    /** @param substitute null where nothing takes the device's place */
    Substitution(
            String name,
            Object lock,
            RelayControl control,
            RelaySwitch relay,
            RelayFaults faults,
            @Nullable Substitute substitute) {
        this.name = name;
        this.lock = lock;
        this.control = control;
        this.relay = relay;
        this.faults = faults;
        this.substitute = substitute;
    }

    /** Hears from now on what a device tells while it is the one that serves. */
    void listenTo(VdpaDevice device) {
        device.listener(new Ear(device));
    }

    private final class Ear implements DeviceListener {
        private final VdpaDevice source;

        Ear(VdpaDevice source) {
            this.source = source;
        }

        private boolean serves() {
            return source.equals(control.device());
        }

        @Override
        public void configChanged() {
            if (serves()) {
                faults.configChanged();
            }
        }

        @Override
        public void needsReset(String reason) {
            if (serves()) {
                faults.needsReset(reason);
            }
        }

        /** Whoever tells may hold the device's lock, and waits for nothing. */
        @Override
        public boolean leaving(Departure departure) {
            Substitute takesOver = substitute;
            if (takesOver == null || !serves()) {
                return false;
            }
            Thread.ofPlatform()
                    .name("fairlead-substitute-" + source.name())
                    .start(() -> substitute(source, takesOver, departure));
            return true;
        }
    }

    /** Has a substitute go on in the device's place; where that fails, the driver has to reset the device. */
    private void substitute(VdpaDevice leaving, Substitute takesOver, Departure departure) {
        synchronized (lock) {
            try {
                if (!closed && control.device().equals(leaving)) {
                    LOG.warn("{}: it goes away: {}", name, departure.reason());
                    replaceBy(takesOver, departure.serves());
                }
            } catch (IOException | RuntimeException e) {
                faults.fail("%s; nothing took its place: %s".formatted(departure.reason(), e.getMessage()), e);
            } finally {
                departure.letGo();
            }
        }
    }

    private void replaceBy(Substitute takesOver, boolean serves) throws IOException {
        VdpaDevice leaving = control.device();
        VdpaDevice next = takesOver.make(leaving);
        List<RelayQueue> running = relay.runningQueues();
        boolean replaced = false;
        try {
            relay.halt(running, serves);
            relay.replace(next);
            gone = leaving;
            replaced = true;
        } finally {
            if (!replaced) {
                next.close();
            }
        }
        listenTo(next);
        if (!faults.failed()) {
            control.startAll(running);
        }
        LOG.warn("{}: {} goes on in its place", name, next.name());
        faults.configChanged();
    }

    /** At a reset: the device itself serves again if it is back. */
    void returnIfBack() throws IOException {
        VdpaDevice first = gone;
        if (first == null) {
            return;
        }
        first.reset();
        if (DeviceStatus.has(first.status(), DeviceStatus.DEVICE_NEEDS_RESET)) {
            return;
        }
        VdpaDevice substituted = control.device();
        relay.replace(first);
        gone = null;
        substituted.close();
        LOG.info("{}: back again", name);
    }

    /** Closes the device whose place was taken, where it was. */
    @Override
    public void close() throws IOException {
        closed = true;
        if (gone != null) {
            gone.close();
        }
    }
}
