package io.fairlead.vdpa;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * The counters of one device, a set a queue.
 *
 * @param queues by queue index
 * @param countsMarks whether the pages that the device marks in dirty logs are counted; another process that is given the
 *     log marks by itself, and its marks are taken away by whoever moves the machine before they could be counted here
 */
public record DeviceStatistics(List<QueueStatistics> queues, boolean countsMarks) {
    /** Counters at zero for a number of queues. */
    public static DeviceStatistics ofQueues(int queueCount) {
        return new DeviceStatistics(
                Stream.generate(QueueStatistics::new).limit(queueCount).toList(), true);
    }

    /** The same counters, for a device whose marks are counted, or are not. */
    public DeviceStatistics withCountedMarks(boolean counted) {
        return new DeviceStatistics(queues, counted);
    }

    /** Pages marked by all queues, see {@link QueueStatistics.Snapshot#markedPages}; empty where that is not known. */
    public OptionalLong markedPages() {
        return countsMarks ? OptionalLong.of(total().markedPages()) : OptionalLong.empty();
    }

    /** All queues added up. */
    public QueueStatistics.Snapshot total() {
        return queues.stream()
                .map(QueueStatistics::snapshot)
                .reduce(
                        new QueueStatistics.Snapshot(0, 0, 0, 0, 0, 0, 0, 0),
                        (a, b) -> new QueueStatistics.Snapshot(
                                a.kicks() + b.kicks(),
                                a.signals() + b.signals(),
                                a.requests() + b.requests(),
                                a.failedRequests() + b.failedRequests(),
                                a.readBytes() + b.readBytes(),
                                a.writtenBytes() + b.writtenBytes(),
                                a.guestFaults() + b.guestFaults(),
                                a.markedPages() + b.markedPages()));
    }
}
