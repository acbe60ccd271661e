package io.fairlead.bench.driver;

import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.ScsiRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** READ (10) of a SCSI host's unit 0 with blocks of 512 bytes, as Linux sends it. */
public final class ScsiReads implements Reads {
    private static final ValueLayout.OfInt BIG_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int SECTORS = BLOCK_BYTES / 512;
    private static final byte READ_10 = 0x28;
    private static final int ADDRESS_OFFSET = ScsiRequest.CDB_OFFSET + 2;
    private static final int COUNT_OFFSET = ScsiRequest.CDB_OFFSET + 8;

    @Override
    public int queue() {
        return ScsiRequest.FIRST_REQUEST_QUEUE;
    }

    @Override
    public int headerBytes() {
        return ScsiRequest.CDB_OFFSET + ScsiConfig.DEFAULT_CDB_BYTES;
    }

    @Override
    public int answerBytes() {
        return ScsiRequest.SENSE_OFFSET + ScsiConfig.DEFAULT_SENSE_BYTES;
    }

    @Override
    public boolean answersFirst() {
        return true;
    }

    @Override
    public void prepare(MemorySegment memory, long headerAt) {
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, headerAt, ScsiRequest.address(0));
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, headerAt + ScsiRequest.TAG_OFFSET, headerAt);
        memory.set(ValueLayout.JAVA_BYTE, headerAt + ScsiRequest.CDB_OFFSET, READ_10);
        memory.set(ValueLayout.JAVA_BYTE, headerAt + COUNT_OFFSET, (byte) SECTORS);
    }

    @Override
    public void request(MemorySegment memory, long headerAt, long answerAt, long block) {
        memory.set(BIG_INT, headerAt + ADDRESS_OFFSET, (int) (block * SECTORS));
        memory.set(ValueLayout.JAVA_BYTE, answerAt + ScsiRequest.RESPONSE_OFFSET, (byte) -1);
    }

    /** The first command of a new host is told that it was switched on. */
    @Override
    public boolean isGood(MemorySegment memory, long answerAt) {
        return memory.get(ValueLayout.JAVA_BYTE, answerAt + ScsiRequest.RESPONSE_OFFSET) == ScsiRequest.RESPONSE_OK
                && memory.get(ValueLayout.JAVA_BYTE, answerAt + ScsiRequest.STATUS_OFFSET) == 0;
    }
}
