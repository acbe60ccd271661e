package io.fairlead.devices.blk;

import io.fairlead.linux.Errno;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DescriptorChain;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** A disk in memory whose errors and delays a test decides. */
final class StubBackend implements BlkBackend {
    static final int BYTES = 1 << 20;

    final Arena arena = Arena.ofShared();
    final MemorySegment content = arena.allocate(BYTES);
    final List<String> log = Collections.synchronizedList(new ArrayList<>());
    final AtomicInteger flushes = new AtomicInteger();
    volatile boolean now = true;

    /** Byte offset whose requests wait for {@link #gate}; -1 for none. */
    volatile long slowOffset = -1;

    /** How long a worker's read or write takes. */
    volatile long delayNanos;

    volatile CountDownLatch gate = new CountDownLatch(0);
    volatile int readError;
    volatile int writeError;
    volatile int flushError;
    volatile boolean closed;

    /** The most bytes that one call moves. */
    volatile long limit = Long.MAX_VALUE;

    static BlkDevice device(StubBackend backend, EventLoopGroup loops, int queues) {
        BlkSettings settings = BlkSettings.of(java.nio.file.Path.of("stub")).withQueueCount(queues);
        return new BlkDevice("stub", settings, backend, BlkDevice.config(settings, BYTES, 512, 4096), loops, false);
    }

    @Override
    public String subject() {
        return "stub";
    }

    @Override
    public long byteCount() {
        return BYTES;
    }

    @Override
    public boolean readOnly() {
        return false;
    }

    @Override
    public String volume() {
        return "";
    }

    @Override
    public boolean isBuffered() {
        return true;
    }

    @Override
    public int alignmentBytes() {
        return 1;
    }

    @Override
    public int descriptor() {
        return -1;
    }

    @Override
    public boolean mayReadCached() {
        return false;
    }

    @Override
    public boolean readCached(DescriptorChain chain, long offset, int byteCount) {
        return false;
    }

    @Override
    public void releaseCaches() {}

    @Override
    public long readNow(long iovecAddress, int iovecCount, long offset) {
        return now && offset != slowOffset && readError == 0 && limit == Long.MAX_VALUE
                ? move(iovecAddress, iovecCount, offset, false)
                : -Errno.EAGAIN;
    }

    @Override
    public long writeNow(long iovecAddress, int iovecCount, long offset) {
        return now && offset != slowOffset && writeError == 0 && limit == Long.MAX_VALUE
                ? move(iovecAddress, iovecCount, offset, true)
                : -Errno.EAGAIN;
    }

    @Override
    public long read(long iovecAddress, int iovecCount, long offset) {
        pause(offset);
        return readError != 0 ? readError : move(iovecAddress, iovecCount, offset, false);
    }

    @Override
    public long write(long iovecAddress, int iovecCount, long offset) {
        pause(offset);
        log.add("write " + offset);
        return writeError != 0 ? writeError : move(iovecAddress, iovecCount, offset, true);
    }

    private void pause(long offset) {
        if (delayNanos > 0) {
            LockSupport.parkNanos(delayNanos);
        }
        if (offset == slowOffset) {
            try {
                gate.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private long move(long iovecAddress, int iovecCount, long offset, boolean out) {
        MemorySegment iovec = MemorySegment.ofAddress(iovecAddress).reinterpret(16L * iovecCount);
        long done = 0;
        for (int i = 0; i < iovecCount && done < limit; i++) {
            long count = Math.min(iovec.get(ValueLayout.JAVA_LONG, 16L * i + 8), limit - done);
            MemorySegment piece = MemorySegment.ofAddress(iovec.get(ValueLayout.JAVA_LONG, 16L * i))
                    .reinterpret(count);
            if (out) {
                MemorySegment.copy(piece, 0, content, offset + done, count);
            } else {
                MemorySegment.copy(content, offset + done, piece, 0, count);
            }
            done += count;
        }
        return done;
    }

    @Override
    public int flush() {
        flushes.incrementAndGet();
        log.add("flush");
        return flushError;
    }

    @Override
    public int discard(long offset, long byteCount) {
        log.add("discard " + offset + " " + byteCount);
        return 0;
    }

    @Override
    public int writeZeroes(long offset, long byteCount, boolean mayUnmap) {
        log.add("zero " + offset + " " + byteCount + " " + mayUnmap);
        content.asSlice(offset, byteCount).fill((byte) 0);
        return 0;
    }

    @Override
    public void resize(long newBytes) throws IOException {
        throw new IOException("stub has one size");
    }

    @Override
    public void close() {
        closed = true;
    }
}
