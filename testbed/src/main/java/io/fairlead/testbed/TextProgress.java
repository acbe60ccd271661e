package io.fairlead.testbed;

import java.io.PrintStream;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Progress as lines of text. */
final class TextProgress implements Progress {
    private static final long INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final double BYTES_PER_MB = 1e6;

    private final PrintStream out;
    private String lastWhat = "";
    private boolean lastComplete;
    private long lastNanos;

    TextProgress(PrintStream out) {
        this.out = out;
    }

    @Override
    public void step(String what) {
        out.println(what);
    }

    @Override
    public void download(String what, int donePackages, int packages, long doneBytes, long bytes, long perSecond) {
        long now = System.nanoTime();
        boolean first = !what.equals(lastWhat);
        boolean complete = donePackages == packages;
        // The line that says so comes once, and at once.
        boolean due = complete ? !lastComplete : now - lastNanos >= INTERVAL_NANOS;
        if (!first && !due) {
            return;
        }
        lastWhat = what;
        lastComplete = complete;
        lastNanos = now;
        out.printf(
                Locale.ROOT,
                "  %s: package %d of %d, %.1f of %.1f MB, %.1f MB/s%n",
                what,
                donePackages,
                packages,
                doneBytes / BYTES_PER_MB,
                bytes / BYTES_PER_MB,
                perSecond / BYTES_PER_MB);
    }
}
