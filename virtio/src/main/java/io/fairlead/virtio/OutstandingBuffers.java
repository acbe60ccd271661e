package io.fairlead.virtio;

import java.util.Arrays;
import java.util.Comparator;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * What a driver keeps in its own memory of the buffers that it added and has not got back, by buffer id (split: head of
 * the chain). Nothing here comes from the device unchecked.
 *
 * <p>With IN_ORDER it also knows their order.
 */
final class OutstandingBuffers {
    private final long[] tokens;
    private final long[] writableBytes;
    /** Number of the buffer in the order of adding. */
    private final long[] sequences;
    /** Ring entries taken; 0 where the id is not outstanding. */
    private final int[] descriptorCounts;
    /** Ids in the order of adding, a ring; of length 0 without IN_ORDER. */
    private final int[] order;

    private int oldest;
    private int newest;
    private int count;
    private int pending;
    private long added;
    /** Buffers with a lower number are published. */
    private long published;

    OutstandingBuffers(int size, boolean inOrder) {
        tokens = new long[size];
        writableBytes = new long[size];
        sequences = new long[size];
        descriptorCounts = new int[size];
        order = new int[inOrder ? size : 0];
    }

    void add(int id, long token, long writable, int descriptorCount) {
        tokens[id] = token;
        writableBytes[id] = writable;
        sequences[id] = added++;
        descriptorCounts[id] = descriptorCount;
        count++;
        pending++;
        if (order.length > 0) {
            order[newest] = id;
            newest = newest + 1 == order.length ? 0 : newest + 1;
        }
    }

    /** All added buffers can be seen by the device from now on. */
    void publish() {
        published = added;
        pending = 0;
    }

    /** Buffers added and not published. */
    int pending() {
        return pending;
    }

    int count() {
        return count;
    }

    /** Buffers that the device may use. */
    int publishedCount() {
        return count - pending;
    }

    /** Whether the device may use the buffer of an id, whatever the id. */
    boolean isPublished(int id) {
        return id >= 0 && id < tokens.length && descriptorCounts[id] != 0 && sequences[id] < published;
    }

    /** IN_ORDER: the id of the oldest buffer. */
    int oldest() {
        return order[oldest];
    }

    /** IN_ORDER: how many buffers there are from the oldest to that of a published id, both counted. */
    int batchSize(int lastId) {
        // Ids are given in order and the ring has no gaps, so the difference of the numbers is the distance.
        return (int) (sequences[lastId] - sequences[order[oldest]]) + 1;
    }

    long token(int id) {
        return tokens[id];
    }

    long writableBytes(int id) {
        return writableBytes[id];
    }

    int descriptorCount(int id) {
        return descriptorCounts[id];
    }

    /** The buffer is the caller's again; with IN_ORDER it must be the oldest. */
    void remove(int id) {
        descriptorCounts[id] = 0;
        count--;
        if (order.length > 0) {
            oldest = oldest + 1 == order.length ? 0 : oldest + 1;
        }
    }

    /** Hands over all tokens, the oldest first, and forgets them. */
    void drain(LongConsumer returned) {
        IntStream.range(0, tokens.length)
                .filter(id -> descriptorCounts[id] != 0)
                .boxed()
                .sorted(Comparator.comparingLong(id -> sequences[id]))
                .toList()
                .forEach(id -> returned.accept(tokens[id]));
        Arrays.fill(descriptorCounts, 0);
        oldest = 0;
        newest = 0;
        count = 0;
        pending = 0;
    }
}
