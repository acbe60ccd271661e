package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.SharedDirtyLog;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The dirty log of openEuler's kernels: memory of ours that the device fills when it is asked, with a bit or a byte for each
 * page. What it says is marked in the log of whoever moves the machine. The kernel writes only while it is asked, so nothing
 * is lost between the two. Under the device's lock.
 */
final class EulerLog implements AutoCloseable {
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final VhostVdpaLink link;
    private final boolean bytes;
    private final SharedDirtyLog target;
    private final Mapping own;

    /** @param bytes whether the device has a byte for each page, and not a bit */
    EulerLog(VhostVdpaLink link, boolean bytes, SharedDirtyLog target) throws IOException {
        this.link = link;
        this.bytes = bytes;
        this.target = target;
        own = Mapping.anonymous(bytes ? target.byteCount() * Byte.SIZE : target.byteCount());
        try {
            link.log(own.segment());
        } catch (IOException e) {
            own.close();
            throw e;
        }
    }

    /** Has the device say what it wrote since the last time, and marks it. */
    void pull() throws IOException {
        link.syncLog();
        MemorySegment words = own.segment();
        for (long offset = 0; offset + Long.BYTES <= words.byteSize(); offset += Long.BYTES) {
            long word = words.get(WORD, offset);
            if (word != 0) {
                words.set(WORD, offset, 0);
                mark(offset, word);
            }
        }
    }

    private void mark(long offset, long word) {
        if (bytes) {
            for (int i = 0; i < Long.BYTES; i++) {
                if (((word >>> (i * Byte.SIZE)) & 0xff) != 0) {
                    target.mark((offset + i) << SharedDirtyLog.PAGE_SHIFT, SharedDirtyLog.PAGE_BYTES);
                }
            }
            return;
        }
        for (long left = word; left != 0; left &= left - 1) {
            long page = offset * Byte.SIZE + Long.numberOfTrailingZeros(left);
            target.mark(page << SharedDirtyLog.PAGE_SHIFT, SharedDirtyLog.PAGE_BYTES);
        }
    }

    @Override
    public void close() {
        own.close();
    }
}
