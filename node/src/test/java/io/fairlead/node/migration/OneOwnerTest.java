package io.fairlead.node.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.node.channel.Peer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever breaks at whichever step: the machine runs at one place, or was lost with the QEMU that ended. */
@Timeout(1200)
class OneOwnerTest {
    @TempDir
    Path folder;

    private int count;

    private record Ended(World world, MigrationReport report) {}

    private Ended run(World.Fault fault, int at, World.Stream stream) throws Exception {
        return run(fault, at, stream, false);
    }

    private Ended run(World.Fault fault, int at, World.Stream stream, boolean selfCheck) throws Exception {
        Path own = Files.createDirectories(folder.resolve(Integer.toString(count++)));
        World world = new World(own, fault, at, stream);
        world.plan = new MigrationPlan(0, 0, 0, 0, selfCheck, false);
        return run(world);
    }

    private static Ended run(World world) throws Exception {
        SourceMigration migration = world.begin();
        MigrationReport report;
        try {
            Peer peer = world.connect();
            report = migration.run(peer, "localhost", List.of(new byte[1]), true);
        } catch (World.Killed e) {
            report = world.hasSourceJournal() ? world.restartSource().recover() : null;
        }
        world.settleDestination();
        return new Ended(world, report);
    }

    @Test
    void withoutAFaultItMoves() throws Exception {
        Ended ended = run(World.Fault.NONE, -1, World.Stream.WHOLE);
        assertThat(ended.world().violations).isEmpty();
        assertThat(ended.report().result()).isEqualTo(MigrationReport.Result.MOVED);
        assertThat(ended.world().runsAtDestination).isTrue();
        assertThat(ended.world().runsAtSource).isFalse();
        assertThat(ended.report().phaseMillis()).containsKeys(Phase.PREPARE, Phase.PRECOPY, Phase.STOP, Phase.COMMIT);
        assertThat(ended.report().stateBytes()).isEqualTo(3);
        assertThat(ended.world().steps).containsSubsequence("proceed", "send states", "answer states", "run", "leave");
    }

    @Test
    void aSelfCheckComparesAfterTheLoadAndBeforeTheMachineRuns() throws Exception {
        Ended ended = run(World.Fault.NONE, -1, World.Stream.WHOLE, true);
        assertThat(ended.report().result()).isEqualTo(MigrationReport.Result.MOVED);
        assertThat(ended.world().steps)
                .containsSubsequence("proceed", "finalStates", "hashMemory", "answer memory", "compareMemory", "run");
        assertThat(ended.report().checkedBytes()).isEqualTo(4096 + 3 * 4096 + 100);
        assertThat(ended.report().deviceMarks().getFirst().bytes()).hasValue(5 * 4096);
        assertThat(run(World.Fault.NONE, -1, World.Stream.WHOLE).world().steps)
                .doesNotContain("hashMemory", "compareMemory");
    }

    @Test
    void aMachineThatFailsTheSelfCheckNeverRunsAtTheDestination() throws Exception {
        World world = new World(folder, World.Fault.NONE, -1, World.Stream.WHOLE);
        world.plan = new MigrationPlan(0, 0, 0, 0, true, false);
        world.differs();
        Ended ended = run(world);
        assertThat(ended.report().result()).isEqualTo(MigrationReport.Result.STAYED);
        assertThat(ended.report().reason()).contains("self-check: 2 pages of memory differ", "0x2000-0x3fff");
        assertThat(world.everRanAtDestination).isFalse();
        assertThat(world.runsAtSource).isTrue();
        assertThat(world.steps).contains("compareMemory").doesNotContain("run");
        assertThat(world.violations).isEmpty();
        try (Stream<Path> left = Files.list(folder.resolve("b"))) {
            assertThat(left).as("at the destination, of what was kept for it").isEmpty();
        }
    }

    @Test
    void aStreamThatBreaksAfterTheGrantLeadsBackWithoutRunningTwice() throws Exception {
        Ended ended = run(World.Fault.NONE, -1, World.Stream.BREAKS);
        assertThat(ended.world().violations).isEmpty();
        assertThat(ended.report().result()).isEqualTo(MigrationReport.Result.STAYED);
        assertThat(ended.world().runsAtSource).isTrue();
    }

    @ParameterizedTest
    @EnumSource
    void atEveryThirdStepOneOwnerIsLeft(World.Fault fault) throws Exception {
        oneOwnerIsLeft(fault, 1, 3);
    }

    /** Every journal is forced to the disk some times: where that is slow, this takes minutes. */
    @Tag("long")
    @ParameterizedTest
    @EnumSource
    void atEachStepOneOwnerIsLeft(World.Fault fault) throws Exception {
        oneOwnerIsLeft(fault, 0, 1);
    }

    private void oneOwnerIsLeft(World.Fault fault, int first, int stride) throws Exception {
        for (World.Stream stream : World.Stream.values()) {
            int last = run(World.Fault.NONE, -1, stream, true).world().steps.size();
            List<String> results = new ArrayList<>();
            for (int at = first; at <= last; at += stride) {
                Ended ended = run(fault, at, stream, true);
                World world = ended.world();
                String what = "%s at step %d, stream %s: %s".formatted(fault, at, stream, world.steps);
                assertThat(world.violations).as(what).isEmpty();
                boolean one = world.runsAtSource ^ world.runsAtDestination;
                switch (fault) {
                    // QEMU took the machine with it.
                    case SOURCE_QEMU ->
                        assertThat(one || !(world.runsAtSource || world.runsAtDestination))
                                .as(what)
                                .isTrue();
                    // Told to run the machine when it ended: nobody can know whether it did.
                    case DESTINATION_QEMU ->
                        assertThat(one || world.steps.get(at).startsWith("run") || world.everRanAtDestination)
                                .as(what)
                                .isTrue();
                    default -> assertThat(one).as(what).isTrue();
                }
                if (ended.report() != null) {
                    results.add(ended.report().result().name());
                    if (fault != World.Fault.DESTINATION_QEMU) {
                        assertThat(ended.report().result() == MigrationReport.Result.MOVED)
                                .as(what + ended.report())
                                .isEqualTo(world.runsAtDestination);
                    }
                    if (fault != World.Fault.SOURCE_QEMU) {
                        assertThat(ended.report().result() == MigrationReport.Result.STAYED)
                                .as(what + ended.report())
                                .isEqualTo(world.runsAtSource);
                    }
                }
            }
            assertThat(results).as("the fault hit before it was over").hasSizeGreaterThan(3);
        }
    }
}
