package io.fairlead.bench.migrate;

import io.fairlead.qemu.MigrationProgress;
import io.fairlead.testbed.Guest;
import java.io.IOException;

/** Who moves a guest. */
public interface Mover {
    /** What reports call it. */
    String label();

    /**
     * Moves a running guest; it runs at the destination afterwards.
     *
     * @param destination waits for its state, with its devices
     * @return what the source's QEMU says at the end
     * @throws IOException where the guest could not be moved
     */
    MigrationProgress move(Guest source, Guest destination) throws IOException, InterruptedException;
}
