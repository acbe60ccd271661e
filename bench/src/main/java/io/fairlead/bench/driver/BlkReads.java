package io.fairlead.bench.driver;

import io.fairlead.virtio.BlkRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads of a disk. */
public final class BlkReads implements Reads {
    private static final int HEADER_BYTES = 16;
    private static final int SECTOR_OFFSET = 8;
    private static final int SECTORS = BLOCK_BYTES >> BlkRequest.SECTOR_SHIFT;

    @Override
    public int queue() {
        return 0;
    }

    @Override
    public int headerBytes() {
        return HEADER_BYTES;
    }

    @Override
    public int answerBytes() {
        return 1;
    }

    @Override
    public boolean answersFirst() {
        return false;
    }

    @Override
    public void request(MemorySegment memory, long headerAt, long answerAt, long block) {
        memory.set(ValueLayout.JAVA_INT, headerAt, BlkRequest.IN);
        memory.set(ValueLayout.JAVA_LONG, headerAt + SECTOR_OFFSET, block * SECTORS);
        memory.set(ValueLayout.JAVA_BYTE, answerAt, (byte) -1);
    }

    @Override
    public boolean isGood(MemorySegment memory, long answerAt) {
        return memory.get(ValueLayout.JAVA_BYTE, answerAt) == BlkRequest.STATUS_OK;
    }
}
