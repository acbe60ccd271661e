package io.fairlead.daemon.machine;

import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.CancelledException;
import io.fairlead.daemon.operation.Progress;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/** Asking a guest to end. */
final class MachinePower {
    private static final Duration GUEST = Duration.ofMinutes(5);
    private static final Duration STEP = Duration.ofMillis(100);

    private MachinePower() {}

    /**
     * Presses the power button and waits until QEMU has ended.
     *
     * @throws ApiException where the guest does not react
     * @throws CancelledException where nobody wants to wait any more; the guest may still end
     */
    static void shutdown(RunningMachine machine, String name, Progress progress)
            throws ApiException, IOException, CancelledException {
        AtomicBoolean cancelled = new AtomicBoolean();
        progress.cancellable(() -> {
            cancelled.set(true);
            return true;
        });
        progress.phase("waiting for the guest");
        var _ = machine.execute("system_powerdown");
        long end = System.nanoTime() + GUEST.toNanos();
        while (!machine.process().awaitEnd(STEP)) {
            if (cancelled.get()) {
                throw new CancelledException("machine %s was asked to shut down, and may still do it".formatted(name));
            }
            if (System.nanoTime() > end) {
                throw ApiException.conflict(
                        "machine %s: its guest has not shut down within %d s".formatted(name, GUEST.toSeconds()),
                        "look at its console, or destroy it");
            }
        }
    }
}
