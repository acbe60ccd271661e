package io.fairlead.testbed.blkio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory of a {@link BlkioDevice} that requests read from and write to; zeros at first. Its owner is the device.
 *
 * <p>{@link #segment} may be used by every thread until {@link #close}, which must not happen while a request uses it.
 */
public final class BlkioMemory implements AutoCloseable {
    /** {@code struct blkio_mem_region}. */
    static final long REGION_BYTES = 40;

    static final long REGION_ADDR = 0;
    static final long REGION_LEN = 8;
    static final long REGION_IOVA = 16;
    static final long REGION_FD_OFFSET = 24;
    static final long REGION_FD = 32;
    static final long REGION_FLAGS = 36;

    private final BlkioDevice device;
    private final BlkioFunctions functions;
    private final Fd fd;
    private final Mapping mapping;

    BlkioMemory(BlkioDevice device, BlkioFunctions functions, long byteCount) throws IOException {
        this.device = device;
        this.functions = functions;
        fd = Memfd.create("blkio buffers", byteCount);
        Mapping mapped = null;
        boolean ready = false;
        try (Arena arena = Arena.ofConfined()) {
            mapped = Mapping.shared(fd, 0, byteCount, true);
            mapping = mapped;
            int result;
            try {
                result = (int) functions.mapMemRegion.invokeExact(device.handle(), region(arena));
            } catch (Throwable e) {
                throw BlkioFunctions.unexpected(e);
            }
            functions.check(result, "blkio_map_mem_region");
            ready = true;
        } finally {
            if (!ready) {
                if (mapped != null) {
                    mapped.close();
                }
                fd.close();
            }
        }
    }

    private MemorySegment region(Arena arena) {
        MemorySegment region = arena.allocate(REGION_BYTES, Long.BYTES);
        region.set(JAVA_LONG, REGION_ADDR, mapping.segment().address());
        region.set(JAVA_LONG, REGION_LEN, mapping.byteCount());
        region.set(JAVA_LONG, REGION_IOVA, 0);
        region.set(JAVA_LONG, REGION_FD_OFFSET, 0);
        region.set(JAVA_INT, REGION_FD, fd.raw());
        region.set(JAVA_INT, REGION_FLAGS, 0);
        return region;
    }

    /** The bytes. */
    public MemorySegment segment() {
        return mapping.segment();
    }

    /** Takes the memory from the device and frees it; further calls do nothing. */
    @Override
    public void close() {
        if (device.isClosed() || !fd.isOpen()) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            functions.unmapMemRegion.invokeExact(device.handle(), region(arena));
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        device.forget(this);
        release();
    }

    /** Frees memory that the device has let go of. */
    void release() {
        mapping.close();
        fd.close();
    }
}
