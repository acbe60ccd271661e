package io.fairlead.virtio;

/**
 * Completed chains on their way to the ring: in the order of completion or, with IN_ORDER, in the order in which they
 * were taken, where one that is late holds up those behind it. Bounded by the queue size, without allocation. Used by
 * the queue's thread alone.
 */
final class CompletionBuffer {
    private final boolean inOrder;
    private final long[] entries;
    private final int mask;
    private int head;
    private int tail;

    CompletionBuffer(int size, boolean inOrder) {
        this.inOrder = inOrder;
        int capacity = size == 1 ? 1 : Integer.highestOneBit(size - 1) << 1;
        entries = new long[capacity];
        mask = capacity - 1;
    }

    /** Packs a completed chain. Never 0, as a chain takes at least one slot. */
    static long entry(DescriptorChain chain, long writtenBytes) {
        long length = Math.min(writtenBytes, 0xffff_ffffL);
        return ((long) chain.id() << 48) | ((long) chain.descriptorCount() << 32) | length;
    }

    static int id(long entry) {
        return (int) (entry >>> 48);
    }

    static int descriptorCount(long entry) {
        return (int) (entry >>> 32) & 0xffff;
    }

    static long writtenBytes(long entry) {
        return entry & 0xffff_ffffL;
    }

    /** Notes that a chain was taken; its position goes with it to {@link #put}. */
    int take() {
        if (!inOrder) {
            return 0;
        }
        int position = tail & mask;
        entries[position] = 0;
        tail++;
        return position;
    }

    /** Takes back what {@link #take} said last. */
    void untake(int position) {
        if (inOrder) {
            if (((tail - 1) & mask) != position) {
                throw new IllegalStateException("a chain is given back that is not the youngest");
            }
            tail--;
        }
    }

    /** Keeps the first positions for chains that are taken later than others but come before them. Before any other call. */
    void reserve(int count) {
        if (inOrder) {
            tail = count;
        }
    }

    /** The position of the n-th chain of those. */
    int reserved(int n) {
        return inOrder ? n : 0;
    }

    /** Adds a completed chain; returns its place, below the capacity, as {@link #poll} will. */
    int put(int position, long entry) {
        int place = inOrder ? position : tail++ & mask;
        entries[place] = entry;
        return place;
    }

    /** Removes the next entry that may go to the ring; its place, or -1 where there is none. */
    int poll() {
        int place = head & mask;
        if (head == tail || entries[place] == 0) {
            return -1;
        }
        head++;
        return place;
    }

    /** The entry at a place, until the next {@link #take} or {@link #put}. */
    long entryAt(int place) {
        return entries[place];
    }

    int capacity() {
        return entries.length;
    }
}
