package io.fairlead.node.memory;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.PipeEnd;
import io.fairlead.qemu.Qmp;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import tools.jackson.databind.JsonNode;

/**
 * Reads the memory of a QEMU whose machine has not run yet, through a named pipe into which its monitor writes it: devices
 * see memory only when a machine is told to run, and then it is too late. One thread.
 */
public final class StoppedMemory implements AutoCloseable {
    /** Of one command: QEMU's monitor does nothing else meanwhile. */
    private static final long COMMAND_BYTES = 64L << 20;

    private static final long BUFFER_BYTES = 4L << 20;
    private static final int OWNER_ONLY = 0600;

    private final Qmp qmp;
    private final Path pipe;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment buffer = arena.allocate(BUFFER_BYTES, MemoryPiece.PAGE_BYTES);

    /**
     * @param qmp stays the caller's
     * @param pipe is made here and deleted at the end; absolute, where QEMU can reach it, too
     */
    public StoppedMemory(Qmp qmp, Path pipe) throws IOException {
        this.qmp = qmp;
        this.pipe = pipe;
        Files.deleteIfExists(pipe);
        FileIo.makePipe(pipe, OWNER_ONLY);
    }

    /** Notes where a piece is not as its hashes say. */
    public void compare(MemoryPiece piece, MemoryDifferences differences) throws IOException {
        for (long offset = 0; offset < piece.byteCount(); offset += COMMAND_BYTES) {
            compare(piece, offset, Math.min(COMMAND_BYTES, piece.byteCount() - offset), differences);
        }
    }

    private void compare(MemoryPiece piece, long offset, long byteCount, MemoryDifferences differences)
            throws IOException {
        Fd fd = FileIo.open(pipe, FileIo.O_RDONLY | FileIo.O_NONBLOCK, 0);
        try (PipeEnd reader = PipeEnd.reading(fd)) {
            CompletableFuture<Void> writing = CompletableFuture.runAsync(
                    () -> save(piece.address() + offset, byteCount, reader),
                    task -> Thread.ofVirtual().name("fairlead-memory").start(task));
            IOException broken = null;
            try {
                for (long done = 0; done < byteCount; ) {
                    MemorySegment target = buffer.asSlice(0, Math.min(BUFFER_BYTES, byteCount - done));
                    fill(reader, target);
                    piece.compare(offset + done, target, differences);
                    done += target.byteSize();
                }
            } catch (IOException e) {
                broken = e;
            }
            try {
                Void _ = writing.join();
            } catch (CompletionException e) {
                throw new IOException(
                        "QEMU did not write its memory into %s, which its user has to reach: %s"
                                .formatted(
                                        pipe,
                                        e.getCause() == null ? e : e.getCause().getMessage()),
                        e);
            }
            if (broken != null) {
                throw broken;
            }
        }
    }

    /** Has QEMU write, and ends the reader's wait where it does not. */
    private void save(long address, long byteCount, PipeEnd reader) {
        try {
            JsonNode _ =
                    qmp.execute("pmemsave", Map.of("val", address, "size", byteCount, "filename", pipe.toString()));
        } catch (IOException e) {
            reader.shutdown();
            throw new CompletionException(e);
        }
    }

    private static void fill(PipeEnd reader, MemorySegment target) throws IOException {
        for (long at = 0; at < target.byteSize(); ) {
            int count = reader.read(target.asSlice(at));
            if (count == 0) {
                throw new IOException("QEMU wrote less memory than it was asked for");
            }
            at += count;
        }
    }

    @Override
    public void close() throws IOException {
        arena.close();
        Files.deleteIfExists(pipe);
    }
}
