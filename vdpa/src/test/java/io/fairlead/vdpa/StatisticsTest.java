package io.fairlead.vdpa;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StatisticsTest {
    @Test
    void countersAddUpOverQueues() {
        DeviceStatistics statistics = DeviceStatistics.ofQueues(2);
        QueueStatistics first = statistics.queues().get(0);
        first.countKick();
        first.countSignal();
        first.countRequests(3, 4096, 512);
        first.countFailedRequest();
        QueueStatistics second = statistics.queues().get(1);
        second.countRequests(1, 1, 1);
        second.countGuestFault();
        second.countMarkedPages(5);
        first.countMarkedPages(2);
        assertThat(first.snapshot()).isEqualTo(new QueueStatistics.Snapshot(1, 1, 3, 1, 4096, 512, 0, 2));
        assertThat(statistics.total()).isEqualTo(new QueueStatistics.Snapshot(1, 1, 4, 1, 4097, 513, 1, 7));
        assertThat(statistics.markedPages()).hasValue(7);
        assertThat(statistics.withCountedMarks(false).markedPages()).isEmpty();
        assertThat(statistics.withCountedMarks(false).queues()).isSameAs(statistics.queues());
    }
}
