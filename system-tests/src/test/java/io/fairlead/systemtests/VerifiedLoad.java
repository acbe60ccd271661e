package io.fairlead.systemtests;

import io.fairlead.testbed.blkio.BlkioCompletions;
import io.fairlead.testbed.blkio.BlkioDevice;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.BlkioMemory;
import io.fairlead.testbed.blkio.BlkioQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;

/**
 * A host program at a vhost-user socket, by libblkio: writes and reads random blocks and compares, until it is told to
 * stop.
 */
final class VerifiedLoad implements AutoCloseable {
    private static final int BLOCK_BYTES = 4096;
    private static final int DEPTH = 8;
    private static final long PAUSE_NANOS = 500_000;
    private static final int LONGS = BLOCK_BYTES / Long.BYTES;

    private final int[] generation;
    private final CompletableFuture<Long> outcome = new CompletableFuture<>();
    private final Thread thread;
    private volatile boolean stopping;

    /** @param blocks of the disk, all of them zero at the start */
    VerifiedLoad(BlkioLibrary library, Path socket, int blocks) {
        generation = new int[blocks];
        thread = Thread.ofPlatform().name("verified-load").start(() -> {
            try (BlkioDevice device = library.startVhostUser(socket, 1, false)) {
                outcome.complete(run(device));
            } catch (Throwable e) {
                outcome.completeExceptionally(e);
            }
        });
    }

    private long run(BlkioDevice device) throws IOException {
        long verified = 0;
        try (BlkioMemory memory = device.allocate((long) DEPTH * BLOCK_BYTES)) {
            BlkioQueue queue = device.queue(0);
            BlkioCompletions completions = new BlkioCompletions(DEPTH);
            SplittableRandom random = new SplittableRandom(5);
            int[] chosen = new int[DEPTH];
            while (!stopping) {
                for (int i = 0; i < DEPTH; i++) {
                    // Different blocks, one from each of as many parts of the disk.
                    chosen[i] = i * (generation.length / DEPTH) + random.nextInt(generation.length / DEPTH);
                    generation[chosen[i]]++;
                    fill(buffer(memory, i), chosen[i]);
                    queue.write((long) chosen[i] * BLOCK_BYTES, buffer(memory, i), i, 0);
                }
                complete(queue, completions);
                memory.segment().fill((byte) 0x5a);
                for (int i = 0; i < DEPTH; i++) {
                    // Half of them blocks that were written long ago.
                    if (i % 2 == 0) {
                        chosen[i] = random.nextInt(generation.length);
                    }
                    queue.read((long) chosen[i] * BLOCK_BYTES, buffer(memory, i), i);
                }
                complete(queue, completions);
                for (int i = 0; i < DEPTH; i++) {
                    compare(buffer(memory, i), chosen[i]);
                    verified++;
                }
                // Leaves the processors to the guest.
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
        return verified;
    }

    private static MemorySegment buffer(BlkioMemory memory, int index) {
        return memory.segment().asSlice((long) index * BLOCK_BYTES, BLOCK_BYTES);
    }

    private static void complete(BlkioQueue queue, BlkioCompletions completions) throws IOException {
        int complete = 0;
        while (complete < DEPTH) {
            complete += queue.await(completions, 1);
            completions.check();
        }
    }

    private void fill(MemorySegment buffer, int block) {
        for (int i = 0; i < LONGS; i++) {
            buffer.setAtIndex(ValueLayout.JAVA_LONG, i, word(block, i));
        }
    }

    private void compare(MemorySegment buffer, int block) {
        for (int i = 0; i < LONGS; i++) {
            long found = buffer.getAtIndex(ValueLayout.JAVA_LONG, i);
            if (found != word(block, i)) {
                throw new AssertionError("block %d, generation %d, word %d: 0x%x instead of 0x%x"
                        .formatted(block, generation[block], i, found, word(block, i)));
            }
        }
    }

    private long word(int block, int index) {
        int written = generation[block];
        return written == 0 ? 0 : ((long) block << 32 | written) * 0x9E3779B97F4A7C15L + index;
    }

    /** Ends it; returns how many blocks were read and found right. Throws what it failed with. */
    long stop() throws InterruptedException {
        stopping = true;
        try {
            return outcome.get();
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause());
        }
    }

    /** Ends it, whatever came of it. */
    @Override
    public void close() {
        stopping = true;
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
