package io.fairlead.devices.storage;

import io.fairlead.linux.Errno;
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
public final class StubStorage implements Storage {
    public static final int BYTES = 1 << 20;

    public final Arena arena = Arena.ofShared();
    public final MemorySegment content = arena.allocate(BYTES);
    public final List<String> log = Collections.synchronizedList(new ArrayList<>());
    public final AtomicInteger flushes = new AtomicInteger();
    public volatile boolean now = true;

    /** Byte offset whose requests wait for {@link #gate}; -1 for none. */
    public volatile long slowOffset = -1;

    /** How long a worker's read or write takes. */
    public volatile long delayNanos;

    public volatile CountDownLatch gate = new CountDownLatch(0);
    public volatile int readError;
    public volatile int writeError;
    public volatile int flushError;
    public volatile boolean closed;

    /** The most bytes that one call moves. */
    public volatile long limit = Long.MAX_VALUE;

    /** Of zeros. */
    public StubStorage() {}

    @Override
    public String subject() {
        return "stub";
    }

    @Override
    public long byteCount() {
        return BYTES;
    }

    @Override
    public int blockSizeBytes() {
        return 512;
    }

    @Override
    public int physicalBlockBytes() {
        return 4096;
    }

    @Override
    public boolean isBlockDevice() {
        return false;
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
    public boolean readCached(DescriptorChain chain, long at, long offset, int byteCount) {
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
    public long presentBytes() {
        return byteCount();
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
