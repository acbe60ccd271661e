package io.fairlead.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Turns SIGINT and SIGTERM into an orderly end: the JVM's shutdown waits until the command has closed what it opened, and
 * the process then ends with exit code 0.
 */
final class TerminationSignal implements AutoCloseable {
    private final CountDownLatch requested = new CountDownLatch(1);
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile boolean unregistered;
    private final Thread hook = new Thread(this::onShutdown, "fairlead-shutdown");

    private TerminationSignal() {}

    static TerminationSignal install() {
        TerminationSignal signal = new TerminationSignal();
        Runtime.getRuntime().addShutdownHook(signal.hook);
        return signal;
    }

    /** Waits for a signal. */
    void await() throws InterruptedException {
        requested.await();
    }

    boolean isRequested() {
        return requested.getCount() == 0;
    }

    private void onShutdown() {
        requested.countDown();
        try {
            finished.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!unregistered) {
            System.out.flush();
            Runtime.getRuntime().halt(0);
        }
    }

    /** The command has closed everything. */
    @Override
    public void close() {
        if (!isRequested()) {
            // The end without a signal: nobody waits for the hook.
            unregistered = true;
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException shutdownBegan) {
                // A signal came just now; the hook goes on by the latch below.
            }
        }
        finished.countDown();
    }
}
