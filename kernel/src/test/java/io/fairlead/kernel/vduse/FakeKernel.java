package io.fairlead.kernel.vduse;

import io.fairlead.linux.Errno;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Memfd;
import io.fairlead.linux.Vduse;
import io.fairlead.linux.VduseRequest;
import io.fairlead.virtio.DeviceStatus;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** The kernel's end as the kernel behaves, with a driver that the test plays. Any thread. */
final class FakeKernel implements KernelEnd {
    /** What a message was answered. */
    record Answer(boolean success, long state) {}

    private static final int PATIENCE_SECONDS = 20;

    private final EventFd events = EventFd.create("fake kernel");
    private final ConcurrentLinkedQueue<VduseRequest> waiting = new ConcurrentLinkedQueue<>();
    private final Map<Integer, CompletableFuture<Answer>> answers = new ConcurrentHashMap<>();
    private final AtomicInteger ids = new AtomicInteger();

    final Map<Integer, Vduse.QueueInfo> queues = new ConcurrentHashMap<>();
    final Map<Integer, EventFd> kicks = new ConcurrentHashMap<>();
    final Map<Long, Entry> entries = new TreeMap<>();
    final List<byte[]> configs = new ArrayList<>();
    final AtomicInteger interrupts = new AtomicInteger();
    final AtomicInteger refusedInterrupts = new AtomicInteger();
    final AtomicInteger configInterrupts = new AtomicInteger();
    volatile long driverFeatures;
    volatile int status;

    /** A piece of memory: the file stays the test's. */
    record Entry(Fd file, long offset, long start, long last, int permission, boolean ofKernel) {}

    private final Map<Integer, Boolean> kernelMemory = new ConcurrentHashMap<>();

    FakeKernel() throws IOException {}

    /** Sends a message and waits for its answer. */
    Answer ask(IntFunction<VduseRequest> request) throws Exception {
        int id = ids.incrementAndGet();
        CompletableFuture<Answer> answer = new CompletableFuture<>();
        answers.put(id, answer);
        waiting.add(request.apply(id));
        events.signal();
        return answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** Sets the status as the kernel does: it counts when it was answered. */
    boolean setStatus(int value) throws Exception {
        boolean success = ask(id -> new VduseRequest.SetStatus(id, value)).success();
        if (value == 0) {
            queues.clear();
            kicks.values().forEach(EventFd::close);
            kicks.clear();
            driverFeatures = 0;
            status = 0;
        } else if (success) {
            status = value;
        }
        return success;
    }

    @Override
    public Fd events() {
        return events.fd();
    }

    @Override
    public @Nullable VduseRequest receive() {
        events.drain();
        return waiting.poll();
    }

    @Override
    public void answer(int requestId, boolean success) {
        answers.get(requestId).complete(new Answer(success, 0));
    }

    @Override
    public void answerState(int requestId, int queue, long state) {
        answers.get(requestId).complete(new Answer(true, state));
    }

    @Override
    public long driverFeatures() {
        return driverFeatures;
    }

    @Override
    public Vduse.QueueInfo queueInfo(int queue) {
        return queues.getOrDefault(queue, new Vduse.QueueInfo(0, 0, 0, 0, 0, false));
    }

    @Override
    public void kick(int queue, EventFd kick) throws IOException {
        EventFd old = kicks.put(queue, EventFd.adopt(kick.fd().duplicate()));
        if (old != null) {
            old.close();
        }
    }

    @Override
    public int interrupt(int queue) {
        if (!DeviceStatus.has(status, DeviceStatus.DRIVER_OK)) {
            refusedInterrupts.incrementAndGet();
            return -Errno.EINVAL;
        }
        interrupts.incrementAndGet();
        return 0;
    }

    @Override
    public synchronized void config(MemorySegment bytes) {
        configs.add(bytes.toArray(ValueLayout.JAVA_BYTE));
        notifyAll();
    }

    synchronized byte[] awaitConfig(int count) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (configs.size() < count && System.nanoTime() - deadline < 0) {
            wait(TimeUnit.SECONDS.toMillis(1));
        }
        return configs.get(count - 1);
    }

    @Override
    public boolean configInterrupt() {
        configInterrupts.incrementAndGet();
        return DeviceStatus.has(status, DeviceStatus.DRIVER_OK);
    }

    @Override
    public Vduse.@Nullable Entry entry(long start) throws IOException {
        for (Entry entry : entries.values()) {
            if (entry.last() >= start) {
                Fd fd = entry.file().duplicate();
                kernelMemory.put(fd.raw(), entry.ofKernel());
                return new Vduse.Entry(fd, entry.offset(), entry.start(), entry.last(), entry.permission());
            }
        }
        return null;
    }

    @Override
    public boolean isKernelMemory(Fd fd) {
        return kernelMemory.getOrDefault(fd.raw(), false);
    }

    /** A file to be memory. */
    static Fd file(long byteCount) throws IOException {
        return Memfd.create("driver memory", byteCount);
    }

    @Override
    public void close() {
        kicks.values().forEach(EventFd::close);
        events.close();
    }
}
