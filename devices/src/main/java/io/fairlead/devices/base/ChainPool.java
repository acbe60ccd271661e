package io.fairlead.devices.base;

import io.fairlead.linux.Mapping;
import io.fairlead.virtio.DescriptorChain;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The chains of one queue, each with native room for its segments. Made when first needed and used again youngest first,
 * so that a queue touches no more memory than its depth asks for.
 *
 * <p>One thread at a time.
 */
final class ChainPool implements AutoCloseable {
    /** The most requests that one queue has in flight. */
    static final int MAX_CHAINS = 1024;

    /** One cache line more than the segments take, so that the chains' first segments lie in different cache sets. */
    private static final long STRIDE_BYTES = DescriptorChain.IOVEC_BYTES + 64;

    private final Mapping mapping;
    private final DescriptorChain[] free;
    private int freeCount;
    private int madeCount;

    ChainPool(int queueSize) throws IOException {
        int capacity = Math.min(queueSize, MAX_CHAINS);
        free = new DescriptorChain[capacity];
        mapping = Mapping.anonymous(capacity * STRIDE_BYTES);
    }

    /** The chain that {@link #take} takes next; null where all are in use. */
    @Nullable
    DescriptorChain peek() {
        if (freeCount == 0) {
            if (madeCount == free.length) {
                return null;
            }
            free[0] = new DescriptorChain(
                    mapping.segment().asSlice(madeCount * STRIDE_BYTES, DescriptorChain.IOVEC_BYTES));
            madeCount++;
            freeCount = 1;
        }
        return free[freeCount - 1];
    }

    void take() {
        freeCount--;
    }

    void giveBack(DescriptorChain chain) {
        free[freeCount++] = chain;
    }

    @Override
    public void close() {
        mapping.close();
    }
}
