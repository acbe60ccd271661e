package io.fairlead.devices.fs;

import io.fairlead.linux.FileHandles;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.ThreadIdentity;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * What one thread needs to serve a request: a copy of what the guest asks, which the guest cannot change meanwhile, room
 * for the answer and for the arguments of system calls. Made at a thread's first request; freed after its end.
 */
final class FsThread {
    /** The largest value of an extended attribute (Linux: XATTR_SIZE_MAX). */
    static final int MAX_XATTR_BYTES = 64 << 10;

    /** Header, arguments, two names and a value. */
    static final int MAX_IN_BYTES = MAX_XATTR_BYTES + 4096;

    private static final int WRITE_IN_BYTES = Fuse.InHeader.BYTES + FuseFile.WriteIn.BYTES;

    /** Header and the largest answer that does not go straight into guest memory. */
    static final int MAX_OUT_BYTES = Fuse.OutHeader.BYTES + MAX_XATTR_BYTES;

    static final int MAX_NAME_BYTES = 255;

    /** With the NUL at its end. */
    static final int MAX_PATH_BYTES = 4096;

    static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LE_LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final ThreadLocal<FsThread> CURRENT = ThreadLocal.withInitial(FsThread::new);
    private static final byte[] PROC = "/proc/self/fd/".getBytes(StandardCharsets.US_ASCII);
    private static final int DIGITS = 10;

    private final Arena arena = Arena.ofAuto();

    /** The request, {@link #inBytes} of it valid. */
    final MemorySegment in = arena.allocate(MAX_IN_BYTES, Long.BYTES);

    /** The answer: its header, then its body. */
    final MemorySegment out = arena.allocate(MAX_OUT_BYTES, Long.BYTES);

    /** {@code struct statx}. */
    final MemorySegment statx = arena.allocate(FolderIo.STATX_BYTES, Long.BYTES);

    /** Vectors, where those of the chain do not begin and end with the data. */
    final MemorySegment iovec = arena.allocate(DescriptorChain.IOVEC_BYTES, Long.BYTES);

    /** Entries of a folder, as the host has them. */
    final MemorySegment entries = arena.allocate(32 << 10, Long.BYTES);

    /** Small structures: times, offsets. */
    final MemorySegment small = arena.allocate(FolderIo.STATFS_BYTES, Long.BYTES);

    /** {@code struct file_handle}. */
    final MemorySegment handle = arena.allocate(FileHandles.MAX_BYTES, Long.BYTES);

    /** {@code struct statx}, where a file is looked at only to see that it is the right one. */
    final MemorySegment check = arena.allocate(FolderIo.STATX_BYTES, Long.BYTES);

    /** A path of the host's. */
    private final MemorySegment hostPath = arena.allocate(MAX_PATH_BYTES);

    private final MemorySegment empty = arena.allocateFrom("");
    private final MemorySegment path = arena.allocate(PROC.length + DIGITS + 1L);

    /** Bytes of the request that are here. */
    int inBytes;

    /** Bytes of the answer's body that the guest has room for. */
    int outRoom;

    /** Why a file could not be had, a negative error number: of the last {@link FsExport#pin} that gave none. */
    int missing;

    /** The chain of the request, for data that goes straight between file and guest. */
    DescriptorChain chain;

    /** Whether the thread has a umask of its own. */
    private boolean ownUmask;

    private FsThread() {
        MemorySegment.copy(MemorySegment.ofArray(PROC), 0, path, 0, PROC.length);
        chain = new DescriptorChain(iovec);
    }

    /** That of the calling thread. */
    static FsThread current() {
        return CURRENT.get();
    }

    /** Copies the request in; of a write not the data, which goes straight into the file. */
    void take(DescriptorChain newChain) {
        chain = newChain;
        boolean write = newChain.readInt(Fuse.InHeader.OPCODE) == FuseOpcode.WRITE;
        inBytes = (int) Math.min(newChain.readableBytes(), write ? WRITE_IN_BYTES : MAX_IN_BYTES);
        newChain.read(0, in, 0, inBytes);
        outRoom = (int) Math.min(newChain.writableBytes(), MAX_OUT_BYTES) - Fuse.OutHeader.BYTES;
    }

    // ---- the request ----

    int opcode() {
        return in.get(LE_INT, Fuse.InHeader.OPCODE);
    }

    long unique() {
        return in.get(LE_LONG, Fuse.InHeader.UNIQUE);
    }

    long nodeId() {
        return in.get(LE_LONG, Fuse.InHeader.NODEID);
    }

    int uid() {
        return in.get(LE_INT, Fuse.InHeader.UID);
    }

    int gid() {
        return in.get(LE_INT, Fuse.InHeader.GID);
    }

    /** Whether the request has arguments of so many bytes. */
    boolean has(int byteCount) {
        return inBytes >= Fuse.InHeader.BYTES + byteCount;
    }

    /** A number of the arguments, which were checked to be there. */
    int argument(int offset) {
        return in.get(LE_INT, Fuse.InHeader.BYTES + offset);
    }

    /** A number of 64 bits, as {@link #argument}. */
    long longArgument(int offset) {
        return in.get(LE_LONG, Fuse.InHeader.BYTES + offset);
    }

    /** Host address of an argument. */
    long address(int offset) {
        return in.address() + Fuse.InHeader.BYTES + offset;
    }

    /** How long the text at an offset is; -1 where it does not end within the request. */
    int textBytes(int offset) {
        for (int at = Fuse.InHeader.BYTES + offset; at < inBytes; at++) {
            if (in.get(ValueLayout.JAVA_BYTE, at) == 0) {
                return at - Fuse.InHeader.BYTES - offset;
            }
        }
        return -1;
    }

    /**
     * How long the name at an offset is, where it is one of a file within its folder: neither empty nor {@code .} nor
     * {@code ..}, and without a slash; else -1.
     */
    int nameBytes(int offset) {
        int length = textBytes(offset);
        if (length < 1 || length > MAX_NAME_BYTES) {
            return -1;
        }
        int start = Fuse.InHeader.BYTES + offset;
        boolean dots = length <= 2;
        for (int i = 0; i < length; i++) {
            byte character = in.get(ValueLayout.JAVA_BYTE, start + i);
            if (character == '/') {
                return -1;
            }
            dots &= character == '.';
        }
        return dots ? -1 : length;
    }

    // ---- the answer's body ----

    void putShort(int offset, int value) {
        out.set(LE_SHORT, Fuse.OutHeader.BYTES + offset, (short) value);
    }

    void putInt(int offset, int value) {
        out.set(LE_INT, Fuse.OutHeader.BYTES + offset, value);
    }

    void putLong(int offset, long value) {
        out.set(LE_LONG, Fuse.OutHeader.BYTES + offset, value);
    }

    /** Zeroes part of the body. */
    void clear(int offset, int byteCount) {
        out.asSlice(Fuse.OutHeader.BYTES + offset, byteCount).fill((byte) 0);
    }

    /** Host address within the body. */
    long bodyAddress(int offset) {
        return out.address() + Fuse.OutHeader.BYTES + offset;
    }

    // ---- system calls ----

    /** Host address of an empty name. */
    long emptyName() {
        return empty.address();
    }

    /** Host address of a path that leads to a descriptor's file itself, until the next call. */
    long path(int raw) {
        int digits = 1;
        for (int rest = raw / 10; rest > 0; rest /= 10) {
            digits++;
        }
        int rest = raw;
        for (int i = digits - 1; i >= 0; i--) {
            path.set(ValueLayout.JAVA_BYTE, PROC.length + i, (byte) ('0' + rest % 10));
            rest /= 10;
        }
        path.set(ValueLayout.JAVA_BYTE, PROC.length + digits, (byte) 0);
        return path.address();
    }

    /** Fills {@link #statx} with what a descriptor's file is now; 0 or a negative error number. */
    int status(int raw) {
        return status(raw, statx);
    }

    /** Fills a {@code struct statx} with what a descriptor's file is now; 0 or a negative error number. */
    int status(int raw, MemorySegment target) {
        return FolderIo.statx(
                raw,
                empty.address(),
                FolderIo.AT_EMPTY_PATH,
                FolderIo.STATX_BASIC_STATS | FolderIo.STATX_BTIME,
                target.address());
    }

    /** Host address of a name with a NUL behind it, until the next call; 0 where it is too long for any. */
    long terminated(byte[] name) {
        if (name.length >= MAX_PATH_BYTES) {
            return 0;
        }
        MemorySegment.copy(MemorySegment.ofArray(name), 0, hostPath, 0, name.length);
        hostPath.set(ValueLayout.JAVA_BYTE, name.length, (byte) 0);
        return hostPath.address();
    }

    /** {@code st_mode} of {@link #statx}. */
    int statusMode() {
        return Short.toUnsignedInt(statx.get(ValueLayout.JAVA_SHORT, FolderIo.STATX_OFFSET_MODE));
    }

    int statusInt(int offset) {
        return statx.get(ValueLayout.JAVA_INT, offset);
    }

    long statusLong(int offset) {
        return statx.get(ValueLayout.JAVA_LONG, offset);
    }

    /**
     * Has what this thread makes get permissions less this mask. For workers alone: the thread no longer shares umask and
     * working folder with the process.
     *
     * @return 0 or a negative error number
     */
    int umask(int mask) {
        if (!ownUmask) {
            int error = ThreadIdentity.ownUmask();
            if (error < 0) {
                return error;
            }
            ownUmask = true;
        }
        ThreadIdentity.umask(mask & 0777);
        return 0;
    }
}
