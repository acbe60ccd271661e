package io.fairlead.cli.output;

import java.io.PrintStream;
import tools.jackson.databind.JsonNode;

/** Shows an operation of a daemon as it goes on: a bar that is drawn again on a terminal, else a line a phase. One thread. */
public final class OperationProgress {
    private static final int BAR_CHARACTERS = 30;

    private final PrintStream out;
    private final boolean isTerminal;
    private String phase = "";
    private int notes;
    private boolean lineOpen;

    /** @param isTerminal whether a line may be drawn again */
    public OperationProgress(PrintStream out, boolean isTerminal) {
        this.out = out;
        this.isTerminal = isTerminal;
    }

    /** Shows what is new of an operation; called each time it has changed. */
    public void show(JsonNode operation) {
        JsonNode all = operation.path("notes");
        for (; notes < all.size(); notes++) {
            endLine();
            out.println(Table.printable(all.path(notes).asString("")));
        }
        String now = Table.printable(operation.path("phase").asString(""));
        boolean isNew = !now.equals(phase);
        phase = now;
        JsonNode progress = operation.path("progress");
        if (isTerminal) {
            String line = progress.isObject() ? phase + " " + bar(progress) : phase;
            if (!line.isBlank() && operation.path("state").asString("").equals("running")) {
                out.print("\r\033[K" + line);
                lineOpen = true;
            }
        } else if (isNew && !phase.isEmpty()) {
            out.println(phase);
        }
        out.flush();
    }

    /** The operation has ended: what comes next begins on a line of its own. */
    public void end() {
        endLine();
        out.flush();
    }

    private void endLine() {
        if (lineOpen) {
            out.print("\r\033[K");
            lineOpen = false;
        }
    }

    /** A bar of what is done; memory that is written again makes it go back. */
    static String bar(JsonNode progress) {
        long total = Math.max(0, progress.path("totalBytes").asLong(0));
        long remaining = Math.clamp(progress.path("remainingBytes").asLong(0), 0, total);
        double part = total == 0 ? 0 : (double) (total - remaining) / total;
        int done = (int) Math.floor(part * BAR_CHARACTERS);
        return "[%s%s] %3d%%, %s of %s left, %s/s, memory changes at %s/s"
                .formatted(
                        "#".repeat(done),
                        ".".repeat(BAR_CHARACTERS - done),
                        (int) Math.floor(part * 100),
                        Quantity.bytes(remaining),
                        Quantity.bytes(total),
                        Quantity.bytes(progress.path("rateBytesPerSecond").asLong(0)),
                        Quantity.bytes(progress.path("dirtyBytesPerSecond").asLong(0)));
    }
}
