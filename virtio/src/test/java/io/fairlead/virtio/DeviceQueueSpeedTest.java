package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.fail;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the device's side costs a request: next, complete and publish in batches of 32, without the driver's part. It
 * prints; it asserts nothing of time. With a log, requests of a device that writes all it may are marked as in a migration.
 */
@Tag("long")
class DeviceQueueSpeedTest {
    private static final int SIZE = 256;
    private static final int BATCH = 32;
    private static final int BATCHES = 50_000;
    private static final int WARM_UP_RUNS = 4;

    private final DescriptorChain[] chains = new DescriptorChain[BATCH];

    private HandRing ring = new HandRing(SIZE, false);
    private int slot;
    private boolean wrap;

    @ParameterizedTest
    @CsvSource({
        "false,1,false,false,false", "false,3,false,false,false", "false,3,true,false,false",
                "false,1,false,true,false",
        "true,1,false,false,false", "true,3,false,false,false", "true,3,true,false,false", "true,1,false,true,false",
        "false,1,false,false,true", "false,3,false,false,true", "false,3,true,false,true", "false,1,false,true,true",
        "true,1,false,false,true", "true,3,false,false,true", "true,3,true,false,true", "true,1,false,true,true"
    })
    void nanosecondsPerRequest(boolean packed, int descriptors, boolean indirect, boolean inflight, boolean logged)
            throws Exception {
        ring = new HandRing(SIZE, packed);
        slot = 0;
        wrap = true;
        for (int i = 0; i < BATCH; i++) {
            chains[i] = HandRing.chain();
        }
        long bytes = packed ? PackedInflight.byteCount(SIZE) : SplitInflight.byteCount(SIZE);
        @Nullable MemorySegment region = inflight ? Arena.ofAuto().allocate(bytes, 64) : null;
        QueueConfig config = ring.config(Feature.EVENT_IDX | Feature.INDIRECT_DESC, QueueState.initial(packed), region);
        DeviceQueue queue = DeviceQueue.create(config, ring.memory);
        queue.dirtyLog(logged ? new Log() : null);
        for (int i = 0; i < BATCH; i++) {
            for (int k = 0; k < 3; k++) {
                ring.descriptor(ring.dataOffset + 48L * i + 16L * k, ring.data(0x4000), 512, flags(packed, k), k + 1);
            }
        }
        // Single batches, of which the middle one counts: whatever else the machine does hits few of them.
        long[] nanos = new long[BATCHES];
        for (int run = 0; run <= WARM_UP_RUNS; run++) {
            for (int batch = 0; batch < BATCHES; batch++) {
                for (int i = 0; i < BATCH; i++) {
                    offer(packed, i, descriptors, indirect);
                }
                long start = System.nanoTime();
                int count = serve(queue);
                nanos[batch] = System.nanoTime() - start;
                if (count != BATCH) {
                    fail("batch of " + count);
                }
            }
        }
        Arrays.sort(nanos);
        System.out.printf(
                "%s, %d descriptors%s%s%s: %.1f ns a request (fastest tenth below %.1f)%n",
                packed ? "packed" : "split",
                descriptors,
                indirect ? ", indirect" : "",
                inflight ? ", in-flight region" : "",
                logged ? ", logged" : "",
                (double) nanos[BATCHES / 2] / BATCH,
                (double) nanos[BATCHES / 10] / BATCH);
    }

    /** A bit a page by an atomic step, as the log that is shared with QEMU. */
    private static final class Log implements DirtyLog {
        private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle().withInvokeExactBehavior();
        private final MemorySegment words = Arena.ofAuto().allocate(1 << 20, 8);

        @Override
        public void mark(long guestAddress, long byteCount) {
            long last = (guestAddress + byteCount - 1) >>> 12;
            for (long page = guestAddress >>> 12; page <= last; page++) {
                long _ = (long) WORD.getAndBitwiseOr(words, page >>> 6 << 3, 1L << page);
            }
        }
    }

    private int serve(DeviceQueue queue) throws GuestFaultException {
        int count = 0;
        while (count < BATCH && queue.next(chains[count])) {
            count++;
        }
        for (int i = 0; i < count; i++) {
            queue.complete(chains[i], chains[i].writableBytes());
        }
        queue.publish();
        return count;
    }

    private static int flags(boolean packed, int index) {
        // Split: flags; packed: the id, which means nothing in a table. Both go on to the next, the split one by flag.
        return HandRing.WRITE | (!packed && index < 2 ? HandRing.NEXT : 0);
    }

    private void offer(boolean packed, int request, int descriptors, boolean indirect) {
        int count = indirect ? 1 : descriptors;
        if (packed) {
            for (int k = 0; k < count; k++) {
                int flags = indirect ? HandRing.INDIRECT : HandRing.WRITE | (k < count - 1 ? HandRing.NEXT : 0);
                long address = indirect ? ring.data(48L * request) : ring.data(0x4000);
                ring.packed(slot, wrap, address, indirect ? 48 : 512, request, flags);
                slot++;
                if (slot == SIZE) {
                    slot = 0;
                    wrap = !wrap;
                }
            }
        } else {
            int head = request * count;
            for (int k = 0; k < count; k++) {
                int flags = indirect ? HandRing.INDIRECT : HandRing.WRITE | (k < count - 1 ? HandRing.NEXT : 0);
                long address = indirect ? ring.data(48L * request) : ring.data(0x4000);
                ring.split(head + k, address, indirect ? 48 : 512, flags, head + k + 1);
            }
            ring.offer(head);
        }
    }
}
