package io.fairlead.node.migration;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Waits for stages, with IOExceptions for what went wrong. */
final class Await {
    private Await() {}

    /** Waits as long as it takes. */
    static <T> T the(CompletableFuture<T> stage) throws IOException {
        return the(stage, stage, null);
    }

    /**
     * Waits for a stage, unless another one fails first.
     *
     * @param failed never completes with a value
     * @param deadline null for none
     */
    static <T> T the(CompletableFuture<T> stage, CompletableFuture<?> failed, @Nullable Duration deadline)
            throws IOException {
        try {
            CompletableFuture<?> any = CompletableFuture.anyOf(stage, failed);
            Object _ = deadline == null ? any.get() : any.get(deadline.toNanos(), TimeUnit.NANOSECONDS);
            // Where both are there, the failure counts.
            if (failed.isCompletedExceptionally()) {
                Object _ = failed.get();
            }
            return stage.get();
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new IOException(cause.getMessage() == null ? cause.toString() : cause.getMessage(), cause);
        } catch (TimeoutException e) {
            throw new IOException("no answer within " + (deadline == null ? 0 : deadline.toSeconds()) + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
