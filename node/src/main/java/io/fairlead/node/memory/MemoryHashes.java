package io.fairlead.node.memory;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The hashes of a machine's memory as they come from the source, kept in a file: a large machine has too many for memory,
 * and a node that is started again still has them. The file: for each piece u64 address, u64 bytes and the hashes; at the
 * end -1. The caller serializes.
 */
public final class MemoryHashes {
    /** What a machine may show beyond its RAM: video memory and ROMs. */
    private static final long BESIDE_RAM_BYTES = 256L << 20;

    private static final long END = -1;

    private final Path file;
    private final long maxBytes;
    private long totalBytes;
    private long nextAddress;
    private boolean complete;

    private MemoryHashes(Path file, long maxBytes) {
        this.file = file;
        this.maxBytes = maxBytes;
    }

    /**
     * Begins a file.
     *
     * @param memoryBytes of the machine; not much more is taken
     */
    public static MemoryHashes create(Path file, long memoryBytes) throws IOException {
        Files.deleteIfExists(file);
        return new MemoryHashes(file, memoryBytes + BESIDE_RAM_BYTES);
    }

    /**
     * Takes the next piece.
     *
     * @throws IOException where it does not lie behind the last one, is more than the machine has, or follows the end
     */
    public void add(MemoryPiece piece, boolean isLast) throws IOException {
        if (complete) {
            throw new IOException("more memory after the last piece");
        }
        if (piece.address() < nextAddress) {
            throw new IOException(
                    "memory at address 0x%x after that below 0x%x".formatted(piece.address(), nextAddress));
        }
        if (piece.byteCount() > maxBytes - totalBytes) {
            throw new IOException("more than %d bytes of memory, which the machine has not".formatted(maxBytes));
        }
        try (DataOutputStream out = new DataOutputStream(
                Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND))) {
            out.writeLong(piece.address());
            out.writeLong(piece.byteCount());
            out.write(piece.hashes());
            if (isLast) {
                out.writeLong(END);
            }
        }
        totalBytes += piece.byteCount();
        nextAddress = piece.address() + piece.byteCount();
        complete = isLast;
    }

    /** Whether the last piece has come. */
    public boolean isComplete() {
        return complete;
    }

    /** What is done with a piece. */
    public interface Visitor {
        void piece(MemoryPiece piece) throws IOException;
    }

    /** Reads a file from its beginning to its end. */
    public static void read(Path file, Visitor visitor) throws IOException {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16))) {
            for (long address = in.readLong(); address != END; address = in.readLong()) {
                long byteCount = in.readLong();
                int hashBytes = Math.toIntExact(Math.clamp(
                        (byteCount + MemoryPiece.PAGE_BYTES - 1) / MemoryPiece.PAGE_BYTES * Long.BYTES,
                        0,
                        MemoryPiece.MAX_BYTES));
                visitor.piece(MemoryPiece.of(address, byteCount, in.readNBytes(hashBytes)));
            }
        }
    }
}
