package io.fairlead.systemtests;

import io.fairlead.qemu.IncomingMigration;
import io.fairlead.qemu.MigrationAddress;
import io.fairlead.qemu.MigrationOptions;
import io.fairlead.qemu.MigrationProgress;
import io.fairlead.qemu.OutgoingMigration;
import io.fairlead.qemu.Qmp;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;

/** QEMU's own migration of a guest, by the two monitors alone. */
final class PlainMove {
    private PlainMove() {}

    /**
     * Moves the guest.
     *
     * @param destination with its devices
     * @param folder for the stream's socket
     * @return how many milliseconds the machine ran nowhere
     */
    static long move(MigratingGuest guest, GuestSpec destination, Path folder) throws Exception {
        MigrationOptions options = MigrationOptions.plain().withPauseBeforeSwitchover(false);
        Qmp from = guest.current().machine().qmp();
        Qmp to = guest.startDestination(destination).machine().qmp();
        MigrationAddress address = MigrationAddress.unix(folder.resolve("migration"));
        try (IncomingMigration incoming = IncomingMigration.listen(to, options, address);
                OutgoingMigration outgoing = OutgoingMigration.start(from, options, incoming.address())) {
            incoming.awaitLoaded(Lab.PATIENCE);
            long loaded = System.nanoTime();
            JsonNode _ = to.execute("cont");
            long contMillis = (System.nanoTime() - loaded) / 1_000_000;
            MigrationProgress end = outgoing.awaitCompleted(Lab.PATIENCE);
            Lab.report("moved: %s", end);
            guest.moved();
            return end.downtimeMillis() + contMillis;
        }
    }
}
