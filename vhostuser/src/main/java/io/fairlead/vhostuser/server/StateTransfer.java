package io.fairlead.vhostuser.server;

import io.fairlead.linux.Fd;
import io.fairlead.linux.PipeEnd;
import io.fairlead.vdpa.state.DeviceState;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Carries one state over a pipe, by a thread of its own: what it sends was taken before, what it receives is bounded. One
 * thread begins, awaits and closes; {@link #shutdown} may come from any.
 */
final class StateTransfer implements AutoCloseable {
    /** A client that asks how it went has written or read all; what is still on its way is in the pipe's buffer. */
    private static final long PATIENCE_SECONDS = 2;

    private static final long STACK_BYTES = 256 * 1024;
    private static final int CHUNK_BYTES = 64 << 10;

    private interface Work {
        byte @Nullable [] run() throws IOException;
    }

    /** Where the bytes come from that are sent. */
    interface Source {
        byte[] take() throws IOException;
    }

    private final PipeEnd pipe;
    private final CompletableFuture<byte @Nullable []> outcome = new CompletableFuture<>();
    private final Object lock = new Object();
    private final Thread thread;
    private boolean closed;

    private StateTransfer(String name, PipeEnd pipe, Work work) {
        this.pipe = pipe;
        thread = Thread.ofPlatform()
                .daemon()
                .name("fairlead-state-" + name)
                .stackSize(STACK_BYTES)
                .unstarted(() -> run(work));
    }

    private void run(Work work) {
        try {
            byte @Nullable [] received = work.run();
            closePipe();
            outcome.complete(received);
        } catch (IOException | RuntimeException | Error e) {
            closePipe();
            outcome.completeExceptionally(e);
        }
    }

    /**
     * Sends what is taken now.
     *
     * @param fd owned from now on
     * @throws IOException where it could not be taken, or the descriptor is no pipe
     */
    static StateTransfer send(String name, Fd fd, Source source) throws IOException {
        byte[] state;
        try {
            state = source.take();
        } catch (IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
        PipeEnd pipe = PipeEnd.writing(fd);
        return started(new StateTransfer(name, pipe, () -> {
            try (Arena arena = Arena.ofConfined()) {
                pipe.writeAll(arena.allocateFrom(ValueLayout.JAVA_BYTE, state));
            }
            return null;
        }));
    }

    /** Receives up to the end of the stream. */
    static StateTransfer receive(String name, Fd fd) throws IOException {
        PipeEnd pipe = PipeEnd.reading(fd);
        return started(new StateTransfer(name, pipe, () -> receive(pipe)));
    }

    private static byte[] receive(PipeEnd pipe) throws IOException {
        ByteArrayOutputStream received = new ByteArrayOutputStream();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate(CHUNK_BYTES);
            for (int count = pipe.read(chunk); count > 0; count = pipe.read(chunk)) {
                if (received.size() + count > DeviceState.MAX_BYTES) {
                    throw new IOException("more than %d bytes of state came".formatted(DeviceState.MAX_BYTES));
                }
                received.writeBytes(chunk.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE));
            }
        }
        return received.toByteArray();
    }

    private static StateTransfer started(StateTransfer transfer) {
        transfer.thread.start();
        return transfer;
    }

    boolean isUnderWay() {
        return !outcome.isDone();
    }

    /**
     * Waits for the end, which is near.
     *
     * @return what was received, null where it was sent
     * @throws IOException what went wrong, also that the end did not come
     */
    byte @Nullable [] await() throws IOException {
        try {
            return outcome.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } catch (TimeoutException e) {
            throw new IOException("its pipe did not come to an end", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** Ends it; {@link #await} fails if it was not at its end. */
    void shutdown() {
        synchronized (lock) {
            if (!closed) {
                pipe.shutdown();
            }
        }
    }

    private void closePipe() {
        synchronized (lock) {
            closed = true;
            pipe.close();
        }
    }

    /** Ends it and waits for its thread. */
    @Override
    public void close() {
        shutdown();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
