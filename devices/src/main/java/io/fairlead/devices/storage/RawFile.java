package io.fairlead.devices.storage;

import io.fairlead.linux.BlockDevice;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FileStatus;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import io.fairlead.virtio.DescriptorChain;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A raw image file or a block device of the host. */
final class RawFile implements Storage {
    private static final Logger LOG = LoggerFactory.getLogger(RawFile.class);
    private static final int MAX_ALIGNMENT_BYTES = 4096;
    private static final int MAX_FILE_BLOCK_BYTES = 4096;
    private static final int ZERO_CHUNK_BYTES = 1 << 20;

    private final Fd fd;
    private final int raw;
    private final String volume;
    private final boolean blockDevice;
    private final boolean readOnly;
    private final boolean direct;
    private final int alignmentBytes;
    private final int blockSizeBytes;
    private final int physicalBlockBytes;
    private final FlushGate flushGate;
    private volatile long byteCount;

    /** What the file system has said it cannot do. */
    private volatile boolean readNowRefused;

    private volatile boolean writeNowRefused;

    /** Made when a read first found something in the page cache. */
    private volatile @Nullable CachedReads cachedReads;

    private boolean cachedReadsTried;

    /** The file ended before the capacity did: what was there is lost and writes would hide it. */
    private volatile boolean truncated;

    private RawFile(Fd fd, FileStatus status, StorageSettings settings) throws IOException {
        this.fd = fd;
        raw = fd.raw();
        volume = settings.volume().isEmpty() ? VolumeId.of(settings.path(), status) : settings.volume();
        blockDevice = status.isBlockDevice();
        readOnly = settings.readOnly();
        direct = settings.direct();
        byteCount = blockDevice ? BlockDevice.sizeBytes(fd) : status.sizeBytes();
        alignmentBytes = settings.direct() ? directAlignment(fd, byteCount) : 1;
        int smallest = Math.max(512, Math.max(alignmentBytes, blockDevice ? BlockDevice.logicalBlockBytes(fd) : 512));
        blockSizeBytes = settings.blockSizeBytes() == 0 ? smallest : settings.blockSizeBytes();
        if (blockSizeBytes < smallest) {
            throw new IOException("%s: block-size %d is too small: it does I/O in units of %d bytes; use block-size=%d"
                    .formatted(fd.subject(), blockSizeBytes, smallest, smallest));
        }
        // What a file system calls its block may be a megabyte: good for streams, but nothing is read before written.
        int fileBlockBytes = Math.min(status.blockSizeBytes(), MAX_FILE_BLOCK_BYTES);
        int ownPhysicalBlockBytes = blockDevice ? BlockDevice.physicalBlockBytes(fd) : fileBlockBytes;
        int chosen = settings.physicalBlockSizeBytes();
        physicalBlockBytes = Math.max(blockSizeBytes, chosen == 0 ? ownPhysicalBlockBytes : chosen);
        if (byteCount == 0 || byteCount % blockSizeBytes != 0) {
            throw new IOException(("%s: its size of %d bytes is not a positive multiple of the block size %d; give it"
                            + " one by truncate -s")
                    .formatted(fd.subject(), byteCount, blockSizeBytes));
        }
        flushGate = new FlushGate(raw, fd.subject());
    }

    /**
     * Opens the file of some settings.
     *
     * @throws IOException where it is missing, may not be opened, is of another kind, is locked by another, or has a size
     *     that is no disk's; says which
     */
    static RawFile open(StorageSettings settings) throws IOException {
        int flags = (settings.readOnly() ? FileIo.O_RDONLY : FileIo.O_RDWR) | (settings.direct() ? FileIo.O_DIRECT : 0);
        requireDisk(settings);
        Fd fd = openOrExplain(settings, flags);
        try {
            FileStatus status = FileIo.status(fd);
            if (status.isBlockDevice() && !settings.readOnly() && BlockDevice.isReadOnly(fd)) {
                throw new IOException(settings.path() + " is a read-only block device; use read-only=on");
            }
            if (settings.locked() && !FileIo.tryLock(fd, !settings.readOnly())) {
                throw new IOException(("%s is in use: another process or device holds a lock on it; stop that one, or"
                                + " use read-only=on in all of them")
                        .formatted(settings.path()));
            }
            return new RawFile(fd, status, settings);
        } catch (IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** Before the file is opened for I/O: the open of a pipe would wait for its other end. */
    private static void requireDisk(StorageSettings settings) throws IOException {
        try (Fd probe = FileIo.open(settings.path(), FileIo.O_PATH, 0)) {
            FileStatus status = FileIo.status(probe);
            if (!status.isRegular() && !status.isBlockDevice()) {
                throw new IOException("%s is %s; a disk needs a regular file or a block device"
                        .formatted(settings.path(), status.isFolder() ? "a directory" : "a special file"));
            }
        }
    }

    private static Fd openOrExplain(StorageSettings settings, int flags) throws IOException {
        try {
            return FileIo.open(settings.path(), flags, 0);
        } catch (LinuxException e) {
            String hint = switch (e.errno()) {
                case Errno.EROFS, Errno.EACCES, Errno.EPERM ->
                    settings.readOnly() ? null : e.getMessage() + "; where it may be read, read-only=on is enough";
                case Errno.EINVAL ->
                    settings.direct() ? e.getMessage() + "; its file system may not know direct=on" : null;
                default -> null;
            };
            throw hint == null ? e : new IOException(hint, e);
        }
    }

    /** The smallest unit of direct I/O: tried by reading, as file systems and devices differ. */
    private static int directAlignment(Fd fd, long byteCount) throws IOException {
        try (Mapping buffer = Mapping.anonymous(2L * MAX_ALIGNMENT_BYTES)) {
            long base = buffer.segment().address();
            for (int unit = 512; unit <= MAX_ALIGNMENT_BYTES && unit <= byteCount; unit *= 2) {
                if (FileIo.pread(fd.raw(), base + unit, unit, 0) >= 0) {
                    return unit;
                }
            }
        }
        throw new IOException(fd.subject() + " cannot be read with direct=on; use direct=off");
    }

    @Override
    public int blockSizeBytes() {
        return blockSizeBytes;
    }

    @Override
    public int physicalBlockBytes() {
        return physicalBlockBytes;
    }

    @Override
    public String subject() {
        return fd.subject();
    }

    @Override
    public long byteCount() {
        return byteCount;
    }

    @Override
    public boolean isBlockDevice() {
        return blockDevice;
    }

    @Override
    public boolean readOnly() {
        return readOnly;
    }

    @Override
    public String volume() {
        return volume;
    }

    @Override
    public boolean isBuffered() {
        return !direct;
    }

    @Override
    public int alignmentBytes() {
        return alignmentBytes;
    }

    @Override
    public int descriptor() {
        return truncated ? -1 : raw;
    }

    @Override
    public boolean mayReadCached() {
        CachedReads reads = cachedReads;
        // A mapping reads zeros between the end of a shortened file and the end of its page.
        if (reads == null || isCutShort()) {
            return false;
        }
        reads.startBatch();
        return true;
    }

    @Override
    public boolean readCached(DescriptorChain chain, long at, long offset, int count) {
        CachedReads reads = cachedReads;
        return reads != null && reads.read(chain, at, offset, count);
    }

    private void foundInCache(long offset, long count) {
        CachedReads reads = cachedReads;
        if (reads == null) {
            reads = createCachedReads();
        }
        if (reads != null) {
            reads.seen(offset, count);
        }
    }

    @Override
    public synchronized void releaseCaches() {
        CachedReads reads = cachedReads;
        cachedReads = null;
        cachedReadsTried = false;
        if (reads != null) {
            reads.close();
        }
    }

    private synchronized @Nullable CachedReads createCachedReads() {
        if (!cachedReadsTried) {
            cachedReadsTried = true;
            cachedReads = CachedReads.tryCreate(fd, byteCount);
        }
        return cachedReads;
    }

    @Override
    public long readNow(long iovecAddress, int iovecCount, long offset) {
        if (readNowRefused || alignmentBytes > 1) {
            return -Errno.EAGAIN;
        }
        long result = FileIo.preadv2(raw, iovecAddress, iovecCount, offset, FileIo.RWF_NOWAIT);
        if (result == -Errno.EOPNOTSUPP) {
            readNowRefused = true;
            return -Errno.EAGAIN;
        }
        if (result > 0) {
            foundInCache(offset, result);
        }
        return result == 0 ? -Errno.EAGAIN : result;
    }

    @Override
    public long writeNow(long iovecAddress, int iovecCount, long offset) {
        // Looked at first: what is refused here may be written by io_uring next.
        if (isCutShort() || writeNowRefused || alignmentBytes > 1) {
            return -Errno.EAGAIN;
        }
        long result = FileIo.pwritev2(raw, iovecAddress, iovecCount, offset, FileIo.RWF_NOWAIT);
        if (result == -Errno.EOPNOTSUPP) {
            writeNowRefused = true;
            return -Errno.EAGAIN;
        }
        return result;
    }

    @Override
    public long read(long iovecAddress, int iovecCount, long offset) {
        long result = FileIo.preadv2(raw, iovecAddress, iovecCount, offset, 0);
        return result == 0 ? endOfFile(offset) : result;
    }

    private int endOfFile(long offset) {
        cutShort(offset);
        return -Errno.EIO;
    }

    /** Asked before each write: one beyond the end would make the file longer, and what was lost would read as zeros. */
    private boolean isCutShort() {
        if (!truncated && !blockDevice) {
            long here = FileIo.sizeBytes(raw);
            if (here >= 0 && here < byteCount) {
                cutShort(here);
            }
        }
        return truncated;
    }

    private void cutShort(long end) {
        if (!truncated) {
            truncated = true;
            LOG.error(
                    "{}: ends at or before byte {} and not at its capacity of {}: cut short while in use; it takes no"
                            + " writes until the device is created again",
                    subject(),
                    end,
                    byteCount);
        }
    }

    @Override
    public long write(long iovecAddress, int iovecCount, long offset) {
        return isCutShort() ? -Errno.EIO : FileIo.pwritev2(raw, iovecAddress, iovecCount, offset, 0);
    }

    @Override
    public int flush() {
        return readOnly ? 0 : flushGate.flush();
    }

    @Override
    public int discard(long offset, long byteCount) {
        dropped(offset, byteCount);
        int result = blockDevice
                ? BlockDevice.discard(raw, offset, byteCount)
                : FileIo.fallocate(raw, FileIo.FALLOC_FL_PUNCH_HOLE | FileIo.FALLOC_FL_KEEP_SIZE, offset, byteCount);
        // The content may stay (virtio 1.4, 5.2.6.2): where the storage cannot, nothing needs to be done.
        return result == -Errno.EOPNOTSUPP ? 0 : result;
    }

    @Override
    public int writeZeroes(long offset, long byteCount, boolean mayUnmap) {
        if (truncated) {
            return -Errno.EIO;
        }
        dropped(offset, byteCount);
        int result = -Errno.EOPNOTSUPP;
        if (mayUnmap) {
            result = FileIo.fallocate(raw, FileIo.FALLOC_FL_PUNCH_HOLE | FileIo.FALLOC_FL_KEEP_SIZE, offset, byteCount);
        }
        if (result == -Errno.EOPNOTSUPP) {
            result = FileIo.fallocate(raw, FileIo.FALLOC_FL_ZERO_RANGE | FileIo.FALLOC_FL_KEEP_SIZE, offset, byteCount);
        }
        return result == -Errno.EOPNOTSUPP ? writeZeroBytes(offset, byteCount) : result;
    }

    private void dropped(long offset, long count) {
        CachedReads reads = cachedReads;
        if (reads != null) {
            reads.forget(offset, count);
        }
    }

    private int writeZeroBytes(long offset, long byteCount) {
        try (Mapping zeroes = Mapping.anonymous(ZERO_CHUNK_BYTES);
                Mapping vector = Mapping.anonymous(16)) {
            MemorySegment iovec = vector.segment();
            iovec.set(ValueLayout.JAVA_LONG, 0, zeroes.segment().address());
            long done = 0;
            while (done < byteCount) {
                iovec.set(ValueLayout.JAVA_LONG, 8, Math.min(ZERO_CHUNK_BYTES, byteCount - done));
                long result = write(iovec.address(), 1, offset + done);
                if (result <= 0) {
                    return result == 0 ? -Errno.EIO : (int) result;
                }
                done += result;
            }
            return 0;
        } catch (LinuxException e) {
            return -e.errno();
        }
    }

    @Override
    public long presentBytes() throws IOException {
        long here = blockDevice ? BlockDevice.sizeBytes(fd) : FileIo.status(fd).sizeBytes();
        return here - here % blockSizeBytes;
    }

    @Override
    public void resize(long newBytes) throws IOException {
        if (newBytes <= 0 || newBytes % blockSizeBytes != 0) {
            throw new IOException("%s: new size %d is not a positive multiple of the block size %d"
                    .formatted(subject(), newBytes, blockSizeBytes));
        }
        long here = presentBytes();
        if (here < newBytes) {
            if (blockDevice || readOnly) {
                throw new IOException("%s has %d bytes and cannot be made %d".formatted(subject(), here, newBytes));
            }
            int result = FileIo.ftruncate(raw, newBytes);
            if (result < 0) {
                throw new LinuxException("ftruncate", subject(), -result);
            }
        }
        byteCount = newBytes;
    }

    @Override
    public void close() {
        releaseCaches();
        fd.close();
    }
}
