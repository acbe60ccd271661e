package io.fairlead.bench.blk;

import io.fairlead.bench.ProcessUsage;
import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.testbed.blkio.BlkioCompletions;
import io.fairlead.testbed.blkio.BlkioDevice;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.BlkioMemory;
import io.fairlead.testbed.blkio.BlkioQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a number of requests in flight at a vhost-user-blk socket and counts. Used once: the load runs on a thread of its
 * own, which another thread watches.
 */
final class LoadGenerator {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final Duration END_TIMEOUT = Duration.ofSeconds(10);
    private static final int EVENT_WAIT_MILLIS = 100;

    private final Workload workload;
    private final BlkioQueue queue;
    private final long buffers;
    private final long blockBytes;
    private final long blocks;
    private final BlkioCompletions completions;
    private long randomState;
    private long nextBlock;
    private int inFlight;

    private volatile long completed;
    private volatile boolean stopping;
    private volatile @Nullable Exception failure;

    private LoadGenerator(Workload workload, BlkioDevice device, long seed) throws IOException {
        this.workload = workload;
        blockBytes = workload.operation().blockBytes();
        blocks = device.capacityBytes() / blockBytes;
        BlkioMemory memory = device.allocate(workload.depth() * blockBytes);
        fill(memory.segment(), seed);
        buffers = memory.segment().address();
        queue = device.queue(0);
        completions = new BlkioCompletions(workload.depth());
        randomState = seed | 1;
    }

    /**
     * Connects, loads the server, measures and disconnects.
     *
     * @param serverPid of the server
     * @param image the file that it serves
     * @param warmup time before the measurement
     * @param time of the measurement
     * @param seed for the order of random blocks
     * @throws IOException where the server fails a request or stops answering
     */
    static Load run(
            BlkioLibrary library,
            Path socket,
            long serverPid,
            Path image,
            Workload workload,
            Duration warmup,
            Duration time,
            long seed)
            throws IOException, InterruptedException {
        try (BlkioDevice device =
                library.startVhostUser(socket, 1, !workload.operation().isWrite())) {
            LoadGenerator generator = new LoadGenerator(workload, device, seed);
            Thread thread = Thread.ofPlatform().daemon().name("load").start(generator::load);
            try {
                return generator.measure(thread, serverPid, image, warmup, time);
            } finally {
                generator.stopping = true;
                // The device must not be closed under a thread that uses it.
                thread.join();
            }
        }
    }

    private Load measure(Thread thread, long serverPid, Path image, Duration warmup, Duration time)
            throws IOException, InterruptedException {
        TimeUnit.NANOSECONDS.sleep(warmup.toNanos());
        check();
        long startNanos = System.nanoTime();
        long startCompleted = completed;
        long startClient = THREADS.getThreadCpuTime(thread.threadId());
        ProcessUsage start = ProcessUsage.of(serverPid);
        TimeUnit.NANOSECONDS.sleep(time.toNanos());
        // A machine that is busy with something else, or a slow disk: go on until there is something to count.
        while (completed == startCompleted && System.nanoTime() - startNanos < END_TIMEOUT.toNanos()) {
            TimeUnit.NANOSECONDS.sleep(time.toNanos());
            check();
        }
        long nanos = System.nanoTime() - startNanos;
        long requests = completed - startCompleted;
        long client = THREADS.getThreadCpuTime(thread.threadId()) - startClient;
        ProcessUsage end = ProcessUsage.of(serverPid);
        long resident = end.ownResidentBytes() - ProcessUsage.mappedBytes(serverPid, image);
        stopping = true;
        thread.join();
        check();
        if (requests == 0) {
            throw new IOException("no request was completed within " + END_TIMEOUT.toSeconds() + " s");
        }
        return new Load(requests, nanos, end.cpuNanos() - start.cpuNanos(), client, resident);
    }

    private void check() throws IOException {
        Exception thrown = failure;
        if (thrown != null) {
            throw new IOException(workload.name() + ": " + thrown.getMessage(), thrown);
        }
    }

    private void load() {
        try {
            for (int slot = 0; slot < workload.depth(); slot++) {
                request(slot);
            }
            if (workload.client() == Workload.Client.POLL) {
                loadPolling();
            } else {
                loadByEvents();
            }
            drain();
        } catch (IOException | RuntimeException e) {
            failure = e;
        }
    }

    private void loadPolling() throws IOException {
        queue.enableCompletionEvent(false);
        while (!stopping) {
            if (queue.poll(completions) > 0) {
                refill();
            }
        }
    }

    private void loadByEvents() throws IOException {
        queue.enableCompletionEvent(true);
        try (EventFd event = queue.completionEvent();
                Epoll epoll = Epoll.create("load")) {
            epoll.add(event.raw(), Epoll.EPOLLIN, 0);
            while (!stopping) {
                queue.submit();
                if (epoll.await(EVENT_WAIT_MILLIS) == 0) {
                    continue;
                }
                event.drain();
                queue.enableCompletionEvent(false);
                takeAll();
                queue.enableCompletionEvent(true);
                // What completed before the event was enabled again is announced by nothing.
                takeAll();
            }
        }
    }

    /** Takes what is complete; the requests made anew for it go out with the next look. */
    private void takeAll() throws IOException {
        if (queue.poll(completions) > 0) {
            refill();
        }
    }

    private void refill() throws IOException {
        int count = completions.count();
        inFlight -= count;
        completions.check();
        for (int i = 0; i < count; i++) {
            request(completions.token(i));
        }
        // One writer: a plain addition is enough.
        setCompleted(completed + count);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes
    private void setCompleted(long value) {
        completed = value;
    }

    private void drain() throws IOException {
        while (inFlight > 0) {
            int count = queue.await(completions, 1, END_TIMEOUT);
            if (count == 0) {
                throw new IOException("%d requests were not completed within %s".formatted(inFlight, END_TIMEOUT));
            }
            inFlight -= count;
            completions.check();
        }
    }

    private void request(long slot) {
        long offset = nextBlock() * blockBytes;
        long buffer = buffers + slot * blockBytes;
        if (workload.operation().isWrite()) {
            queue.write(offset, buffer, blockBytes, slot, 0);
        } else {
            queue.read(offset, buffer, blockBytes, slot);
        }
        inFlight++;
    }

    private long nextBlock() {
        if (!workload.operation().isRandom()) {
            long block = nextBlock;
            nextBlock = block + 1 == blocks ? 0 : block + 1;
            return block;
        }
        // Xorshift: a few cycles, no allocation, the same order for every server.
        long x = randomState;
        x ^= x << 13;
        x ^= x >>> 7;
        x ^= x << 17;
        randomState = x;
        return Math.unsignedMultiplyHigh(x, blocks);
    }

    private static void fill(MemorySegment segment, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (long offset = 0; offset < segment.byteSize(); offset += Long.BYTES) {
            segment.set(ValueLayout.JAVA_LONG, offset, random.nextLong());
        }
    }
}
