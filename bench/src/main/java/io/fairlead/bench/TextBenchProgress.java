package io.fairlead.bench;

import java.io.PrintStream;
import java.time.Duration;

/** Progress as lines of text. */
final class TextBenchProgress implements BenchProgress {
    private final PrintStream out;
    private final boolean overwrite;
    private boolean open;

    TextBenchProgress(PrintStream out, boolean overwrite) {
        this.out = out;
        this.overwrite = overwrite;
    }

    @Override
    public void run(int run, int runs, String what, Duration remaining) {
        String line = "[%d/%d] %s, about %d:%02d left"
                .formatted(run, runs, what, remaining.toMinutes(), remaining.toSecondsPart());
        if (overwrite) {
            // To the line's start; after it, clear what a longer line has left.
            out.print("\r" + line + "\033[K");
            open = true;
            if (run == runs) {
                endLine();
            }
        } else {
            out.println(line);
        }
        out.flush();
    }

    @Override
    public void step(String what) {
        endLine();
        out.println(what);
        out.flush();
    }

    private void endLine() {
        if (open) {
            out.println();
            open = false;
        }
    }
}
