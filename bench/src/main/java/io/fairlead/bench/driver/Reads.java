package io.fairlead.bench.driver;

import java.lang.foreign.MemorySegment;

/**
 * How a device type is asked for a block of 4 KiB: a header that the device reads, and an answer that it writes, before or
 * behind the block.
 */
public interface Reads {
    /** Bytes of a block. */
    int BLOCK_BYTES = 4096;

    /** The queue that takes reads. */
    int queue();

    /** Bytes that the device reads. */
    int headerBytes();

    /** Bytes that the device writes beside the block. */
    int answerBytes();

    /** Whether the answer comes before the block. */
    boolean answersFirst();

    /**
     * Writes a request.
     *
     * @param memory what does not change is there since {@link #prepare}
     */
    void request(MemorySegment memory, long headerAt, long answerAt, long block);

    /** Writes into a header what is the same in all requests. */
    default void prepare(MemorySegment memory, long headerAt) {}

    /** Whether the answer says that the block was read. */
    boolean isGood(MemorySegment memory, long answerAt);
}
