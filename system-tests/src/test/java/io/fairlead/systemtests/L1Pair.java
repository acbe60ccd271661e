package io.fairlead.systemtests;

import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Link;
import io.fairlead.testbed.L1Spec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Two L1 hosts of a test's own with a cable between them ({@link L1Link}). */
final class L1Pair implements AutoCloseable {
    private final Path folder;
    private final L1Host first;
    private final L1Host second;

    private L1Pair(Path folder, L1Host first, L1Host second) {
        this.folder = folder;
        this.first = first;
        this.second = second;
    }

    /** Starts both at once. */
    static L1Pair start(L1Lab lab, L1Kernel firstKernel, L1Kernel secondKernel)
            throws IOException, InterruptedException {
        L1Lab.assumeReady(firstKernel);
        L1Lab.assumeReady(secondKernel);
        Path folder = Files.createTempDirectory("fairlead-link-");
        L1Link link = new L1Link(folder.resolve("link.sock"), 1);
        try (ExecutorService both = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<L1Host> first = both.submit(
                    () -> lab.own(L1Spec.of(firstKernel).name("first").link(link), firstKernel));
            Future<L1Host> second = both.submit(
                    () -> lab.own(L1Spec.of(secondKernel).name("second").link(link.other()), secondKernel));
            return new L1Pair(folder, whole(first, second), whole(second, first));
        }
    }

    /** A host that started; where it did not, the other is not left running. */
    private static L1Host whole(Future<L1Host> host, Future<L1Host> other) throws IOException, InterruptedException {
        try {
            return host.get();
        } catch (ExecutionException e) {
            try {
                other.get().close();
            } catch (ExecutionException again) {
                e.addSuppressed(again);
            }
            throw new CompletionException(e.getCause());
        }
    }

    L1Host first() {
        return first;
    }

    L1Host second() {
        return second;
    }

    @Override
    public void close() throws IOException {
        try (first;
                second) {
            Files.deleteIfExists(folder.resolve("link.sock"));
        } finally {
            Files.deleteIfExists(folder);
        }
    }
}
