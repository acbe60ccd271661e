package io.fairlead.bench.migrate;

import io.fairlead.testbed.Guest;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Who moves a guest. */
interface Mover {
    /**
     * What a move took, as who moved says.
     *
     * @param downtimeMillis how long the machine stood still, as QEMU says
     * @param totalMillis the whole migration
     * @param transferredMib over QEMU's stream
     * @param handoverMillis of the standing still what devices and nodes took, and not QEMU's stream; null where nobody
     *     knows
     */
    record Move(
            double downtimeMillis,
            double totalMillis,
            double transferredMib,
            @Nullable Double handoverMillis) {}

    /**
     * Moves a running guest; it runs at the destination afterwards.
     *
     * @param from the host where it runs, 0 or 1
     * @param destination waits for its state at the other host, with its devices
     * @throws IOException where the guest could not be moved
     */
    Move move(int from, Guest source, Guest destination) throws IOException, InterruptedException;
}
