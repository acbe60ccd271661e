package io.fairlead.virtio;

/**
 * Told of every guest page that a device writes, so that a migration sends it again. Called on the queue's own thread
 * and always after the write, or a reader that clears the log could send the page too early: for buffers and used
 * elements before the driver can learn of them, for the word that tells the driver right after it.
 */
@FunctionalInterface
public interface DirtyLog {
    /**
     * Notes that a device wrote a range.
     *
     * @param guestAddress first byte written
     * @param byteCount at least 1
     */
    void mark(long guestAddress, long byteCount);
}
