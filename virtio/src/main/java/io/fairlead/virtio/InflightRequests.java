package io.fairlead.virtio;

import java.util.List;

/**
 * The requests that a stopped queue took and did not answer, in the order in which it took them: enough, with the rings in
 * guest memory, for another device to take them up.
 */
public sealed interface InflightRequests {
    /** Nothing in flight. */
    static InflightRequests none() {
        return new Split(List.of());
    }

    int count();

    default boolean isEmpty() {
        return count() == 0;
    }

    /**
     * Of a split queue, whose descriptors stay in the ring.
     *
     * @param heads the first descriptor of each chain
     */
    record Split(List<Integer> heads) implements InflightRequests {
        public Split {
            heads = List.copyOf(heads);
        }

        @Override
        public int count() {
            return heads.size();
        }
    }

    /** Of a packed queue, whose ring loses descriptors when others are used out of order: copies of them. */
    record Packed(List<Chain> chains) implements InflightRequests {
        public Packed {
            chains = List.copyOf(chains);
        }

        @Override
        public int count() {
            return chains.size();
        }
    }

    /** One chain of a packed queue. */
    record Chain(List<Descriptor> descriptors) {
        public Chain {
            descriptors = List.copyOf(descriptors);
        }
    }

    /** A descriptor as the packed ring has it (virtio 1.4, 2.8.13). */
    record Descriptor(long address, int byteCount, int bufferId, int flags) {}
}
