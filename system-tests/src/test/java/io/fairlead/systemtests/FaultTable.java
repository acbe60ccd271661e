package io.fairlead.systemtests;

/** The cases of the fault matrix, and how what came of them is written down in docs/migration-faults.md. */
final class FaultTable {
    private FaultTable() {}

    /** What breaks. */
    enum Victim {
        SOURCE_NODE("source's node, kill -9"),
        DESTINATION_NODE("destination's node, kill -9"),
        SOURCE_QEMU("source's QEMU, kill -9"),
        DESTINATION_QEMU("destination's QEMU, kill -9"),
        COMMAND("`fairlead migrate`, kill -9"),
        CHANNEL_CUT("channel between the nodes, cut"),
        CHANNEL_SILENT("channel between the nodes, silent and not closed"),
        STREAM_CUT("QEMU's stream, cut");

        final String title;

        Victim(String title) {
            this.title = title;
        }
    }

    /** When. A line that takes its time keeps each of these open for a while. */
    enum Instant {
        CHECK("check", "check"),
        PREPARE("prepare", "prepare"),
        PRECOPY("precopy", "precopy"),
        STOP("stop", "stop, the states on their way"),
        READY("stop", "stop, the states applied"),
        COMMIT("commit", "commit, the grant on its way"),
        GRANTED("commit", "commit, the grant arrived"),
        ROLLBACK("rollback", "rollback after Ctrl-C");

        final String phase;
        final String title;

        Instant(String phase, String title) {
            this.phase = phase;
            this.title = title;
        }

        boolean isBeforeTheGrant() {
            return this != COMMIT && this != GRANTED;
        }
    }

    /** Where the guest is. */
    enum Place {
        SOURCE("runs at the source"),
        DESTINATION("runs at the destination"),
        NOWHERE("lost with its QEMU");

        final String title;

        Place(String title) {
            this.title = title;
        }
    }

    /**
     * What came of a case.
     *
     * @param reason that the command gave
     * @param verifiedBytes that the guest read after it and the host knows, with those that it wrote and read back meanwhile
     * @param tries until it moved
     * @param text all that the command said
     */
    record Outcome(
            Victim victim,
            Instant at,
            Place place,
            int exitCode,
            String reason,
            long verifiedBytes,
            int tries,
            String text) {
        String row() {
            String said = victim == Victim.COMMAND ? "killed" : exitCode + " " + reason;
            return "| %s | %s | %s | %s | %s | %,d |"
                    .formatted(
                            victim.title,
                            at.title,
                            place.title,
                            said.strip().replace("|", "/").replace("\n", " "),
                            (place == Place.NOWHERE ? "new guest, moved" : "moved")
                                    + (tries == 1 ? "" : ", asked %d times".formatted(tries)),
                            verifiedBytes);
        }
    }

    static final String HEAD = """
            | what breaks | when | the guest | the command's exit code and reason | tried again | bytes verified |
            |---|---|---|---|---|---|""";
}
