package io.fairlead.vdpa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import io.fairlead.virtio.DirtyLog;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SharedDirtyLogTest {
    private static final long PAGE = SharedDirtyLog.PAGE_BYTES;

    private long descriptorsBefore;
    private long mappingsBefore;

    @BeforeEach
    void count() {
        descriptorsBefore = Fd.openCount();
        mappingsBefore = Mapping.openCount();
    }

    @AfterEach
    void nothingLeaks() {
        assertThat(Fd.openCount()).isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).isEqualTo(mappingsBefore);
    }

    /** The marked pages as another process finds them: page n in bit n % 8 of byte n / 8. */
    private static BitSet pages(SharedDirtyLog log) throws IOException {
        try (Mapping mapping = Mapping.shared(log.fd(), log.fdOffset(), log.byteCount(), false)) {
            return BitSet.valueOf(mapping.segment().toArray(ValueLayout.JAVA_BYTE));
        }
    }

    private static BitSet range(int from, int to) {
        BitSet set = new BitSet();
        set.set(from, to);
        return set;
    }

    @Test
    void marksThePagesThatARangeTouches() throws IOException {
        long[][] addressBytesFirstEnd = {
            {0, 1, 0, 1},
            {PAGE - 1, 1, 0, 1},
            {PAGE - 1, 2, 0, 2},
            {PAGE, 1, 1, 2},
            {5 * PAGE, PAGE, 5, 6},
            {5 * PAGE, PAGE + 1, 5, 7},
            {5 * PAGE + 1, PAGE, 5, 7},
            {63 * PAGE, 1, 63, 64},
            {63 * PAGE + 4095, 2, 63, 65},
            {64 * PAGE, PAGE, 64, 65},
            {10 * PAGE, 180 * PAGE, 10, 190},
            {0, 256 * PAGE, 0, 256},
            {255 * PAGE + 4095, 1, 255, 256},
        };
        for (long[] each : addressBytesFirstEnd) {
            try (SharedDirtyLog log = SharedDirtyLog.create("test", 256 * PAGE)) {
                assertThat(pages(log).isEmpty()).isTrue();
                log.mark(each[0], each[1]);
                assertThat(pages(log)).as("0x%x +%d", each[0], each[1]).isEqualTo(range((int) each[2], (int) each[3]));
                for (int page = 0; page < 256; page++) {
                    assertThat(log.isMarked(page * PAGE + 17)).isEqualTo(page >= each[2] && page < each[3]);
                }
                assertThat(log.marksOutside()).isZero();
                log.clear();
                assertThat(pages(log).isEmpty()).isTrue();
            }
        }
    }

    @Test
    void countsWhatLiesOutside() throws IOException {
        try (SharedDirtyLog log = SharedDirtyLog.create("test", 64 * PAGE)) {
            log.mark(64 * PAGE, 1);
            log.mark(63 * PAGE, PAGE + 1);
            log.mark(Long.MAX_VALUE - 1, 2);
            assertThat(log.marksOutside()).isEqualTo(3);
            assertThat(pages(log).get(64)).isFalse();
        }
    }

    @Test
    void countsPagesThatHadNoMark() throws IOException {
        QueueStatistics first = new QueueStatistics();
        QueueStatistics second = new QueueStatistics();
        try (SharedDirtyLog log = SharedDirtyLog.create("test", 256 * PAGE)) {
            DirtyLog ofFirst = log.countedBy(first);
            DirtyLog ofSecond = log.countedBy(second);
            ofFirst.mark(10 * PAGE, 180 * PAGE);
            assertThat(first.snapshot().markedPages()).isEqualTo(180);
            ofFirst.mark(10 * PAGE + 1, 1);
            ofSecond.mark(9 * PAGE, 3 * PAGE);
            ofSecond.mark(256 * PAGE - 1, 2);
            log.mark(200 * PAGE, 1);
            ofSecond.mark(200 * PAGE, 1);
            assertThat(first.snapshot().markedPages()).isEqualTo(180);
            assertThat(second.snapshot().markedPages()).isOne();
            log.clear();
            ofFirst.mark(63 * PAGE, 2 * PAGE);
            assertThat(first.snapshot().markedPages()).isEqualTo(182);
            assertThat(pages(log)).isEqualTo(range(63, 65));
        }
    }

    @Test
    void hasRoomForTheLastPage() throws IOException {
        for (long bytes : new long[] {0, 1, PAGE, 64 * PAGE, 64 * PAGE + 1, 65 * PAGE}) {
            try (SharedDirtyLog log = SharedDirtyLog.create("test", bytes)) {
                assertThat(log.byteCount() % 8).isZero();
                if (bytes > 0) {
                    log.mark(bytes - 1, 1);
                    assertThat(log.isMarked(bytes - 1)).isTrue();
                }
                assertThat(log.marksOutside()).isZero();
            }
        }
    }

    @Test
    void mapsAPartOfAnotherFile() throws IOException {
        Fd file = Memfd.create("log", 2 * PAGE);
        try (Fd own = file.duplicate();
                SharedDirtyLog log = SharedDirtyLog.map(file, 40, 16)) {
            log.mark(65 * PAGE, 1);
            try (Mapping mapping = Mapping.shared(own, 0, 2 * PAGE, false)) {
                MemorySegment bytes = mapping.segment();
                assertThat(bytes.get(ValueLayout.JAVA_BYTE, 48)).isEqualTo((byte) 2);
                assertThat(BitSet.valueOf(bytes.toArray(ValueLayout.JAVA_BYTE)).cardinality())
                        .isEqualTo(1);
            }
        }
    }

    @Test
    void refusesWhatIsNoPartOfTheFileAndClosesIt() throws IOException {
        long[][] offsetBytes = {
            {0, 0}, {0, -8}, {-8, 16}, {4, 8}, {0, 12}, {0, PAGE + 8}, {PAGE, 8}, {8, PAGE}, {Long.MAX_VALUE - 7, 8}
        };
        for (long[] each : offsetBytes) {
            Fd file = Memfd.create("log", PAGE);
            assertThatThrownBy(() -> SharedDirtyLog.map(file, each[0], each[1]))
                    .as("%d +%d", each[0], each[1])
                    .isInstanceOf(IOException.class);
        }
    }

    /**
     * Two writers mark neighbouring pages after they wrote a number there; a reader takes the marks away and then looks at
     * the numbers: at the end it has seen the last number of each page.
     */
    @Test
    void marksAndClearsAtTheSameTimeLoseNothing() throws Exception {
        int writers = 2;
        int pagesEach = 96;
        int rounds = 400;
        int[][] written = new int[writers][pagesEach];
        int[][] seen = new int[writers][pagesEach];
        try (SharedDirtyLog log = SharedDirtyLog.create("test", PAGE * writers * pagesEach);
                Mapping reading = Mapping.shared(log.fd(), 0, log.byteCount(), true)) {
            AtomicBoolean over = new AtomicBoolean();
            long[] taken = new long[1];
            Thread reader = Thread.ofPlatform().start(() -> {
                while (!over.get()) {
                    taken[0] += collect(reading.segment(), written, seen);
                }
            });
            List<Thread> threads = new ArrayList<>();
            List<QueueStatistics> counts = List.of(new QueueStatistics(), new QueueStatistics());
            for (int w = 0; w < writers; w++) {
                int own = w;
                DirtyLog counted = log.countedBy(counts.get(w));
                threads.add(Thread.ofPlatform().start(() -> {
                    for (int round = 1; round <= rounds; round++) {
                        for (int page = 0; page < pagesEach; page++) {
                            written[own][page] = round;
                            // Every other page is the other writer's: both work on the same words.
                            counted.mark((page * 2L + own) * PAGE, 1);
                        }
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            over.set(true);
            reader.join();
            taken[0] += collect(reading.segment(), written, seen);
            assertThat(seen).isDeepEqualTo(written);
            assertThat(counts.get(0).snapshot().markedPages()
                            + counts.get(1).snapshot().markedPages())
                    .isEqualTo(taken[0]);
        }
    }

    /** Answers how many marks it took away. */
    private static long collect(MemorySegment log, int[][] written, int[][] seen) {
        var words = ValueLayout.JAVA_LONG.varHandle();
        long taken = 0;
        for (long offset = 0; offset < log.byteSize(); offset += 8) {
            long marks = (long) words.getAndSet(log, offset, 0L);
            taken += Long.bitCount(marks);
            while (marks != 0) {
                int number = (int) (offset * 8 + Long.numberOfTrailingZeros(marks));
                seen[number % 2][number / 2] = written[number % 2][number / 2];
                marks &= marks - 1;
            }
        }
        return taken;
    }
}
