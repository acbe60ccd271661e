package io.fairlead.vdpa;

import java.util.List;
import java.util.stream.Stream;

/**
 * The counters of one device, a set a queue.
 *
 * @param queues by queue index
 */
public record DeviceStatistics(List<QueueStatistics> queues) {
    /** Counters at zero for a number of queues. */
    public static DeviceStatistics ofQueues(int queueCount) {
        return new DeviceStatistics(
                Stream.generate(QueueStatistics::new).limit(queueCount).toList());
    }

    /** All queues added up. */
    public QueueStatistics.Snapshot total() {
        return queues.stream()
                .map(QueueStatistics::snapshot)
                .reduce(
                        new QueueStatistics.Snapshot(0, 0, 0, 0, 0, 0, 0),
                        (a, b) -> new QueueStatistics.Snapshot(
                                a.kicks() + b.kicks(),
                                a.signals() + b.signals(),
                                a.requests() + b.requests(),
                                a.failedRequests() + b.failedRequests(),
                                a.readBytes() + b.readBytes(),
                                a.writtenBytes() + b.writtenBytes(),
                                a.guestFaults() + b.guestFaults()));
    }
}
