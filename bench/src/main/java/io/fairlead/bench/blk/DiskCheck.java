package io.fairlead.bench.blk;

import io.fairlead.testbed.blkio.BlkioCompletions;
import io.fairlead.testbed.blkio.BlkioDevice;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.BlkioMemory;
import io.fairlead.testbed.blkio.BlkioQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.SplittableRandom;

/** Makes sure that a server serves the file's own bytes before it is measured: a wrong answer can be quick. */
final class DiskCheck {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final int BLOCK_BYTES = 4096;
    private static final int BLOCKS = 32;

    private DiskCheck() {}

    /**
     * Writes a few blocks and reads them and others.
     *
     * @throws IOException where a server fails, or returns or leaves other bytes than it should
     */
    static void check(BlkioLibrary library, DiskServer server, DataFile file) throws IOException {
        try (BlkioDevice device = library.startVhostUser(server.socket(), 1, false)) {
            BlkioMemory memory = device.allocate(BLOCK_BYTES);
            SplittableRandom random = new SplittableRandom(server.pid());
            long blocks = device.capacityBytes() / BLOCK_BYTES;
            for (int i = 0; i < BLOCKS; i++) {
                long offset = random.nextLong(blocks) * BLOCK_BYTES;
                if (i % 2 == 0) {
                    write(device, memory, offset, random);
                    compare("a block was not written to the file", server, file, offset, memory.segment());
                }
                memory.segment().fill((byte) 0);
                device.queue(0).read(offset, memory.segment().asSlice(0, BLOCK_BYTES), i);
                await(device.queue(0));
                compare("a read did not return what the file has", server, file, offset, memory.segment());
            }
        }
    }

    private static void write(BlkioDevice device, BlkioMemory memory, long offset, SplittableRandom random)
            throws IOException {
        for (long at = 0; at < BLOCK_BYTES; at += Long.BYTES) {
            memory.segment().set(ValueLayout.JAVA_LONG, at, random.nextLong());
        }
        BlkioQueue queue = device.queue(0);
        queue.write(offset, memory.segment().asSlice(0, BLOCK_BYTES), offset, 0);
        await(queue);
    }

    private static void await(BlkioQueue queue) throws IOException {
        BlkioCompletions completions = new BlkioCompletions(1);
        if (queue.await(completions, 1, TIMEOUT) == 0) {
            throw new IOException("the server did not answer within " + TIMEOUT.toSeconds() + " s");
        }
        completions.check();
    }

    private static void compare(String difference, DiskServer server, DataFile file, long offset, MemorySegment served)
            throws IOException {
        ByteBuffer expected = ByteBuffer.allocate(BLOCK_BYTES);
        file.read(offset, expected);
        if (served.asSlice(0, BLOCK_BYTES).mismatch(MemorySegment.ofArray(expected.array())) >= 0) {
            throw new IOException("%s: %s, at offset %d".formatted(server.kind().label(), difference, offset));
        }
    }
}
