package io.fairlead.devices.base;

import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A device for tests whose requests, each a number, the host works on until the test ends them; the answer is the number
 * plus one. Several devices share a {@link Host}, which does not allow that two work on the same request.
 */
final class HeldRequests extends SoftwareDevice {
    /** What is worked on anywhere. */
    static final class Host {
        private final Map<Integer, Run> working = new ConcurrentHashMap<>();
        final AtomicInteger begun = new AtomicInteger();
        final Set<String> faults = ConcurrentHashMap.newKeySet();

        List<Integer> working() {
            return new ArrayList<>(working.keySet());
        }

        /** Ends the host's work on a request; its device learns of it soon. */
        void end(int number) {
            Run run = ending(number);
            if (run != null) {
                run.runner.wake();
            }
        }

        /** Not while its run is about to answer it: a request ends once. */
        private synchronized @Nullable Run ending(int number) {
            Run run = working.get(number);
            if (run == null || !run.ending.add(number)) {
                return null;
            }
            run.ended.add(number);
            return run;
        }

        private synchronized void answered(int number, Run run) {
            working.remove(number);
            run.ending.remove(number);
        }
    }

    private final Host host;
    volatile CompletableFuture<Void> lastStep = CompletableFuture.completedFuture(null);

    HeldRequests(String name, Host host, EventLoopGroup loops) {
        super(name, 42, RING_FEATURES | Feature.IN_ORDER, 1, 64, new ConfigSpace(4, new BitSet()), loops);
        this.host = host;
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return new Run(runner, host);
    }

    @Override
    protected CompletionStage<Void> settle() {
        return lastStep;
    }

    @Override
    protected void release() throws IOException {}

    private static final class Run implements QueueHandler {
        private final QueueRunner runner;
        private final Host host;
        private final Map<Integer, DescriptorChain> chains = new ConcurrentHashMap<>();
        private final Set<Integer> ending = ConcurrentHashMap.newKeySet();
        private final ConcurrentLinkedQueue<Integer> ended = new ConcurrentLinkedQueue<>();

        Run(QueueRunner runner, Host host) {
            this.runner = runner;
            this.host = host;
        }

        @Override
        public void handle(DescriptorChain chain) {
            int number = chain.readInt(0);
            chains.put(number, chain);
            if (host.working.putIfAbsent(number, this) != null) {
                host.faults.add("request %d is worked on twice".formatted(number));
            }
            host.begun.incrementAndGet();
        }

        @Override
        public boolean poll() {
            boolean found = false;
            for (Integer number = ended.poll(); number != null; number = ended.poll()) {
                found = true;
                DescriptorChain chain = chains.remove(number);
                host.answered(number, this);
                if (runner.isFrozen()) {
                    runner.complete(chain, 0);
                } else {
                    MemorySegment answer = MemorySegment.ofArray(new int[] {number + 1});
                    chain.write(0, answer, 0, Integer.BYTES);
                    runner.complete(chain, Integer.BYTES);
                }
            }
            return found;
        }

        @Override
        public boolean hasWork() {
            return !ended.isEmpty();
        }
    }

    static int intAt(Guest guest, long offset) {
        return guest.memory().get(ValueLayout.JAVA_INT, offset);
    }
}
