package io.fairlead.virtio;

import java.util.BitSet;
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

    /**
     * Checks what does not need the rings. They come from another host and are believed nothing.
     *
     * @throws GuestFaultException where no queue of so many entries can have left them: says why
     */
    void requireFit(int queueSize) throws GuestFaultException;

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

        @Override
        public void requireFit(int queueSize) throws GuestFaultException {
            BitSet seen = new BitSet();
            for (int head : heads) {
                requireId("head", head, queueSize, seen);
            }
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

        @Override
        public void requireFit(int queueSize) throws GuestFaultException {
            BitSet seen = new BitSet();
            if (slotCount() > queueSize) {
                throw new GuestFaultException(
                        "requests in flight take %d descriptors of a queue of %d".formatted(slotCount(), queueSize));
            }
            for (Chain chain : chains) {
                chain.requireFit();
                requireId("buffer id", chain.bufferId(), queueSize, seen);
            }
        }

        /** Ring slots that the chains take. */
        long slotCount() {
            return chains.stream()
                    .mapToLong(chain -> chain.descriptors().size())
                    .sum();
        }
    }

    /** One chain of a packed queue. */
    record Chain(List<Descriptor> descriptors) {
        public Chain {
            descriptors = List.copyOf(descriptors);
        }

        /** The id that the driver knows it by; it stands in the last descriptor. */
        public int bufferId() {
            return descriptors.getLast().bufferId();
        }

        private void requireFit() throws GuestFaultException {
            if (descriptors.isEmpty()) {
                throw new GuestFaultException("a request in flight has no descriptors");
            }
            for (int i = 0; i < descriptors.size(); i++) {
                Descriptor descriptor = descriptors.get(i);
                boolean goesOn = (descriptor.flags() & RingLayout.NEXT) != 0;
                if (goesOn != i < descriptors.size() - 1
                        || descriptor.flags() >>> 16 != 0
                        || descriptor.bufferId() >>> 16 != 0) {
                    throw new GuestFaultException(
                            "descriptor %d of %d of a request in flight cannot have the flags 0x%x and the id %d"
                                    .formatted(i + 1, descriptors.size(), descriptor.flags(), descriptor.bufferId()));
                }
            }
        }
    }

    /** A descriptor as the packed ring has it (virtio 1.4, 2.8.13). */
    record Descriptor(long address, int byteCount, int bufferId, int flags) {}

    private static void requireId(String what, int id, int queueSize, BitSet seen) throws GuestFaultException {
        if (id < 0 || id >= queueSize || seen.get(id)) {
            throw new GuestFaultException("%s %d of a request in flight is outside a queue of %d or there twice"
                    .formatted(what, id, queueSize));
        }
        seen.set(id);
    }
}
