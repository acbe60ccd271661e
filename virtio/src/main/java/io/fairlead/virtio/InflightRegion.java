package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Requests in flight between the memory in which a queue records them ({@link SplitInflight}, {@link PackedInflight}) and
 * the form in which they travel. For queues that nobody serves.
 */
public final class InflightRegion {
    private InflightRegion() {}

    /** Bytes of the region of one queue, a multiple of 64. */
    public static long byteCount(int queueSize, boolean packed) {
        return packed ? PackedInflight.byteCount(queueSize) : SplitInflight.byteCount(queueSize);
    }

    /**
     * What a queue left in flight that was stopped and not killed. The region stays as it is.
     *
     * @param region of at least {@link #byteCount} bytes
     * @param state where the queue stands
     * @throws GuestFaultException where the region is not in order or of another queue
     */
    public static InflightRequests read(MemorySegment region, int queueSize, QueueState state)
            throws GuestFaultException {
        boolean packed = state instanceof QueueState.Packed;
        // The peer's memory may change under us: what is checked is what is taken.
        MemorySegment copy = copy(region, byteCount(queueSize, packed));
        InflightRequests requests = switch (state) {
            case QueueState.Split split -> readSplit(copy, queueSize, split);
            case QueueState.Packed _ -> readPacked(copy, queueSize);
        };
        requests.requireFit(queueSize);
        return requests;
    }

    private static MemorySegment copy(MemorySegment region, long byteCount) {
        SplitInflight.requireRoom(region, byteCount);
        MemorySegment copy = MemorySegment.ofArray(new long[(int) (region.byteSize() / Long.BYTES)]);
        return copy.copyFrom(region.asSlice(0, copy.byteSize()));
    }

    private static InflightRequests readSplit(MemorySegment region, int queueSize, QueueState.Split state)
            throws GuestFaultException {
        SplitInflight inflight = new SplitInflight(region, queueSize);
        inflight.open(state.usedIndex(), List.of());
        return new InflightRequests.Split(inflight.unfinished());
    }

    private static InflightRequests readPacked(MemorySegment region, int queueSize) throws GuestFaultException {
        PackedInflight inflight = new PackedInflight(region, queueSize);
        inflight.openStopped();
        List<InflightRequests.Chain> chains = new ArrayList<>();
        while (inflight.unfinishedCount() > 0) {
            chains.add(inflight.chain(inflight.peekUnfinished()));
            inflight.dropUnfinished();
        }
        return new InflightRequests.Packed(chains);
    }

    /**
     * Has a region hold requests, for a device that takes up what it finds there. Without any it stays as it is.
     *
     * @param state where the queue stands; of a split queue the used index counts
     * @throws GuestFaultException where they do not fit the size, or the region holds others
     */
    public static void write(MemorySegment region, int queueSize, QueueState state, InflightRequests requests)
            throws GuestFaultException {
        requests.requireFit(queueSize);
        if (requests.isEmpty()) {
            return;
        }
        switch (state) {
            case QueueState.Split split ->
                new SplitInflight(region, queueSize).open(split.usedIndex(), SplitInflight.heads(requests));
            case QueueState.Packed packed -> {
                PackedInflight inflight = new PackedInflight(region, queueSize);
                if (!inflight.isNew()) {
                    inflight.openStopped();
                }
                inflight.adopt(packed, PackedInflight.chains(requests));
            }
        }
    }
}
