package io.fairlead.virtio;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * What a virtqueue is, without rings: buffers go from the driver to the device and back. Every statement here is one of
 * the specification's that a user of a queue can see.
 */
final class VirtqueueModel {
    /** One buffer on its way; content is told from the token. */
    static final class Buffer {
        final long token;
        final long[] addresses;
        final int[] lengths;
        final int readableCount;
        final int writableCount;
        /** How many were taken when it was, less those given back. */
        long takenAt;

        boolean complete;
        long written;

        Buffer(long token, long[] addresses, int[] lengths, int readableCount, int writableCount) {
            this.token = token;
            this.addresses = addresses;
            this.lengths = lengths;
            this.readableCount = readableCount;
            this.writableCount = writableCount;
        }

        long readableBytes() {
            return bytes(0, readableCount);
        }

        long writableBytes() {
            return bytes(readableCount, readableCount + writableCount);
        }

        private long bytes(int from, int to) {
            long sum = 0;
            for (int i = from; i < to; i++) {
                sum += lengths[i];
            }
            return sum;
        }

        /** Guest address of a byte counted over the readable or over the writable pieces. */
        long address(boolean writable, long offset) {
            long left = offset;
            for (int i = writable ? readableCount : 0; ; i++) {
                if (left < lengths[i]) {
                    return addresses[i] + left;
                }
                left -= lengths[i];
            }
        }

        byte readableByte(long offset) {
            return (byte) (token * 31 + offset * 7 + 1);
        }

        byte writtenByte(long offset) {
            return (byte) (token * 17 + offset * 3 + 2);
        }
    }

    private final boolean inOrder;
    private final List<Buffer> added = new ArrayList<>();
    private final Deque<Buffer> available = new ArrayDeque<>();
    /** What the device has and did not publish, in the order in which it is to be used. */
    private final List<Buffer> taken = new ArrayList<>();

    private final List<Buffer> completed = new ArrayList<>();
    private final Deque<Buffer> used = new ArrayDeque<>();
    private long takenCount;

    VirtqueueModel(boolean inOrder) {
        this.inOrder = inOrder;
    }

    void add(Buffer buffer) {
        added.add(buffer);
    }

    /** Returns how many buffers became available. */
    int publishAvailable() {
        int count = added.size();
        available.addAll(added);
        added.clear();
        return count;
    }

    boolean hasAvailable() {
        return !available.isEmpty();
    }

    Buffer take() {
        Buffer buffer = available.removeFirst();
        taken.add(buffer);
        takenCount++;
        buffer.takenAt = takenCount;
        return buffer;
    }

    /** Whether a buffer in the device's hands is the one that it took last. */
    boolean isYoungest(Buffer buffer) {
        return buffer.takenAt == takenCount;
    }

    void giveBack(Buffer buffer) {
        taken.remove(buffer);
        takenCount--;
        available.addFirst(buffer);
    }

    void complete(Buffer buffer, long written) {
        buffer.complete = true;
        buffer.written = written;
        completed.add(buffer);
    }

    /** Returns how many buffers became used: with IN_ORDER those before which nothing is incomplete. */
    int publishUsed() {
        int count = 0;
        if (inOrder) {
            while (!taken.isEmpty() && taken.getFirst().complete) {
                Buffer buffer = taken.removeFirst();
                completed.remove(buffer);
                used.add(buffer);
                count++;
            }
            return count;
        }
        for (Buffer buffer : completed) {
            used.add(buffer);
            taken.remove(buffer);
            count++;
        }
        completed.clear();
        return count;
    }

    boolean hasUsed() {
        return !used.isEmpty();
    }

    Buffer poll() {
        return used.removeFirst();
    }

    /** What the device holds: taken or completed, not published. */
    int inDevice() {
        return taken.size();
    }

    int outstanding() {
        return added.size() + available.size() + taken.size() + used.size();
    }

    /** All that is outstanding, the order in which it was added aside. */
    List<Buffer> drain() {
        List<Buffer> all = new ArrayList<>(used);
        all.addAll(taken);
        all.addAll(available);
        all.addAll(added);
        added.clear();
        available.clear();
        taken.clear();
        completed.clear();
        used.clear();
        return all;
    }
}
