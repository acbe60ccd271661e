package io.fairlead.devices.base;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** The end of the host's work on requests of frozen queues. Thread-safe. */
final class Settlement {
    private CompletableFuture<Void> quiet = CompletableFuture.completedFuture(null);
    private CompletableFuture<Void> inherited = quiet;
    private CompletableFuture<Void> lastAsked = quiet;

    /**
     * A queue was frozen.
     *
     * @param ended completed when the host works on none of its requests any more
     * @param elsewhere completed when another device has settled those that it took over and never began
     */
    synchronized void add(CompletableFuture<Void> ended, CompletableFuture<Void> elsewhere) {
        quiet = both(quiet, ended);
        inherited = both(inherited, elsewhere);
    }

    private static CompletableFuture<Void> both(CompletableFuture<Void> earlier, CompletableFuture<Void> later) {
        return earlier.isDone() && !earlier.isCompletedExceptionally()
                ? later
                : CompletableFuture.allOf(earlier, later);
    }

    /** Forgets what belonged to another device. */
    synchronized void reset() {
        inherited = CompletableFuture.completedFuture(null);
    }

    /** Completed when all has ended and a last step, begun then, is done. */
    synchronized CompletionStage<Void> settled(Supplier<CompletionStage<Void>> lastStep) {
        lastAsked = CompletableFuture.allOf(quiet, inherited).thenCompose(_ -> lastStep.get());
        return lastAsked.minimalCompletionStage();
    }

    /** Waits until the host works on no request of ours. */
    void awaitQuiet() {
        quiet().join();
    }

    private synchronized CompletableFuture<Void> quiet() {
        return quiet;
    }

    /** Waits also for the last step of whoever asked, where it could begin. */
    void awaitAll() {
        awaitQuiet();
        CompletableFuture<Void> asked = lastAskedIfBegun();
        var _ = asked.handle((_, _) -> true).join();
    }

    private synchronized CompletableFuture<Void> lastAskedIfBegun() {
        return inherited.isDone() ? lastAsked : quiet;
    }
}
