package io.fairlead.vdpa.state;

import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import io.fairlead.virtio.parts.DevicePart;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What holds for the queues of a stopped device. Above all: between where a queue takes requests and where it puts them
 * back lie exactly those in flight, so that a state never loses one and never has one twice.
 */
final class QueueRules {
    private static final String RUN = "VQ_RUN section";
    private static final String INFLIGHT = "INFLIGHT section";
    private static final String COMPLETED = "COMPLETED section";

    private final boolean packed;
    private final Map<Integer, DevicePart.QueueConfiguration> queues;

    /** Ring entries of each queue that are taken and not given back. */
    private final Map<Integer, Integer> outstanding = new HashMap<>();

    /** Ring entries of each queue that the other sections account for. */
    private final Map<Integer, Integer> accounted = new HashMap<>();

    private QueueRules(boolean packed, Map<Integer, DevicePart.QueueConfiguration> queues) {
        this.packed = packed;
        this.queues = queues;
    }

    /** @param queues those that the driver set up */
    static void check(
            boolean packed,
            Map<Integer, DevicePart.QueueConfiguration> queues,
            Section.QueueRuns runs,
            Optional<Section.Inflight> inflight,
            Optional<Section.Completed> completed)
            throws StateFormatException {
        QueueRules rules = new QueueRules(packed, queues);
        rules.runs(runs);
        if (inflight.isPresent()) {
            rules.inflight(inflight.get());
        }
        boolean exact = true;
        if (completed.isPresent()) {
            rules.completed(completed.get());
            // A completion of a packed ring does not say how many descriptors it frees.
            exact = !packed;
        }
        rules.balance(exact);
    }

    private static StateFormatException wrong(String section, int queue, String what) {
        return new StateFormatException(section, -1, "queue %d: %s".formatted(queue, what));
    }

    private void runs(Section.QueueRuns runs) throws StateFormatException {
        int last = -1;
        for (Section.QueueRun run : runs.queues()) {
            last = ascending(RUN, run.queue(), last);
            int size = size(RUN, run.queue());
            if (run.state() instanceof QueueState.Packed != packed) {
                throw wrong(RUN, run.queue(), "not of the ring layout that the driver took");
            }
            outstanding.put(run.queue(), outstanding(run.queue(), run.state(), size));
        }
        if (outstanding.size() != queues.size()) {
            throw new StateFormatException(
                    RUN, -1, "%d queues, of %d that the driver set up".formatted(outstanding.size(), queues.size()));
        }
    }

    private static int outstanding(int queue, QueueState state, int size) throws StateFormatException {
        int entries = switch (state) {
            case QueueState.Split split -> (split.availableIndex() - split.usedIndex()) & 0xffff;
            case QueueState.Packed packed -> {
                if (packed.availableIndex() >= size || packed.usedIndex() >= size) {
                    throw wrong(RUN, queue, "%s is outside of a ring of %d".formatted(packed, size));
                }
                int available = packed.availableIndex() + (packed.availableWrap() ? 0 : size);
                int used = packed.usedIndex() + (packed.usedWrap() ? 0 : size);
                yield Math.floorMod(available - used, 2 * size);
            }
        };
        if (entries > size) {
            throw wrong(RUN, queue, "%s has %d entries under way, of %d".formatted(state, entries, size));
        }
        return entries;
    }

    private void inflight(Section.Inflight inflight) throws StateFormatException {
        int last = -1;
        for (Section.QueueInflight queue : inflight.queues()) {
            last = ascending(INFLIGHT, queue.queue(), last);
            int size = size(INFLIGHT, queue.queue());
            if (queue.requests().isEmpty() || queue.requests() instanceof InflightRequests.Packed != packed) {
                throw wrong(INFLIGHT, queue.queue(), "no requests, or not of the ring layout that the driver took");
            }
            int entries = switch (queue.requests()) {
                case InflightRequests.Split split -> heads(queue.queue(), split.heads(), size);
                case InflightRequests.Packed chains -> chains(queue.queue(), chains.chains(), size);
            };
            accounted.merge(queue.queue(), entries, Integer::sum);
        }
        requireSome(INFLIGHT, last);
    }

    private static int heads(int queue, List<Integer> heads, int size) throws StateFormatException {
        BitSet seen = new BitSet();
        for (int head : heads) {
            once(INFLIGHT, queue, head, size, seen);
        }
        return heads.size();
    }

    private static int chains(int queue, List<InflightRequests.Chain> chains, int size) throws StateFormatException {
        BitSet seen = new BitSet();
        int entries = 0;
        for (InflightRequests.Chain chain : chains) {
            List<InflightRequests.Descriptor> descriptors = chain.descriptors();
            if (descriptors.isEmpty() || descriptors.size() > size - entries) {
                throw wrong(
                        INFLIGHT,
                        queue,
                        "a chain of %d descriptors in a ring of %d".formatted(descriptors.size(), size));
            }
            entries += descriptors.size();
            for (int i = 0; i < descriptors.size(); i++) {
                boolean next = (descriptors.get(i).flags() & RingLayout.NEXT) != 0;
                if (next != i < descriptors.size() - 1) {
                    throw wrong(
                            INFLIGHT, queue, "a chain ends at descriptor %d of %d".formatted(i, descriptors.size()));
                }
            }
            // The last descriptor's buffer id is that of the chain (virtio 1.4, 2.8.6).
            once(INFLIGHT, queue, descriptors.getLast().bufferId(), RingLayout.MAX_SIZE, seen);
        }
        return entries;
    }

    private void completed(Section.Completed completed) throws StateFormatException {
        int last = -1;
        for (Section.QueueCompleted queue : completed.queues()) {
            last = ascending(COMPLETED, queue.queue(), last);
            int size = size(COMPLETED, queue.queue());
            if (queue.completions().isEmpty() || queue.completions().size() > size) {
                throw wrong(
                        COMPLETED,
                        queue.queue(),
                        "%d requests in a ring of %d"
                                .formatted(queue.completions().size(), size));
            }
            BitSet seen = new BitSet();
            for (Section.Completion completion : queue.completions()) {
                once(COMPLETED, queue.queue(), completion.id(), packed ? RingLayout.MAX_SIZE : size, seen);
            }
            accounted.merge(queue.queue(), queue.completions().size(), Integer::sum);
        }
        requireSome(COMPLETED, last);
    }

    private void balance(boolean exact) throws StateFormatException {
        for (Map.Entry<Integer, Integer> queue : outstanding.entrySet()) {
            int known = accounted.getOrDefault(queue.getKey(), 0);
            if (exact ? known != queue.getValue() : known > queue.getValue()) {
                throw wrong(
                        RUN,
                        queue.getKey(),
                        "%d ring entries are under way by its positions, and %d by its requests"
                                .formatted(queue.getValue(), known));
            }
        }
    }

    private int size(String section, int queue) throws StateFormatException {
        DevicePart.QueueConfiguration configuration = queues.get(queue);
        if (configuration == null) {
            throw wrong(section, queue, "the driver did not set it up");
        }
        return configuration.size();
    }

    private static int ascending(String section, int queue, int last) throws StateFormatException {
        if (queue <= last) {
            throw wrong(section, queue, "comes after queue %d".formatted(last));
        }
        return queue;
    }

    private static void requireSome(String section, int last) throws StateFormatException {
        if (last < 0) {
            throw new StateFormatException(section, -1, "it is there and empty");
        }
    }

    private static void once(String section, int queue, int id, int bound, BitSet seen) throws StateFormatException {
        if (id < 0 || id >= bound || seen.get(id)) {
            throw wrong(section, queue, "request %d is twice in it, or not below %d".formatted(id, bound));
        }
        seen.set(id);
    }
}
