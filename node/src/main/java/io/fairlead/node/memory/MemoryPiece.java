package io.fairlead.node.memory;

import io.fairlead.node.channel.Message;
import io.fairlead.vdpa.SharedDirtyLog;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A piece of a machine's memory by the hashes of its pages, 64 bits each. Page n begins {@code n * PAGE_BYTES} after the
 * piece; the last one may be short. Immutable.
 */
public final class MemoryPiece {
    /** The granule of the check, and of the log whose losses it finds. */
    public static final long PAGE_BYTES = SharedDirtyLog.PAGE_BYTES;

    /** Of memory in one piece: half a MiB of hashes. */
    public static final long MAX_BYTES = 256L << 20;

    /** Pages that one task hashes. */
    private static final int PAGES_AT_ONCE = 256;

    private final long address;
    private final long byteCount;
    private final byte[] hashes;

    private MemoryPiece(long address, long byteCount, byte[] hashes) {
        this.address = address;
        this.byteCount = byteCount;
        this.hashes = hashes;
    }

    /**
     * Checks what somebody else sent.
     *
     * @param hashes big-endian, 8 bytes a page; not copied
     */
    static MemoryPiece of(long address, long byteCount, byte[] hashes) throws IOException {
        if (address < 0 || byteCount < 1 || byteCount > MAX_BYTES || address > Long.MAX_VALUE - byteCount) {
            throw new IOException(
                    "%d bytes of memory at address 0x%x are no piece of a machine".formatted(byteCount, address));
        }
        if (hashes.length != pageCount(byteCount) * Long.BYTES) {
            throw new IOException("%d bytes of hashes for %d bytes of memory at address 0x%x"
                    .formatted(hashes.length, byteCount, address));
        }
        return new MemoryPiece(address, byteCount, hashes);
    }

    /**
     * Hashes memory, by as many threads as there are processors.
     *
     * @param bytes 1 to {@link #MAX_BYTES}
     */
    public static MemoryPiece hash(long address, MemorySegment bytes) {
        int pages = pageCount(bytes.byteSize());
        ByteBuffer hashes = ByteBuffer.allocate(pages * Long.BYTES);
        IntStream.rangeClosed(0, (pages - 1) / PAGES_AT_ONCE).parallel().forEach(task -> {
            for (int page = task * PAGES_AT_ONCE; page < Math.min(pages, (task + 1) * PAGES_AT_ONCE); page++) {
                long from = page * PAGE_BYTES;
                hashes.putLong(
                        page * Long.BYTES,
                        PageHash.of(bytes.asSlice(from, Math.min(PAGE_BYTES, bytes.byteSize() - from))));
            }
        });
        return new MemoryPiece(address, bytes.byteSize(), hashes.array());
    }

    private static int pageCount(long byteCount) {
        return (int) ((byteCount + PAGE_BYTES - 1) / PAGE_BYTES);
    }

    /** Reads one from a message. */
    public static MemoryPiece of(Message message) throws IOException {
        if (message.blobs().size() != 1) {
            throw new IOException("hashes of memory came in %d blobs"
                    .formatted(message.blobs().size()));
        }
        return of(
                message.fields().path("address").asLong(-1),
                message.fields().path("byteCount").asLong(-1),
                message.blobs().getFirst());
    }

    /** Writes it into a message. */
    public Message into(Message message) {
        return new Message(
                message.with("address", address).with("byteCount", byteCount).kind(),
                message.fields(),
                List.of(hashes));
    }

    /** Where the machine sees its first byte. */
    public long address() {
        return address;
    }

    public long byteCount() {
        return byteCount;
    }

    byte[] hashes() {
        return hashes;
    }

    /**
     * Notes where this piece and some bytes differ.
     *
     * @param offset of the bytes in the piece, at the start of a page
     * @param bytes to the end of a page, or of the piece
     */
    public void compare(long offset, MemorySegment bytes, MemoryDifferences differences) {
        ByteBuffer expected = ByteBuffer.wrap(hashes).position(Math.toIntExact(offset / PAGE_BYTES * Long.BYTES));
        ByteBuffer actual = ByteBuffer.wrap(hash(address + offset, bytes).hashes);
        for (long at = 0; actual.hasRemaining(); at += PAGE_BYTES) {
            if (actual.getLong() != expected.getLong()) {
                differences.add(address + offset + at, Math.min(PAGE_BYTES, bytes.byteSize() - at));
            }
        }
    }
}
