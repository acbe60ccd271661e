package io.fairlead.virtio;

/** Checks of indirect descriptor tables that both layouts share (virtio 1.4, 2.7.5.3 and 2.8.7). */
final class IndirectTable {
    private IndirectTable() {}

    /**
     * Checks the descriptor that refers to a table.
     *
     * @param allowed whether the feature is negotiated and the descriptor stands where a table may
     */
    static void check(DescriptorChain chain, long address, long byteCount, boolean allowed) throws GuestFaultException {
        if (!allowed) {
            throw new GuestFaultException("chain %d has an indirect table where none may be".formatted(chain.id()));
        }
        if (byteCount == 0 || byteCount % RingLayout.DESCRIPTOR_BYTES != 0) {
            throw new GuestFaultException("chain %d has an indirect table of %d bytes at 0x%x, not of whole descriptors"
                    .formatted(chain.id(), byteCount, address));
        }
    }

    /** The region that holds a whole descriptor of a table; {@code hint} is the one of the descriptor before. */
    static int regionOf(GuestMemory memory, long address, int hint) throws GuestFaultException {
        int region = memory.regionOf(address, hint);
        if (address > memory.end(region) - RingLayout.DESCRIPTOR_BYTES) {
            throw new GuestFaultException(
                    "descriptor at 0x%x runs over the end of the guest's memory region".formatted(address));
        }
        return region;
    }

    static GuestFaultException nested(DescriptorChain chain) {
        return new GuestFaultException("chain %d has an indirect table inside another".formatted(chain.id()));
    }
}
