package io.fairlead.virtio;

/**
 * Told of every guest page that a device writes, so that a migration sends it again. Called on the queue's own thread,
 * after the write and before the driver can learn of it.
 */
@FunctionalInterface
public interface DirtyLog {
    /**
     * @param guestAddress first byte written
     * @param byteCount at least 1
     */
    void mark(long guestAddress, long byteCount);
}
