package io.fairlead.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.journal.Step;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

final class MachineLeftTest {
    @TempDir
    private Path folder;

    private MigrationJournal journal(String role, Step... steps) throws IOException {
        MigrationJournal journal = MigrationJournal.begin(
                folder,
                UUID.randomUUID(),
                JsonNodeFactory.instance.objectNode().put("role", role).put("machine", "vm0"));
        for (Step step : steps) {
            journal.append(step, "");
        }
        return journal;
    }

    @Test
    void aMachineThatIsHereIsThatOne() throws IOException {
        NodeMachine here = new NodeMachine("vm0", folder.resolve("qmp.sock"), List.of());
        for (Step step : List.of(Step.GRANTED, Step.RUNNING, Step.ABORTED)) {
            try (MigrationJournal journal = journal(Departures.SOURCE, step)) {
                assertThat(MachineLeft.of(Map.of("vm0", here), journal)).isSameAs(here);
            }
        }
    }

    /** The other side waits for last words, or asks what became of it. */
    @Test
    void ofAMachineThatIsGoneTheEndIsStillKnown() throws IOException {
        for (String role : List.of(Departures.SOURCE, Arrivals.DESTINATION)) {
            try (MigrationJournal journal = journal(role, Step.GRANTED, Step.RUNNING)) {
                NodeMachine left = MachineLeft.of(Map.of(), journal);
                assertThat(left).isNotNull();
                assertThat(left.devices()).isEmpty();
            }
        }
        try (MigrationJournal journal = journal(Arrivals.DESTINATION, Step.ABORTED)) {
            assertThat(MachineLeft.of(Map.of(), journal)).isNotNull();
        }
    }

    @Test
    void aMachineThatWentOnHereAndIsGoneSinceIsForgotten() throws IOException {
        assertThat(MachineLeft.of(Map.of(), journal(Departures.SOURCE, Step.ABORTED)))
                .isNull();
        assertThat(MigrationJournal.files(folder)).isEmpty();
    }

    /** Somebody took it away while it was undecided: nothing is guessed, and nothing is thrown away. */
    @Test
    void withoutAnEndNothingIsDecided() throws IOException {
        assertThat(MachineLeft.of(Map.of(), journal(Departures.SOURCE, Step.GRANTED)))
                .isNull();
        assertThat(MachineLeft.of(Map.of(), journal(Arrivals.DESTINATION, Step.STARTING)))
                .isNull();
        assertThat(MigrationJournal.files(folder)).hasSize(2);
    }

    /** Journals of one machine: written one after the other, seconds apart. */
    private MigrationJournal journal(int second, String role, Step... steps) throws IOException {
        MigrationJournal journal = journal(role, steps);
        journal.close();
        Path file = folder.resolve(journal.id() + ".journal");
        Path _ = Files.setLastModifiedTime(file, FileTime.from(1_000_000 + second, TimeUnit.SECONDS));
        return journal;
    }

    /** A machine that came, went and came again; what was before must not touch what is now. */
    @Test
    void theLastOrUndecidedJournalOfAMachineIsTheOneThatCounts() throws IOException {
        MigrationJournal came = journal(1, Arrivals.DESTINATION, Step.READY, Step.RUNNING);
        MigrationJournal gone = journal(3, Departures.SOURCE, Step.RUNNING);
        MigrationJournal refused = journal(2, Arrivals.DESTINATION, Step.ABORTED);
        assertThat(ids(MachineLeft.open(folder).current())).containsExactly(gone.id());
        MigrationJournal comes = journal(0, Arrivals.DESTINATION, Step.READY, Step.GRANTED);
        for (int i = 0; i < 2; i++) {
            MachineLeft.Journals left = MachineLeft.open(folder);
            assertThat(ids(left.current())).containsExactly(comes.id());
            assertThat(ids(left.old())).containsExactly(gone.id(), refused.id(), came.id());
        }
        assertThat(MachineLeft.undecided(folder)).containsExactly("vm0");
    }

    private static List<UUID> ids(List<MigrationJournal> journals) {
        return journals.stream().map(MigrationJournal::id).toList();
    }

    @Test
    void aMachineOfWhichItIsSureWhereItRunsMayBeServed() throws IOException {
        journal(1, Departures.SOURCE, Step.GRANTED, Step.ABORTED);
        assertThat(MachineLeft.undecided(folder)).isEmpty();
        journal(2, Arrivals.DESTINATION, Step.GRANTED, Step.RUNNING);
        assertThat(MachineLeft.undecided(folder)).isEmpty();
        journal(3, Departures.SOURCE, Step.GRANTED, Step.RUNNING);
        assertThat(MachineLeft.undecided(folder)).containsExactly("vm0");
    }
}
