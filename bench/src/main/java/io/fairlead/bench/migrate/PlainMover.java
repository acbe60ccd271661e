package io.fairlead.bench.migrate;

import io.fairlead.qemu.IncomingMigration;
import io.fairlead.qemu.MigrationAddress;
import io.fairlead.qemu.MigrationOptions;
import io.fairlead.qemu.MigrationProgress;
import io.fairlead.qemu.MigrationTls;
import io.fairlead.qemu.OutgoingMigration;
import io.fairlead.qemu.Qmp;
import io.fairlead.testbed.Guest;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** QEMU's own migration and nothing else, by its monitors: over loopback, with {@code cont} as soon as all is loaded. */
final class PlainMover implements Mover {
    private static final Duration TIMEOUT = Duration.ofMinutes(2);
    static final long BANDWIDTH = 1L << 30;
    static final Duration DOWNTIME_LIMIT = Duration.ofMillis(300);
    private static final double BYTES_PER_MIB = 1 << 20;

    private final @Nullable Path certificates;

    /** @param certificates for TLS; null for a stream in the clear */
    PlainMover(@Nullable Path certificates) {
        this.certificates = certificates;
    }

    @Override
    public Move move(int from, Guest source, Guest destination) throws IOException, InterruptedException {
        MigrationOptions options =
                MigrationOptions.plain().withMaxBandwidth(BANDWIDTH).withDowntimeLimit(DOWNTIME_LIMIT);
        if (certificates != null) {
            options = options.withTls(MigrationTls.of(certificates));
        }
        Qmp here = source.machine().qmp();
        Qmp there = destination.machine().qmp();
        try (IncomingMigration incoming =
                        IncomingMigration.listen(there, options, MigrationAddress.tcp("127.0.0.1", 0));
                OutgoingMigration outgoing = OutgoingMigration.start(here, options, incoming.address())) {
            MigrationProgress _ = incoming.awaitLoaded(TIMEOUT);
            JsonNode _ = there.execute("cont");
            MigrationProgress end = outgoing.awaitCompleted(TIMEOUT);
            return new Move(end.downtimeMillis(), end.totalMillis(), end.transferredBytes() / BYTES_PER_MIB, null);
        }
    }
}
