package io.fairlead.testbed.blkio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Room for the outcome of requests, an array of {@code struct blkio_completion}. Filled by {@link BlkioQueue#poll} and
 * {@link BlkioQueue#await}; the accessors tell what the last of these calls brought. One thread at a time. The accessors
 * allocate nothing but {@link #message}.
 */
public final class BlkioCompletions {
    static final long BYTES = 32;
    static final long USER_DATA = 0;
    static final long ERROR_MSG = 8;
    static final long RET = 16;

    private final MemorySegment array;
    private final int capacity;
    private int count;

    /**
     * @param capacity how many outcomes one call can bring, 1 or more
     */
    public BlkioCompletions(int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("no room for completions: " + capacity);
        }
        this.capacity = capacity;
        this.array = Arena.ofAuto().allocate(capacity * BYTES, Long.BYTES);
    }

    public int capacity() {
        return capacity;
    }

    /** How many requests the last call found complete. */
    public int count() {
        return count;
    }

    /** The number that came with the request. */
    public long token(int i) {
        return array.get(JAVA_LONG, Objects.checkIndex(i, count) * BYTES + USER_DATA);
    }

    /** 0, or the negative error number with which the request failed. */
    public int result(int i) {
        return array.get(JAVA_INT, Objects.checkIndex(i, count) * BYTES + RET);
    }

    /** libblkio's words for a failure; often there are none. */
    public String message(int i) {
        return NativeLibrary.text(array.get(JAVA_LONG, Objects.checkIndex(i, count) * BYTES + ERROR_MSG));
    }

    /** Throws where one of the requests failed. */
    public void check() throws BlkioException {
        for (int i = 0; i < count; i++) {
            if (result(i) != 0) {
                throw new BlkioException("request " + token(i), -result(i), message(i));
            }
        }
    }

    MemorySegment array() {
        return array;
    }

    void count(int newCount) {
        count = newCount;
    }
}
