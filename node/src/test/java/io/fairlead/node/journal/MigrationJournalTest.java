package io.fairlead.node.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class MigrationJournalTest {
    private static final UUID ID = new UUID(7, 9);

    @TempDir
    Path folder;

    private static ObjectNode begun() {
        return JsonNodeFactory.instance.objectNode().put("machine", "vm0");
    }

    private Path file() {
        return folder.resolve(ID + ".journal");
    }

    private byte[] written(Step... steps) throws IOException {
        try (MigrationJournal journal = MigrationJournal.begin(folder, ID, begun())) {
            for (Step step : steps) {
                journal.append(step, step == Step.ABORTED ? "the destination's QEMU ended" : "");
            }
        }
        return Files.readAllBytes(file());
    }

    @Test
    void theNextProcessReadsWhatWasWritten() throws IOException {
        written(Step.READY, Step.GRANTED, Step.ABORTED);
        try (MigrationJournal journal = MigrationJournal.openAll(folder).getFirst()) {
            assertThat(journal.id()).isEqualTo(ID);
            assertThat(journal.begun().path("machine").asString()).isEqualTo("vm0");
            assertThat(journal.last()).isEqualTo(Step.ABORTED);
            assertThat(journal.reason()).isEqualTo("the destination's QEMU ended");
            journal.delete();
        }
        assertThat(MigrationJournal.openAll(folder)).isEmpty();
    }

    @Test
    void everyPrefixOfTheWritesIsTheStepsThatAreWhole() throws IOException {
        byte[] whole = written(Step.READY, Step.GRANTED, Step.STARTING, Step.RUNNING);
        int length = whole.length;
        while (whole[length - 1] == 0) {
            length--;
        }
        List<Step> steps = List.of(Step.BEGUN, Step.READY, Step.GRANTED, Step.STARTING, Step.RUNNING);
        for (int cut = 0; cut <= length; cut++) {
            byte[] prefix = Arrays.copyOf(Arrays.copyOf(whole, cut), whole.length);
            Files.write(file(), prefix);
            int records = 0;
            for (int i = 0; i < cut; i++) {
                records += whole[i] == '\n' ? 1 : 0;
            }
            List<MigrationJournal> found = MigrationJournal.openAll(folder);
            if (records == 0) {
                assertThat(found).as("cut at %d", cut).isEmpty();
                continue;
            }
            try (MigrationJournal journal = found.getFirst()) {
                assertThat(journal.last()).as("cut at %d", cut).isEqualTo(steps.get(records - 1));
                // It goes on after the last whole record.
                journal.append(Step.LOST, "cut");
            }
            try (MigrationJournal again = MigrationJournal.openAll(folder).getFirst()) {
                assertThat(again.last()).as("cut at %d", cut).isEqualTo(Step.LOST);
            }
        }
    }

    @Test
    void changedBytesAreNeverTakenForAnotherStep() throws IOException {
        byte[] whole = written(Step.READY, Step.GRANTED);
        long seed = 99;
        Random random = new Random(seed);
        for (int i = 0; i < 1000; i++) {
            byte[] changed = whole.clone();
            changed[random.nextInt(300)] ^= (byte) (1 + random.nextInt(255));
            Files.write(file(), changed);
            for (MigrationJournal journal : MigrationJournal.openAll(folder)) {
                assertThat(journal.last()).as("seed %d, %d", seed, i).isIn(Step.BEGUN, Step.READY, Step.GRANTED);
                journal.close();
            }
        }
    }

    @Test
    void whatIsNoJournalIsLeftAlone() throws IOException {
        Files.writeString(folder.resolve("x.journal"), "something");
        Files.write(file(), new byte[MigrationJournal.FILE_BYTES]);
        Files.write(folder.resolve(new UUID(1, 1) + ".journal"), new byte[MigrationJournal.FILE_BYTES + 1]);
        Files.writeString(folder.resolve(new UUID(1, 2) + ".journal.new"), "never finished");
        assertThat(MigrationJournal.openAll(folder)).isEmpty();
        assertThat(folder.resolve("x.journal")).exists();
        assertThat(MigrationJournal.openAll(folder.resolve("none"))).isEmpty();
    }

    @Test
    void aSecondOfTheSameMigrationAndAFullOneAreRefused() throws IOException {
        try (MigrationJournal journal = MigrationJournal.begin(folder, ID, begun())) {
            assertThatThrownBy(() -> MigrationJournal.begin(folder, ID, begun()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("has a journal already");
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 1000; i++) {
                            journal.append(Step.READY, "x".repeat(3000));
                        }
                    })
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is full");
            assertThat(Files.size(file())).isEqualTo(MigrationJournal.FILE_BYTES);
        }
    }
}
