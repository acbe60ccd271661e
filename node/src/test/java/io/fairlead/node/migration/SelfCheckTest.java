package io.fairlead.node.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.journal.Step;
import io.fairlead.node.memory.MemoryPiece;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

/** What a destination takes of the hashes for a self-check, and when. */
class SelfCheckTest {
    private static final MemorySegment PAGE = MemorySegment.ofArray(new byte[4096]);

    @TempDir
    Path folder;

    private final AtomicBoolean discarded = new AtomicBoolean();

    /** A destination whose QEMU never loads. */
    private DestinationMigration migration(boolean selfCheck) throws IOException {
        DestinationSide side = (DestinationSide) Proxy.newProxyInstance(
                DestinationSide.class.getClassLoader(),
                new Class<?>[] {DestinationSide.class},
                (_, method, _) -> switch (method.getName()) {
                    case "listen" -> 1;
                    case "memoryBytes" -> 1L << 20;
                    case "gone", "loaded" -> new CompletableFuture<>();
                    case "discard" -> {
                        discarded.set(true);
                        yield null;
                    }
                    default -> null;
                });
        DestinationMigration migration = DestinationMigration.begin(
                MigrationJournal.begin(folder, UUID.randomUUID(), JsonNodeFactory.instance.objectNode()), side);
        assertThat(migration.listen(new MigrationPlan(0, 0, 0, 0, selfCheck, false), List.of()))
                .isOne();
        return migration;
    }

    private void refused(DestinationMigration migration, long address, String why) {
        assertThatThrownBy(() -> migration.memory(MemoryPiece.hash(address, PAGE), true))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(why);
        assertThat(migration.step()).isEqualTo(Step.ABORTED);
        assertThat(discarded).isTrue();
    }

    @Test
    void hashesThatNobodyAskedForEndTheMigration() throws IOException {
        DestinationMigration migration = migration(false);
        migration.states(List.of());
        refused(migration, 0, "nobody asked");
    }

    @Test
    void hashesBeforeTheStatesEndTheMigration() throws IOException {
        refused(migration(true), 0, "nobody asked");
    }

    @Test
    void hashesOutOfOrderEndTheMigration() throws IOException {
        DestinationMigration migration = migration(true);
        migration.states(List.of());
        migration.memory(MemoryPiece.hash(8192, PAGE), false);
        refused(migration, 4096, "after that below 0x3000");
        migration.forget();
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void aGrantWaitsForAllHashes() throws IOException {
        DestinationMigration migration = migration(true);
        migration.states(List.of());
        assertThatThrownBy(migration::grant).hasMessageContaining("before all hashes");
        migration.memory(MemoryPiece.hash(0, PAGE), false);
        assertThatThrownBy(migration::grant).hasMessageContaining("before all hashes");
        assertThat(migration.step()).isEqualTo(Step.READY);
        migration.memory(MemoryPiece.hash(4096, PAGE), true);
        assertThat(migration.grant()).isNotDone();
        assertThat(migration.step()).isEqualTo(Step.GRANTED);
        assertThat(migration.withdraw("the test is over")).isDone();
        assertThat(migration.step()).isEqualTo(Step.ABORTED);
    }
}
