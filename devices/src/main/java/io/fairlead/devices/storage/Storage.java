package io.fairlead.devices.storage;

import io.fairlead.virtio.DescriptorChain;
import java.io.IOException;

/**
 * The storage behind a disk. All calls but {@link #close} are thread-safe and run on the data path: they return a
 * count or 0, or a negative error number, and neither throw nor allocate. Offsets and counts are bytes, inside the
 * capacity and more than 0; vectors are {@code struct iovec} at a host address.
 */
public interface Storage extends AutoCloseable {
    /** What the storage is, for messages. */
    String subject();

    /** What the storage is, for other hosts that reach the same ({@link VolumeId}); empty where that is unknown. */
    String volume();

    /** Capacity, a multiple of the block size. */
    long byteCount();

    /** Bytes of a logical block, which every offset and length is a multiple of: a power of two from 512 on. */
    int blockSizeBytes();

    /** Bytes that the storage best writes at once; a multiple of the block size. */
    int physicalBlockBytes();

    /** Whether it is a device of the host, of which less is known than of a file: what was discarded may read as anything. */
    boolean isBlockDevice();

    boolean readOnly();

    /** Whether what was written may be in this host's memory alone until it is flushed. */
    boolean isBuffered();

    /** What addresses, offsets and lengths of all I/O are to be multiples of; 1 for anything. */
    int alignmentBytes();

    /** The file's descriptor for reads and writes by io_uring; -1 where {@link #read} and {@link #write} must be used. */
    int descriptor();

    /**
     * Asked once before a batch of {@link #readCached}: whether it is of use now.
     *
     * @return false where the batch shall do without
     */
    boolean mayReadCached();

    /**
     * Reads a range into writable bytes of a request, where that needs neither a wait nor a system call.
     *
     * @param at where they go, counted from the first writable byte
     * @return whether it did; if not, those bytes may have any value
     */
    boolean readCached(DescriptorChain chain, long at, long offset, int byteCount);

    /** No request runs and none may come for long: what is kept only for speed goes. Not on the data path. */
    void releaseCaches();

    /**
     * Reads what can be had without waiting.
     *
     * @return bytes read, perhaps not all; {@code -EAGAIN} where the caller shall {@link #read} from a thread that may
     *     wait
     */
    long readNow(long iovecAddress, int iovecCount, long offset);

    /** Writes what can be taken without waiting; as {@link #readNow}. */
    long writeNow(long iovecAddress, int iovecCount, long offset);

    /** Reads and waits; possibly less than asked for, but never 0: the end of the storage is an error. */
    long read(long iovecAddress, int iovecCount, long offset);

    /** Writes and waits; possibly less than asked for. */
    long write(long iovecAddress, int iovecCount, long offset);

    /**
     * Makes all writes durable that ended before the call. A failure lasts: what was lost is never called durable later.
     */
    int flush();

    /** Drops the content of a range, as far as the storage can. */
    int discard(long offset, long byteCount);

    /**
     * Zeroes a range.
     *
     * @param mayUnmap whether the storage may give the space back
     */
    int writeZeroes(long offset, long byteCount, boolean mayUnmap);

    /** What the storage could hold now, in whole blocks: more than the capacity where it has grown since. Not on the data path. */
    long presentBytes() throws IOException;

    /**
     * Takes another capacity; the storage grows where it is shorter and is never shortened.
     *
     * @throws IOException where it cannot have that size
     */
    void resize(long newBytes) throws IOException;

    @Override
    void close();
}
