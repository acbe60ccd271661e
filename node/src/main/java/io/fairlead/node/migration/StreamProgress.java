package io.fairlead.node.migration;

/**
 * How QEMU's stream gets on.
 *
 * @param transferredBytes so far
 * @param remainingBytes of memory
 * @param totalBytes of memory
 * @param rateBytesPerSecond of the stream
 * @param dirtyBytesPerSecond how fast memory changes
 * @param passes over the memory
 * @param downtimeMillis QEMU's own figure; 0 before the end
 */
public record StreamProgress(
        long transferredBytes,
        long remainingBytes,
        long totalBytes,
        long rateBytesPerSecond,
        long dirtyBytesPerSecond,
        long passes,
        long downtimeMillis) {
    public static final StreamProgress NONE = new StreamProgress(0, 0, 0, 0, 0, 0, 0);
}
