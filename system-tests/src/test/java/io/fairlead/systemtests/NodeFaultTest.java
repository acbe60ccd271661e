package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.FaultTable.Instant;
import io.fairlead.systemtests.FaultTable.Outcome;
import io.fairlead.systemtests.FaultTable.Victim;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Who takes part in a migration, or what it goes over, breaks at a phase of it. The guest runs in one place afterwards, or
 * was lost with its QEMU and is reported as lost; its disk verifies; the same migration succeeds when it is tried again.
 */
@Timeout(1800)
class NodeFaultTest {
    @TempDir
    Path folder;

    private record Case(Victim victim, Instant at) {}

    @Test
    void runsInOnePlaceAndMovesWhenTriedAgain() throws Exception {
        runAll(
                "sample",
                List.of(
                        new Case(Victim.SOURCE_NODE, Instant.COMMIT),
                        new Case(Victim.DESTINATION_NODE, Instant.GRANTED),
                        new Case(Victim.DESTINATION_QEMU, Instant.PRECOPY)));
    }

    /** Leaves its part of the table of docs/migration-faults.md in target/migration-faults. */
    @Tag("long")
    @ParameterizedTest
    @EnumSource
    void atEveryPhase(Victim victim) throws Exception {
        List<Case> cases = new ArrayList<>();
        for (Instant at : sensible(victim)) {
            cases.add(new Case(victim, at));
        }
        runAll(victim.name(), cases);
    }

    /** QEMU's stream is there from the end of prepare; when the states have gone over a slow line, it has ended. */
    private static Set<Instant> sensible(Victim victim) {
        return victim == Victim.STREAM_CUT ? EnumSet.of(Instant.PRECOPY, Instant.STOP) : EnumSet.allOf(Instant.class);
    }

    private void runAll(String name, List<Case> cases) throws Exception {
        List<String> rows = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        MigrationFault rig = null;
        int rigs = 0;
        try {
            for (Case each : cases) {
                Lab.report("---- %s at %s", each.victim(), each.at());
                try {
                    if (rig == null) {
                        rig = new MigrationFault(Files.createDirectory(folder.resolve("r" + rigs++)));
                    }
                    Outcome outcome = rig.run(each.victim(), each.at());
                    Lab.report("%s", outcome.text());
                    rows.add(outcome.row());
                    Lab.report("%s", rows.getLast());
                } catch (Exception | AssertionError e) {
                    // What broke it is known; the cases after it are worth a look, too.
                    failures.add(new AssertionError(each.toString(), e));
                    Lab.report("%s failed: %s", each, e);
                    rig = given(rig);
                }
            }
            if (rig != null) {
                Lab.report("the readers compared %,d bytes all the time", rig.finish());
            }
        } finally {
            MigrationFault _ = given(rig);
            Path table = Files.createDirectories(Path.of("target", "migration-faults"))
                    .resolve(name + ".md");
            Files.writeString(table, FaultTable.HEAD + "\n" + String.join("\n", rows) + "\n");
        }
        assertThat(failures).isEmpty();
    }

    private static @Nullable MigrationFault given(@Nullable MigrationFault rig) throws Exception {
        if (rig != null) {
            Lab.report("%s", rig.output());
            rig.close();
        }
        return null;
    }
}
