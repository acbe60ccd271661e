package io.fairlead.devices.storage;

import io.fairlead.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Whole reads and writes between storage and memory of ours; on threads that may wait. */
public final class StorageCopy {
    /** Bytes of the vector that a call needs, aligned to 8. */
    public static final int IOVEC_BYTES = 16;

    private StorageCopy() {}

    /**
     * Reads a range into the start of a buffer.
     *
     * @param buffer native, aligned as the storage wants it
     * @param iovec {@link #IOVEC_BYTES} bytes of native memory
     * @return 0 or a negative error number
     */
    public static int read(Storage storage, long offset, MemorySegment buffer, MemorySegment iovec, int byteCount) {
        for (int done = 0; done < byteCount; ) {
            vector(iovec, buffer.address() + done, byteCount - done);
            long got = storage.read(iovec.address(), 1, offset + done);
            if (got <= 0) {
                return got == 0 ? -Errno.EIO : (int) got;
            }
            done += (int) got;
        }
        return 0;
    }

    /** Writes the start of a buffer; as {@link #read}. */
    public static int write(Storage storage, long offset, MemorySegment buffer, MemorySegment iovec, int byteCount) {
        for (int done = 0; done < byteCount; ) {
            vector(iovec, buffer.address() + done, byteCount - done);
            long put = storage.write(iovec.address(), 1, offset + done);
            if (put <= 0) {
                return put == 0 ? -Errno.EIO : (int) put;
            }
            done += (int) put;
        }
        return 0;
    }

    private static void vector(MemorySegment iovec, long address, long count) {
        iovec.set(ValueLayout.JAVA_LONG, 0, address);
        iovec.set(ValueLayout.JAVA_LONG, 8, count);
    }
}
