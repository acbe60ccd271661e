package io.fairlead.kernel.vduse;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Vduse;
import io.fairlead.linux.VduseRequest;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A disk's driver behind a fake kernel, with one queue and memory of its own. */
final class FakeDriver implements AutoCloseable {
    static final int QUEUE_SIZE = 64;
    static final long BASE = 0x10_0000;
    static final long MEMORY_BYTES = 1 << 20;

    static final int NEGOTIATED = 1 | 2 | 8;
    static final int RUNNING = NEGOTIATED | 4;

    private static final long DATA_OFFSET = 512 << 10;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(20);

    private final FakeKernel kernel;
    private final long features;
    final Fd file = FakeKernel.file(MEMORY_BYTES);
    final Mapping mapping = Mapping.shared(file, 0, MEMORY_BYTES, true);
    private DriverRings rings;
    private DriverQueue queue;

    FakeDriver(FakeKernel kernel, long features) throws IOException {
        this.kernel = kernel;
        this.features = features | Feature.VERSION_1 | Feature.ACCESS_PLATFORM;
    }

    /** Has the kernel show the driver's memory. */
    void showMemory() {
        kernel.entries.put(
                BASE, new FakeKernel.Entry(file, 0, BASE, BASE + MEMORY_BYTES - 1, Vduse.VDUSE_ACCESS_RW, false));
    }

    /** Resets the device, negotiates, sets the queue up. */
    boolean negotiate() throws Exception {
        kernel.setStatus(0);
        kernel.setStatus(1);
        kernel.setStatus(1 | 2);
        kernel.driverFeatures = features;
        if (!kernel.setStatus(NEGOTIATED)) {
            return false;
        }
        mapping.segment().fill((byte) 0);
        rings = DriverRings.lay(mapping.segment(), BASE, QUEUE_SIZE, features, 0);
        queue = DriverQueue.create(rings);
        kernel.queues.put(0, info(QUEUE_SIZE));
        return true;
    }

    Vduse.QueueInfo info(int size) {
        boolean packed = Feature.has(features, Feature.RING_PACKED);
        return new Vduse.QueueInfo(
                size,
                rings.descriptorAddress(),
                rings.driverAddress(),
                rings.deviceAddress(),
                RingState.encode(QueueState.initial(packed)),
                true);
    }

    /** All of it, up to DRIVER_OK. */
    void start() throws Exception {
        showMemory();
        if (!negotiate() || !kernel.setStatus(RUNNING)) {
            throw new AssertionError("the device did not start");
        }
    }

    private MemorySegment data() {
        return mapping.segment().asSlice(DATA_OFFSET);
    }

    /** Makes a request available, and kicks. */
    void submit(int type, long sector, long value) {
        MemorySegment data = data();
        data.set(ValueLayout.JAVA_INT, BlkRequest.TYPE_OFFSET, type);
        data.set(ValueLayout.JAVA_LONG, BlkRequest.SECTOR_OFFSET, sector);
        data.set(ValueLayout.JAVA_LONG, 512, value);
        data.set(ValueLayout.JAVA_BYTE, 1024, (byte) 0xff);
        long at = BASE + DATA_OFFSET;
        boolean write = type == BlkRequest.OUT;
        boolean added = queue.add(
                new long[] {at, at + 512, at + 1024}, new int[] {16, 512, 1}, write ? 2 : 1, write ? 1 : 2, sector);
        if (!added) {
            throw new AssertionError("no room");
        }
        if (queue.publish() && kernel.kicks.get(0) != null) {
            kernel.kicks.get(0).signal();
        }
    }

    /** Waits for the answer to a request: its status. */
    int await() throws DeviceFaultException {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!queue.poll()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("no answer");
            }
            LockSupport.parkNanos(20_000);
        }
        return data().get(ValueLayout.JAVA_BYTE, 1024);
    }

    void write(long sector, long value) throws DeviceFaultException {
        submit(BlkRequest.OUT, sector, value);
        require(await());
    }

    long read(long sector) throws DeviceFaultException {
        submit(BlkRequest.IN, sector, 0);
        require(await());
        return data().get(ValueLayout.JAVA_LONG, 512);
    }

    private static void require(int status) {
        if (status != 0) {
            throw new AssertionError("status " + status);
        }
    }

    /** Where the kernel is told that the queue stands. */
    QueueState state() throws Exception {
        FakeKernel.Answer answer = kernel.ask(id -> new VduseRequest.GetQueueState(id, 0));
        return RingState.decode(answer.state(), Feature.has(features, Feature.RING_PACKED));
    }

    DriverQueue queue() {
        return queue;
    }

    @Override
    public void close() {
        mapping.close();
        file.close();
    }
}
