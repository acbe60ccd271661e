package io.fairlead.node.memory;

import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;

/** Hashes the memory of a machine that ran and stands still, as its devices have it mapped. */
public final class RunningMemory {
    /** Takes piece after piece, by ascending addresses. */
    public interface Sink {
        void piece(MemoryPiece piece, boolean isLast) throws IOException;
    }

    private RunningMemory() {}

    /**
     * Hashes all of it. Nobody may write meanwhile.
     *
     * @param table held by the caller; with regions
     * @throws IOException where memory is not there any more, or of the sink
     */
    public static void hash(MemoryTable table, Sink sink) throws IOException {
        List<MemoryRegion> regions = table.regions().stream()
                .sorted(Comparator.comparingLong(MemoryRegion::guestAddress))
                .toList();
        for (MemoryRegion region : regions) {
            for (long offset = 0; offset < region.byteCount(); offset += MemoryPiece.MAX_BYTES) {
                long byteCount = Math.min(MemoryPiece.MAX_BYTES, region.byteCount() - offset);
                boolean isLast = region == regions.getLast() && offset + byteCount == region.byteCount();
                sink.piece(hash(region, offset, byteCount), isLast);
            }
        }
    }

    private static MemoryPiece hash(MemoryRegion region, long offset, long byteCount) throws IOException {
        try {
            return MemoryPiece.hash(
                    region.guestAddress() + offset, region.segment().asSlice(offset, byteCount));
        } catch (InternalError e) {
            // The file was cut short under its mapping.
            throw new IOException(region + " cannot be read any more", e);
        }
    }
}
