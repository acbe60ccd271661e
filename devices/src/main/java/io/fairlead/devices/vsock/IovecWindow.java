package io.fairlead.devices.vsock;

import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** {@code struct iovec}s of a part of a chain's buffers, or of native memory, for one system call. One thread. */
final class IovecWindow {
    private static final int IOVEC_BYTES = 16;

    private final MemorySegment iovecs = Arena.ofAuto().allocate(DescriptorChain.IOVEC_BYTES, Long.BYTES);
    private int count;

    long address() {
        return iovecs.address();
    }

    int count() {
        return count;
    }

    private void add(long address, long byteCount) {
        iovecs.set(ValueLayout.JAVA_LONG, (long) count * IOVEC_BYTES, address);
        iovecs.set(ValueLayout.JAVA_LONG, (long) count * IOVEC_BYTES + Long.BYTES, byteCount);
        count++;
    }

    /** Of the device-readable bytes, those from an offset on. */
    void readable(DescriptorChain chain, long offset, long byteCount) {
        of(chain, 0, offset, byteCount);
    }

    /** Of the device-writable bytes, those from an offset on. */
    void writable(DescriptorChain chain, long offset, long byteCount) {
        of(chain, chain.readableCount(), offset, byteCount);
    }

    private void of(DescriptorChain chain, int firstSegment, long offset, long byteCount) {
        count = 0;
        long skip = offset;
        long left = byteCount;
        for (int i = firstSegment; left > 0; i++) {
            long bytes = chain.segmentBytes(i);
            if (skip >= bytes) {
                skip -= bytes;
                continue;
            }
            long here = Math.min(left, bytes - skip);
            add(chain.segmentHostAddress(i) + skip, here);
            left -= here;
            skip = 0;
        }
    }

    /** Native memory, in one piece or two. */
    void of(MemorySegment memory, long offset, long byteCount, long secondByteCount) {
        count = 0;
        add(memory.address() + offset, byteCount);
        if (secondByteCount > 0) {
            add(memory.address(), secondByteCount);
        }
    }
}
