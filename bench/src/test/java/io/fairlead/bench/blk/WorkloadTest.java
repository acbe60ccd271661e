package io.fairlead.bench.blk;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.bench.Bar;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorkloadTest {
    @Test
    void eachHasANameOfItsOwn() {
        List<String> names = Workload.all().stream().map(Workload::name).toList();
        assertThat(names)
                .doesNotHaveDuplicates()
                .hasSize(34)
                .contains(
                        "cached/poll/randread-4k/qd1",
                        "cached/event/write-128k/qd32",
                        "direct/poll/randwrite-4k/qd32",
                        "cold/poll/randread-4k/qd1")
                .doesNotContain("cold/poll/read-128k/qd1");
    }

    @Test
    void theDesignsBarsAreOnThePollingClient() {
        assertThat(rateBar(Workload.Cache.CACHED, Workload.Client.POLL, 1)).isEqualTo(Bar.ratioAtLeast(2));
        assertThat(rateBar(Workload.Cache.CACHED, Workload.Client.POLL, 32)).isEqualTo(Bar.ratioAtLeast(3));
        assertThat(rateBar(Workload.Cache.DIRECT, Workload.Client.POLL, 32)).isEqualTo(Bar.ratioAtLeast(1));
        assertThat(rateBar(Workload.Cache.COLD, Workload.Client.POLL, 1)).isEqualTo(Bar.ratioAtLeast(1));
        assertThat(rateBar(Workload.Cache.CACHED, Workload.Client.EVENT, 32)).isNull();
        assertThat(BlkResults.cpuBar(workload(Workload.Cache.CACHED, Workload.Client.POLL, 1)))
                .isEqualTo(Bar.ratioAtMost(0.5));
        assertThat(BlkResults.cpuBar(workload(Workload.Cache.DIRECT, Workload.Client.POLL, 1)))
                .isNull();
        assertThat(BlkResults.rateBar(new Workload(
                        Workload.Cache.CACHED, Workload.Client.POLL, Workload.Operation.RANDOM_WRITE_4K, 32)))
                .isNull();
    }

    private static Bar rateBar(Workload.Cache cache, Workload.Client client, int depth) {
        return BlkResults.rateBar(workload(cache, client, depth));
    }

    private static Workload workload(Workload.Cache cache, Workload.Client client, int depth) {
        return new Workload(cache, client, Workload.Operation.RANDOM_READ_4K, depth);
    }
}
