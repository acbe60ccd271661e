package io.fairlead.devices.storage;

import io.fairlead.linux.Errno;
import io.fairlead.virtio.DescriptorChain;
import java.io.IOException;
import java.util.concurrent.locks.LockSupport;

/**
 * Storage that takes its time, to try what slow storage does to a machine: whatever touches the storage begins so much
 * later, on a thread that may wait.
 */
final class SlowStorage implements Storage {
    private final Storage storage;
    private final long delayNanos;

    /** @param storage closed with this */
    SlowStorage(Storage storage, long delayNanos) {
        this.storage = storage;
        this.delayNanos = delayNanos;
    }

    private void waitFirst() {
        long end = System.nanoTime() + delayNanos;
        for (long left = delayNanos; left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
        }
    }

    @Override
    public String subject() {
        return storage.subject();
    }

    @Override
    public String volume() {
        return storage.volume();
    }

    @Override
    public long byteCount() {
        return storage.byteCount();
    }

    @Override
    public int blockSizeBytes() {
        return storage.blockSizeBytes();
    }

    @Override
    public int physicalBlockBytes() {
        return storage.physicalBlockBytes();
    }

    @Override
    public boolean isBlockDevice() {
        return storage.isBlockDevice();
    }

    @Override
    public boolean readOnly() {
        return storage.readOnly();
    }

    @Override
    public boolean isBuffered() {
        return storage.isBuffered();
    }

    @Override
    public int alignmentBytes() {
        return storage.alignmentBytes();
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
    public void releaseCaches() {
        storage.releaseCaches();
    }

    @Override
    public long readNow(long iovecAddress, int iovecCount, long offset) {
        return -Errno.EAGAIN;
    }

    @Override
    public long writeNow(long iovecAddress, int iovecCount, long offset) {
        return -Errno.EAGAIN;
    }

    @Override
    public long read(long iovecAddress, int iovecCount, long offset) {
        waitFirst();
        return storage.read(iovecAddress, iovecCount, offset);
    }

    @Override
    public long write(long iovecAddress, int iovecCount, long offset) {
        waitFirst();
        return storage.write(iovecAddress, iovecCount, offset);
    }

    @Override
    public int flush() {
        waitFirst();
        return storage.flush();
    }

    @Override
    public int discard(long offset, long byteCount) {
        waitFirst();
        return storage.discard(offset, byteCount);
    }

    @Override
    public int writeZeroes(long offset, long byteCount, boolean mayUnmap) {
        waitFirst();
        return storage.writeZeroes(offset, byteCount, mayUnmap);
    }

    @Override
    public long presentBytes() throws IOException {
        return storage.presentBytes();
    }

    @Override
    public void resize(long newBytes) throws IOException {
        storage.resize(newBytes);
    }

    @Override
    public void close() {
        storage.close();
    }
}
