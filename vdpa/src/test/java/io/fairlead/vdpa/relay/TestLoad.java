package io.fairlead.vdpa.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.RingLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A driver at queue 0 of a {@link TestGuest}: random requests, several at a time, each of which must come back once with
 * the right bytes. Every request has a place of its own in memory: a page that the guest writes, then room that only the
 * device writes. Runs where it is called, or in a thread of its own.
 */
final class TestLoad {
    private static final int PLACE_BYTES = 96 << 10;
    private static final int ROOM = PLACE_BYTES - 4096;
    static final int MAX_DEPTH = (int) ((TestGuest.BYTES - TestGuest.DATA) / PLACE_BYTES);
    private static final long PATIENCE_NANOS = 20_000_000_000L;

    private final TestGuest guest;
    private final SplittableRandom random;
    private final int depth;
    private final int maxPieces;
    private final boolean polls;
    private final boolean[] busy;
    private final int[] wanted = new int[MAX_DEPTH];
    private final int[] numbers = new int[MAX_DEPTH];
    private final long[][] addresses = new long[MAX_DEPTH][];
    private final int[][] lengths = new int[MAX_DEPTH][];
    private final int[] readable = new int[MAX_DEPTH];
    private int outstanding;
    private int number;
    private long answered;

    /** Pages of the guest's memory that the device said it wrote to. */
    final BitSet written = new BitSet();

    private volatile boolean stopping;
    private final CompletableFuture<Long> outcome = new CompletableFuture<>();

    /**
     * @param depth requests at a time
     * @param maxPieces most pieces of a request, at least 2
     * @param polls whether the driver looks at its ring all the time; else it sleeps until it is signalled
     */
    TestLoad(TestGuest guest, long seed, int depth, int maxPieces, boolean polls) {
        this.guest = guest;
        random = new SplittableRandom(seed);
        this.depth = depth;
        this.maxPieces = maxPieces;
        this.polls = polls;
        busy = new boolean[MAX_DEPTH];
    }

    void startThread() {
        Thread.ofPlatform().daemon().name("test-load").start(() -> {
            try {
                while (!stopping) {
                    step(true);
                }
                while (outstanding > 0) {
                    step(false);
                }
                outcome.complete(answered);
            } catch (Throwable e) {
                outcome.completeExceptionally(e);
            }
        });
    }

    /** Whether the thread has failed or ended. */
    boolean isOver() {
        return outcome.isDone();
    }

    /** Ends the thread's work; returns how many requests were answered. */
    long stop() throws Exception {
        stopping = true;
        return outcome.get(30, TimeUnit.SECONDS);
    }

    /** Does so many requests in this thread. */
    void run(int count) throws Exception {
        long end = answered + count;
        while (answered < end) {
            step(true);
        }
        while (outstanding > 0) {
            step(false);
        }
    }

    /** Fills the ring without waiting for an answer. */
    void fill() {
        add();
    }

    /** Makes so many requests more than there are outstanding, without waiting. */
    void more(int count) {
        int left = count;
        for (int place = 0; left > 0; place++) {
            if (!busy[place]) {
                prepare(place);
                assertThat(put(place)).isTrue();
                left--;
            }
        }
        guest.publish(0);
    }

    /** Waits for all that is outstanding. */
    void await() throws Exception {
        while (outstanding > 0) {
            step(false);
        }
    }

    private void step(boolean more) throws Exception {
        if (more) {
            add();
        }
        DriverQueue queue = guest.queues[0];
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        queue.disableInterrupts();
        while (!queue.hasUsed()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError(
                        "no answer to %d requests after %d, state %s".formatted(outstanding, answered, queue.state()));
            }
            if (polls) {
                LockSupport.parkNanos(1_000);
            } else if (!queue.enableInterrupts()) {
                while (!guest.calls[0].drain()) {
                    if (System.nanoTime() > deadline) {
                        throw new AssertionError("no signal with %d requests outstanding after %d, used %s"
                                .formatted(outstanding, answered, queue.hasUsed()));
                    }
                    LockSupport.parkNanos(20_000);
                }
            }
        }
        while (queue.poll()) {
            check((int) queue.token(), queue.writtenBytes());
        }
    }

    private void add() {
        for (int place = 0; place < depth; place++) {
            if (!busy[place] && random.nextInt(4) != 0) {
                prepare(place);
                if (!put(place)) {
                    break;
                }
            }
        }
        if (outstanding == 0) {
            add();
        }
        guest.publish(0);
    }

    private boolean put(int place) {
        int writable = addresses[place].length - readable[place];
        if (!guest.queues[0].add(addresses[place], lengths[place], readable[place], writable, place)) {
            return false;
        }
        busy[place] = true;
        outstanding++;
        return true;
    }

    private void prepare(int place) {
        long at = TestGuest.BASE + TestGuest.DATA + (long) place * PLACE_BYTES;
        int pieces = 2 + random.nextInt(maxPieces - 1);
        readable[place] = pieces > 2 && random.nextBoolean() ? 2 : 1;
        int writable = pieces - readable[place];
        addresses[place] = new long[pieces];
        lengths[place] = new int[pieces];
        addresses[place][0] = at;
        lengths[place][0] = 16;
        if (readable[place] == 2) {
            addresses[place][1] = at + 100;
            lengths[place][1] = 1 + random.nextInt(1000);
        }
        long room = at + 4096;
        int total = 0;
        for (int i = 0; i < writable; i++) {
            long end = at + 4096 + (long) ROOM * (i + 1) / writable;
            long start = room + random.nextInt((int) (end - room));
            int length = 1 + random.nextInt((int) (end - start));
            addresses[place][readable[place] + i] = start;
            lengths[place][readable[place] + i] = length;
            total += length;
            room = end;
        }
        wanted[place] = random.nextInt(8) == 0 ? 0 : random.nextInt(total + 1);
        numbers[place] = number++;
        MemorySegment header = guest.at(at, 8);
        header.set(ValueLayout.JAVA_INT, 0, wanted[place]);
        header.set(ValueLayout.JAVA_INT, 4, numbers[place]);
    }

    private void check(int place, long writtenBytes) {
        assertThat(busy[place]).as("request %d is outstanding", place).isTrue();
        assertThat(writtenBytes).as("bytes written").isEqualTo(wanted[place]);
        int left = wanted[place];
        int offset = 0;
        for (int i = readable[place]; left > 0; i++) {
            int here = Math.min(left, lengths[place][i]);
            MemorySegment piece = guest.at(addresses[place][i], here);
            for (int k = 0; k < here; k += Math.max(1, here / 50)) {
                if (piece.get(ValueLayout.JAVA_BYTE, k) != TestQueue.content(numbers[place], offset + k)) {
                    throw new AssertionError("request %d: byte %d of piece %d is wrong".formatted(place, k, i));
                }
            }
            mark(written, addresses[place][i], here);
            left -= here;
            offset += here;
        }
        busy[place] = false;
        outstanding--;
        answered++;
    }

    /** Notes the pages of a range, counted from the start of the memory. */
    static void mark(BitSet pages, long guestAddress, long byteCount) {
        long first = (guestAddress - TestGuest.BASE) >>> 12;
        long last = (guestAddress + byteCount - 1 - TestGuest.BASE) >>> 12;
        pages.set((int) first, (int) last + 1);
    }

    /** Pages of the rooms that only the device writes. */
    static BitSet rooms(int depth) {
        BitSet pages = new BitSet();
        for (int place = 0; place < depth; place++) {
            mark(pages, TestGuest.BASE + TestGuest.DATA + (long) place * PLACE_BYTES + 4096, ROOM);
        }
        return pages;
    }

    /** Pages of a split queue's used ring, or of a packed queue's descriptors and device event. */
    static BitSet ringPages(TestGuest guest, int queue) {
        var rings = guest.rings[queue];
        BitSet pages = new BitSet();
        mark(pages, rings.deviceAddress(), rings.packed() ? 4 : RingLayout.usedBytes(rings.size(), false));
        if (rings.packed()) {
            mark(pages, rings.descriptorAddress(), RingLayout.descriptorBytes(rings.size()));
        }
        return pages;
    }
}
