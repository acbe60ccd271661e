package io.fairlead.devices.blk;

import io.fairlead.virtio.BlkRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads {@code struct virtio_blk_discard_write_zeroes} and checks ranges of sectors. */
final class BlkRange {
    private BlkRange() {}

    static long sector(MemorySegment range) {
        return range.get(ValueLayout.JAVA_LONG, BlkRequest.SEGMENT_SECTOR_OFFSET);
    }

    static long sectorCount(MemorySegment range) {
        return Integer.toUnsignedLong(range.get(ValueLayout.JAVA_INT, BlkRequest.SEGMENT_SECTOR_COUNT_OFFSET));
    }

    static int flags(MemorySegment range) {
        return range.get(ValueLayout.JAVA_INT, BlkRequest.SEGMENT_FLAGS_OFFSET);
    }

    static boolean unmap(MemorySegment range) {
        return (flags(range) & BlkRequest.SEGMENT_FLAG_UNMAP) != 0;
    }

    /** Whether sectors lie inside a capacity; what the guest says may be any number. */
    static boolean isInside(long sector, long sectorCount, long capacityBytes) {
        long capacity = capacityBytes >> BlkRequest.SECTOR_SHIFT;
        return sector >= 0 && sector <= capacity && sectorCount >= 0 && sectorCount <= capacity - sector;
    }
}
