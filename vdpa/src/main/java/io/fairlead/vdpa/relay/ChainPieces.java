package io.fairlead.vdpa.relay;

import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import java.util.Arrays;

/**
 * A guest's chain as the pieces of a buffer for the device, at the same guest addresses. A descriptor that the memory
 * table cut where one region ends becomes whole again, so that a chain never has more pieces than descriptors.
 *
 * <p>One thread at a time.
 */
final class ChainPieces {
    private static final long MAX_BYTES = 0xffff_ffffL;

    private long[] addresses = new long[16];
    private int[] lengths = new int[16];
    private int count;
    private int readableCount;

    long[] addresses() {
        return addresses;
    }

    int[] lengths() {
        return lengths;
    }

    int readableCount() {
        return readableCount;
    }

    int writableCount() {
        return count - readableCount;
    }

    /** @throws GuestFaultException where it is longer than a buffer may be for a device */
    void set(DescriptorChain chain) throws GuestFaultException {
        int segments = chain.segmentCount();
        int readable = chain.readableCount();
        if (chain.readableBytes() + chain.writableBytes() > MAX_BYTES) {
            throw new GuestFaultException("chain %d is of 4 GiB, which a used length cannot say".formatted(chain.id()));
        }
        if (segments > addresses.length) {
            addresses = Arrays.copyOf(addresses, DescriptorChain.MAX_SEGMENTS);
            lengths = Arrays.copyOf(lengths, DescriptorChain.MAX_SEGMENTS);
        }
        count = 0;
        readableCount = 0;
        long end = 0;
        for (int i = 0; i < segments; i++) {
            if (i == readable) {
                readableCount = count;
            }
            long address = chain.segmentGuestAddress(i);
            int byteCount = (int) chain.segmentBytes(i);
            if (i > 0 && i != readable && address == end && startsRegion(chain.memory(), address)) {
                lengths[count - 1] += byteCount;
            } else {
                addresses[count] = address;
                lengths[count] = byteCount;
                count++;
            }
            end = address + Integer.toUnsignedLong(byteCount);
        }
        if (readable == segments) {
            readableCount = count;
        }
    }

    private static boolean startsRegion(GuestMemory memory, long address) throws GuestFaultException {
        return memory.start(memory.regionOf(address)) == address;
    }
}
