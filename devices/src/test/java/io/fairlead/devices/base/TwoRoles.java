package io.fairlead.devices.base;

import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * A device for tests. Queue 0 answers requests with their own first byte plus one, those that begin with 100 or more only
 * when asked to; queue 1 hands out events.
 */
final class TwoRoles extends SoftwareDevice {
    final ConcurrentLinkedQueue<Byte> events = new ConcurrentLinkedQueue<>();
    volatile boolean answerHeld;
    volatile QueueRunner requests;
    volatile QueueRunner eventQueue;
    volatile boolean throwError;
    int releases;
    int driverResets;

    TwoRoles(EventLoopGroup loops) {
        super("two", 42, RING_FEATURES | Feature.IN_ORDER, 2, 64, new ConfigSpace(4, new BitSet()), loops);
    }

    void event(int value) {
        events.add((byte) value);
        eventQueue.wake();
    }

    void answerHeld() {
        answerHeld = true;
        requests.wake();
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        if (queue == 0) {
            requests = runner;
            return new Requests(runner);
        }
        eventQueue = runner;
        return new Events(runner);
    }

    @Override
    protected void driverReset() {
        driverResets++;
    }

    @Override
    protected void release() throws IOException {
        releases++;
    }

    private static byte first(DescriptorChain chain) {
        byte[] value = new byte[1];
        chain.read(0, MemorySegment.ofArray(value), 0, 1);
        return value[0];
    }

    private static void answer(QueueRunner runner, DescriptorChain chain, byte value) {
        chain.write(0, MemorySegment.ofArray(new byte[] {value}), 0, 1);
        runner.complete(chain, 1);
    }

    private final class Requests implements QueueHandler {
        private final QueueRunner runner;
        private final Deque<DescriptorChain> held = new ArrayDeque<>();

        Requests(QueueRunner runner) {
            this.runner = runner;
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.readableBytes() == 0) {
                throw new GuestFaultException("nothing to read");
            }
            if (throwError) {
                throw new IllegalStateException("broken on purpose");
            }
            byte value = first(chain);
            if (value >= 100) {
                held.add(chain);
            } else {
                answer(runner, chain, (byte) (value + 1));
            }
        }

        @Override
        public boolean poll() {
            boolean work = hasWork();
            if (work) {
                held.forEach(chain -> answer(runner, chain, (byte) (first(chain) + 1)));
                held.clear();
            }
            return work;
        }

        @Override
        public boolean hasWork() {
            return answerHeld && !held.isEmpty();
        }
    }

    private final class Events implements QueueHandler {
        private final QueueRunner runner;

        Events(QueueRunner runner) {
            this.runner = runner;
        }

        @Override
        public boolean wantsRequest() {
            return !events.isEmpty();
        }

        @Override
        public void handle(DescriptorChain chain) {
            answer(runner, chain, events.remove());
        }
    }

    static byte byteAt(Guest guest, long offset) {
        return guest.memory().get(ValueLayout.JAVA_BYTE, offset);
    }
}
