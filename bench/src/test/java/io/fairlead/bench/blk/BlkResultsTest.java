package io.fairlead.bench.blk;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.bench.BenchRow;
import java.util.List;
import org.junit.jupiter.api.Test;

class BlkResultsTest {
    private static final Workload WORKLOAD =
            new Workload(Workload.Cache.CACHED, Workload.Client.POLL, Workload.Operation.RANDOM_READ_4K, 32);
    private static final long SECOND = 1_000_000_000;

    @Test
    void rowsCompareMediansWithEachPeer() {
        BlkResults results = new BlkResults();
        add(results, DiskServer.Kind.FAIRLEAD, 600_000, 900_000, 300_000);
        add(results, DiskServer.Kind.QSD_IO_URING, 200_000, 100_000, 250_000);
        add(results, DiskServer.Kind.QSD_THREADS, 50_000, 50_000, 50_000);

        List<BenchRow> rows = results.rows();
        assertThat(rows)
                .extracting(BenchRow::name)
                .containsExactly(
                        "cached/poll/randread-4k/qd32/rate vs qsd-io_uring",
                        "cached/poll/randread-4k/qd32/cpu vs qsd-io_uring",
                        "cached/poll/randread-4k/qd32/rate vs qsd-threads",
                        "cached/poll/randread-4k/qd32/cpu vs qsd-threads",
                        "memory/one disk under load, resident");
        assertThat(rows.get(0).ratio()).isEqualTo(3);
        assertThat(rows.get(0).held()).isTrue();
        assertThat(rows.get(1).ours().median()).isEqualTo(1e6 / 600_000);
        assertThat(rows.get(1).held()).isTrue();
        assertThat(rows.get(2).held()).isNull();
        assertThat(rows.get(4).ours().median()).isEqualTo(64);
        assertThat(rows.get(4).held()).isTrue();

        assertThat(results.tables().getFirst().lines().getFirst())
                .contains("600 (300-900)", "200 (100-250)", "3.00x", "12.0x", "ratio >= 3: held");
    }

    @Test
    void theMostMemoryOfAnyRunCounts() {
        BlkResults results = new BlkResults();
        for (long mib : new long[] {80, 151, 90}) {
            results.add(WORKLOAD, DiskServer.Kind.FAIRLEAD, new Load(1, SECOND, SECOND, SECOND, mib << 20));
        }
        results.add(WORKLOAD, DiskServer.Kind.QSD_IO_URING, new Load(1, SECOND, SECOND, SECOND, 999L << 20));
        results.add(WORKLOAD, DiskServer.Kind.QSD_THREADS, new Load(1, SECOND, SECOND, SECOND, 999L << 20));
        assertThat(results.rows().getLast().ours().median()).isEqualTo(151);
        assertThat(results.rows().getLast().held()).isFalse();
        assertThat(results.tables().getLast().lines())
                .containsExactly(List.of("one disk", "151", "ours <= 150: NOT held"));
    }

    /** Runs of one second each in which the server is busy all the time. */
    private static void add(BlkResults results, DiskServer.Kind kind, long... requests) {
        for (long count : requests) {
            results.add(WORKLOAD, kind, new Load(count, SECOND, SECOND, SECOND / 2, 64 << 20));
        }
    }
}
