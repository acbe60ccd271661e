package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class FrameInboxTest {
    private static final int LONGEST = 65_569;

    private static final byte GIVEN_UP = -1;
    private static final int ROOM = 32;

    private record Sent(int byteCount, byte content) {
        int cells() {
            return (byteCount + 4 + FrameInbox.CELL_BYTES - 1) / FrameInbox.CELL_BYTES;
        }
    }

    private static void fill(FrameInbox inbox, long position, Sent sent) {
        inbox.memory()
                .asSlice(FrameInbox.frameOffset(position), sent.byteCount())
                .fill(sent.content());
        inbox.commit(position);
    }

    private static void checkNext(FrameInbox inbox, Sent expected) {
        assertThat(inbox.next()).isTrue();
        assertThat(inbox.byteCount()).isEqualTo(expected.byteCount());
        byte[] bytes = inbox.memory().asSlice(inbox.offset(), inbox.byteCount()).toArray(ValueLayout.JAVA_BYTE);
        assertThat(bytes).containsOnly(expected.content());
    }

    @Test
    void givesBackInOrderWhatWasPutIn() throws Exception {
        for (long seed = 1; seed <= 5; seed++) {
            Random random = new Random(seed);
            Deque<Sent> model = new ArrayDeque<>();
            int refused = 0;
            try (FrameInbox inbox = new FrameInbox()) {
                for (int step = 0; step < 20_000; step++) {
                    // It fills up, then it empties, and so on.
                    if (random.nextInt(100) < (step / 4000 % 2 == 0 ? 90 : 20)) {
                        int bytes = 26 + random.nextInt(random.nextInt(8) == 0 ? LONGEST - 26 : 3000);
                        long position = inbox.reserve(bytes);
                        if (position < 0) {
                            refused++;
                            assertThat(model.stream().mapToLong(Sent::cells).sum())
                                    .isGreaterThan(FrameInbox.CELLS - 3L * (LONGEST / FrameInbox.CELL_BYTES + 1));
                        } else if (random.nextInt(20) == 0) {
                            inbox.giveUp(position, bytes);
                            model.add(new Sent(bytes, GIVEN_UP));
                        } else {
                            Sent sent = new Sent(bytes, (byte) random.nextInt(100));
                            fill(inbox, position, sent);
                            model.add(sent);
                        }
                    } else {
                        take(inbox, model);
                    }
                }
                while (!model.isEmpty()) {
                    take(inbox, model);
                }
                assertThat(inbox.next()).isFalse();
            }
            assertThat(refused).isPositive();
        }
    }

    private static void take(FrameInbox inbox, Deque<Sent> model) {
        while (!model.isEmpty() && model.getFirst().content() == GIVEN_UP) {
            model.removeFirst();
        }
        if (model.isEmpty()) {
            assertThat(inbox.next()).isFalse();
        } else {
            checkNext(inbox, model.removeFirst());
            inbox.release();
        }
    }

    @Test
    void aFrameIsSeenOnlyWhenItAndAllBeforeItAreWhole() throws Exception {
        try (FrameInbox inbox = new FrameInbox()) {
            long first = inbox.reserve(100);
            long second = inbox.reserve(200);
            inbox.commit(second);
            assertThat(inbox.hasNext()).isFalse();
            inbox.commit(first);
            assertThat(inbox.next()).isTrue();
            assertThat(inbox.byteCount()).isEqualTo(100);
            inbox.release();
            assertThat(inbox.next()).isTrue();
            assertThat(inbox.byteCount()).isEqualTo(200);
        }
    }

    private static void number(FrameInbox inbox, long position, int bytes, int id, int number) {
        long at = FrameInbox.frameOffset(position);
        inbox.memory().set(ValueLayout.JAVA_INT_UNALIGNED, at, id);
        inbox.memory().set(ValueLayout.JAVA_INT_UNALIGNED, at + 4, number);
        inbox.memory().set(ValueLayout.JAVA_INT_UNALIGNED, at + bytes - 4, ~number);
        inbox.commit(position);
    }

    @Test
    void roomThatIsNotUsedGoesBack() throws Exception {
        try (FrameInbox inbox = new FrameInbox()) {
            for (int position = 0; position < 1000; position++) {
                long room = inbox.reserveCells(ROOM);
                assertThat(room).isEqualTo(position % 128 + position / 128 * (long) FrameInbox.CELLS);
                inbox.begin(room, 100);
                inbox.commit(room);
                inbox.giveBack(room + 1, room + ROOM);
                checkByteCount(inbox, 100);
                assertThat(inbox.next()).isFalse();
            }
        }
    }

    @Test
    void roomBeforeWhatOthersTookIsPassedOver() throws Exception {
        try (FrameInbox inbox = new FrameInbox()) {
            long room = inbox.reserveCells(ROOM);
            long other = inbox.reserve(50);
            assertThat(other).isEqualTo(room + ROOM);
            inbox.commit(other);
            inbox.begin(room, 100);
            inbox.commit(room);
            checkByteCount(inbox, 100);
            assertThat(inbox.next()).isFalse();
            inbox.giveBack(room + 1, room + ROOM);
            checkByteCount(inbox, 50);
            assertThat(inbox.next()).isFalse();
        }
    }

    private static void checkByteCount(FrameInbox inbox, int expected) {
        assertThat(inbox.next()).isTrue();
        assertThat(inbox.byteCount()).isEqualTo(expected);
        inbox.release();
    }

    @Test
    void manyThreadsFillItAndNothingIsMixedUp() throws Exception {
        int threads = 3;
        int each = 30_000;
        try (FrameInbox inbox = new FrameInbox()) {
            AtomicInteger refused = new AtomicInteger();
            List<Thread> fillers = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int id = t;
                fillers.add(Thread.ofPlatform().start(() -> {
                    Random random = new Random(id);
                    for (int i = 1; i <= each; i++) {
                        // Two of them take room for several at once and use some of it.
                        int frames = id == 0 ? 1 : Math.min(1 + random.nextInt(3), each - i + 1);
                        long room = id == 0 ? -1 : inbox.reserveCells(ROOM);
                        long position = room;
                        for (int k = 0; k < frames; k++) {
                            int bytes = 26 + random.nextInt(2000);
                            if (id == 0) {
                                position = inbox.reserve(bytes);
                            } else if (room >= 0) {
                                inbox.begin(position, bytes);
                            }
                            if (position < 0) {
                                refused.incrementAndGet();
                                LockSupport.parkNanos(50_000);
                                i--;
                                break;
                            }
                            number(inbox, position, bytes, id, i + k);
                            position += FrameInbox.cellsFor(bytes);
                        }
                        if (room >= 0) {
                            inbox.giveBack(position, room + ROOM);
                            i += frames - 1;
                        }
                    }
                }));
            }
            int[] last = new int[threads];
            int got = 0;
            while (got < threads * each) {
                if (!inbox.next()) {
                    Thread.onSpinWait();
                    continue;
                }
                long at = inbox.offset();
                int id = inbox.memory().get(ValueLayout.JAVA_INT_UNALIGNED, at);
                int number = inbox.memory().get(ValueLayout.JAVA_INT_UNALIGNED, at + 4);
                int end = inbox.memory().get(ValueLayout.JAVA_INT_UNALIGNED, at + inbox.byteCount() - 4);
                if (number != last[id] + 1 || end != ~number) {
                    throw new AssertionError("thread %d: %d after %d, end %d".formatted(id, number, last[id], ~end));
                }
                last[id] = number;
                inbox.release();
                got++;
            }
            for (Thread filler : fillers) {
                filler.join();
            }
            assertThat(inbox.hasNext()).isFalse();
            assertThat(last).containsOnly(each);
            assertThat(refused.get()).isPositive();
        }
    }
}
