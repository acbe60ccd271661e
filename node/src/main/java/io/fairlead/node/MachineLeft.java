package io.fairlead.node;

import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.journal.Step;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which machine a journal is of that a killed process left. */
final class MachineLeft {
    private static final Logger LOG = LoggerFactory.getLogger(MachineLeft.class);

    private MachineLeft() {}

    /**
     * The machines that may run elsewhere, as a killed process left them: nothing of theirs may be served before a node has
     * taken them up.
     *
     * @param journals the folder
     */
    static Set<String> undecided(Path journals) throws IOException {
        Set<String> names = new HashSet<>();
        for (MigrationJournal journal : MigrationJournal.openAll(journals)) {
            try (journal) {
                boolean isSource = journal.begun().path("role").asString("").equals(Departures.SOURCE);
                if (journal.last() != (isSource ? Step.ABORTED : Step.RUNNING)) {
                    names.add(journal.begun().path("machine").asString(""));
                }
            }
        }
        return names;
    }

    /** What a killed process left, by what is to be done with it. */
    record Journals(List<MigrationJournal> current, List<MigrationJournal> old) {}

    /**
     * Opens the journals of a folder. Of each machine one is current: the one that is undecided, or else the last one. The
     * others are about times that are over: they know what to answer and must not touch the machine, which may be on its way
     * again.
     */
    static Journals open(Path journals) throws IOException {
        IdentityHashMap<MigrationJournal, FileTime> times = new IdentityHashMap<>();
        for (MigrationJournal journal : MigrationJournal.openAll(journals)) {
            times.put(journal, journal.changedAt());
        }
        List<MigrationJournal> all = new ArrayList<>(times.keySet());
        all.sort(Comparator.comparing(
                        (MigrationJournal journal) -> journal.last().isFinal())
                .thenComparing(times::get, Comparator.reverseOrder()));
        Set<String> names = new HashSet<>();
        List<MigrationJournal> current = new ArrayList<>();
        List<MigrationJournal> old = new ArrayList<>();
        for (MigrationJournal journal : all) {
            boolean isFirst = names.add(journal.begun().path("machine").asString(""));
            (isFirst ? current : old).add(journal);
        }
        return new Journals(current, old);
    }

    /**
     * The machine; one without devices and QEMU where the node does not have it any more, and the other node may still ask
     * what became of it, or waits for this one's last words.
     *
     * @return null where nobody asks, or the machine should be here; the journal is closed then
     */
    static @Nullable NodeMachine of(Map<String, NodeMachine> machines, MigrationJournal journal) throws IOException {
        String name = journal.begun().path("machine").asString("");
        NodeMachine machine = machines.get(name);
        if (machine != null) {
            return machine;
        }
        Step last = journal.last();
        if (last == Step.ABORTED && isSource(journal)) {
            // It went on here, and is another story since.
            journal.delete();
            return null;
        }
        if (!last.isFinal()) {
            LOG.error(
                    "migration {} is {} and of machine {}, which this node does not know any more",
                    journal.id(),
                    last,
                    name);
            journal.close();
            return null;
        }
        return nobody(journal);
    }

    /** In place of a machine that must not be touched, or is not there. */
    static NodeMachine nobody(MigrationJournal journal) {
        return new NodeMachine(journal.begun().path("machine").asString(""), journal.sibling(".none"), List.of());
    }

    static boolean isSource(MigrationJournal journal) {
        return journal.begun().path("role").asString("").equals(Departures.SOURCE);
    }
}
