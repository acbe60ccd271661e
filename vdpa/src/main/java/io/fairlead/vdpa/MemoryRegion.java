package io.fairlead.vdpa;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FileStatus;
import io.fairlead.linux.Mapping;
import io.fairlead.virtio.ReferenceCount;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * One piece of guest memory: a range of a shared file, mapped here, that the guest sees at a guest address. The
 * descriptor is kept, for back-ends that hand the memory on to a kernel or another daemon.
 *
 * <p>Counted: the creator holds one use and each {@link MemoryTable} with the region another; the last release unmaps and
 * closes. Thread-safe.
 */
public final class MemoryRegion {
    private final Fd fd;
    private final long fdOffset;
    private final long guestAddress;
    private final long userAddress;
    private final Mapping mapping;
    private final ReferenceCount users = new ReferenceCount(this::unmap);

    private MemoryRegion(Fd fd, long fdOffset, long guestAddress, long userAddress, Mapping mapping) {
        this.fd = fd;
        this.fdOffset = fdOffset;
        this.guestAddress = guestAddress;
        this.userAddress = userAddress;
        this.mapping = mapping;
    }

    /**
     * Maps a region for reading and writing.
     *
     * @param fd owned by the region from now on, closed also where this fails
     * @param fdOffset where the region starts in the file, bytes; need not be a multiple of the page size
     * @param guestAddress where the guest sees it (IOVA)
     * @param userAddress where the peer has it in its own address space; ring addresses of vhost-user count from there
     * @throws IOException where the range is empty, wraps around, lies beyond the end of the file, or cannot be mapped
     */
    public static MemoryRegion map(Fd fd, long fdOffset, long guestAddress, long userAddress, long byteCount)
            throws IOException {
        return map(fd, fdOffset, guestAddress, userAddress, byteCount, true, true);
    }

    /**
     * As {@link #map}, for what the kernel says of an I/O address space. The file may be none that has a size: what is not
     * there faults when it is touched, as memory of a file that was cut short.
     *
     * @param writable else a write into the region is a fault
     */
    public static MemoryRegion mapOfKernel(Fd fd, long fdOffset, long guestAddress, long byteCount, boolean writable)
            throws IOException {
        return map(fd, fdOffset, guestAddress, guestAddress, byteCount, writable, false);
    }

    private static MemoryRegion map(
            Fd fd, long fdOffset, long guestAddress, long userAddress, long byteCount, boolean writable, boolean sized)
            throws IOException {
        try {
            if (byteCount <= 0
                    || fdOffset < 0
                    || guestAddress < 0
                    || guestAddress + byteCount < 0
                    || fdOffset + byteCount < 0) {
                throw new IOException("memory region of %d bytes at guest address 0x%x, file offset 0x%x is not a range"
                        .formatted(byteCount, guestAddress, fdOffset));
            }
            FileStatus file = FileIo.status(fd);
            long fileBytes = file.sizeBytes();
            if ((sized || file.isRegular()) && fdOffset + byteCount > fileBytes) {
                throw new IOException(
                        ("memory region of %d bytes at file offset 0x%x runs over the end of its file of %d"
                                        + " bytes: the memory would fault when touched")
                                .formatted(byteCount, fdOffset, fileBytes));
            }
            return new MemoryRegion(
                    fd, fdOffset, guestAddress, userAddress, Mapping.shared(fd, fdOffset, byteCount, writable));
        } catch (IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    public Fd fd() {
        return fd;
    }

    public long fdOffset() {
        return fdOffset;
    }

    public long guestAddress() {
        return guestAddress;
    }

    public long userAddress() {
        return userAddress;
    }

    public long byteCount() {
        return mapping.byteCount();
    }

    public MemorySegment segment() {
        return mapping.segment();
    }

    /**
     * Whether another region is the same range of the same file at the same guest address. Front-ends map the same memory
     * again when their peer tells the whole table.
     */
    public boolean isSameMemoryAs(MemoryRegion other) throws IOException {
        if (this == other) {
            return true;
        }
        return guestAddress == other.guestAddress
                && byteCount() == other.byteCount()
                && fdOffset == other.fdOffset
                && FileIo.status(fd).isSameFile(FileIo.status(other.fd));
    }

    /** Whether a range of the peer's address space lies inside; unsigned. */
    boolean holdsUserRange(long address, long byteCount) {
        long offset = address - userAddress;
        return Long.compareUnsigned(offset, byteCount()) < 0 && byteCount >= 0 && byteCount <= byteCount() - offset;
    }

    void retain() {
        users.retain();
    }

    /** Ends one use. */
    public void release() {
        users.release();
    }

    private void unmap() {
        mapping.close();
        fd.close();
    }

    @Override
    public String toString() {
        return "memory region 0x%x+0x%x".formatted(guestAddress, byteCount());
    }
}
