package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Files by descriptor. The methods that take plain numbers are for the data path: they return a count or a negative
 * error number ({@code -Errno.EIO}), allocate nothing, throw nothing, and call again where a signal interrupted them.
 * Their addresses are host addresses, not checked here: the caller keeps that memory mapped for the length of the call.
 * An address that is not mapped gives {@code -EFAULT}.
 *
 * <p>Thread-safe.
 */
public final class FileIo {
    private static final boolean ARM = "aarch64".equals(System.getProperty("os.arch"));

    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0x40;
    public static final int O_EXCL = 0x80;
    public static final int O_TRUNC = 0x200;
    public static final int O_APPEND = 0x400;
    public static final int O_NONBLOCK = 0x800;
    public static final int O_DSYNC = 0x1000;
    public static final int O_DIRECT = ARM ? 0x10000 : 0x4000;
    public static final int O_DIRECTORY = ARM ? 0x4000 : 0x10000;
    public static final int O_NOFOLLOW = ARM ? 0x8000 : 0x20000;
    public static final int O_NOATIME = 0x40000;
    public static final int O_CLOEXEC = 0x80000;
    public static final int O_SYNC = 0x101000;
    public static final int O_PATH = 0x200000;

    /** Per-call flags of {@link #preadv2} and {@link #pwritev2}. */
    public static final int RWF_HIPRI = 1;

    public static final int RWF_DSYNC = 2;
    public static final int RWF_SYNC = 4;
    public static final int RWF_NOWAIT = 8;
    public static final int RWF_APPEND = 16;

    /** Modes of {@link #fallocate}. */
    public static final int FALLOC_FL_KEEP_SIZE = 1;

    public static final int FALLOC_FL_PUNCH_HOLE = 2;
    public static final int FALLOC_FL_ZERO_RANGE = 0x10;

    private static final int SEEK_END = 2;

    /** Where {@link #lseek} looks: from the start, or for the next data or hole from there. */
    public static final int SEEK_SET = 0;

    public static final int SEEK_DATA = 3;
    public static final int SEEK_HOLE = 4;

    /** Operations of {@link #flock}. */
    public static final int LOCK_SH = 1;

    public static final int LOCK_EX = 2;
    public static final int LOCK_NB = 4;
    public static final int LOCK_UN = 8;

    static final int F_OFD_GETLK = 36;
    static final int F_OFD_SETLK = 37;

    /** Types of locks on ranges ({@link #setLock}). */
    public static final short F_RDLCK = 0;

    public static final short F_WRLCK = 1;
    public static final short F_UNLCK = 2;

    /** {@code struct flock}: l_type, l_whence, l_start, l_len, l_pid. */
    static final long FLOCK_SIZE = 32;

    static final long FLOCK_TYPE = 0;
    static final long FLOCK_WHENCE = 2;
    static final long FLOCK_START = 8;
    static final long FLOCK_LEN = 16;
    static final long FLOCK_PID = 24;

    private FileIo() {}

    /**
     * Opens a file, always close-on-exec.
     *
     * @param flags some of {@code O_*}
     * @param mode permissions of a file that is created, less the process's umask
     */
    public static Fd open(Path path, int flags, int mode) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path.toString());
            int result;
            do {
                result = Libc.open(name.address(), flags | O_CLOEXEC, mode);
            } while (result == -Errno.EINTR);
            return Fd.adopt(LinuxException.check(result, "open", path.toString()), path.toString());
        }
    }

    /**
     * Makes a named pipe.
     *
     * @param mode its permissions, less the process's umask
     * @throws LinuxException EEXIST where something is there already
     */
    public static void makePipe(Path path, int mode) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path.toString());
            LinuxException.check(Libc.mkfifo(name.address(), mode), "mkfifo", path.toString());
        }
    }

    /** Reads at an offset; fewer bytes than asked for, 0 at the end of the file. */
    public static long pread(int fd, long address, long byteCount, long offset) {
        long result;
        do {
            result = Libc.pread(fd, address, byteCount, offset);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** Writes at an offset; possibly fewer bytes than asked for. */
    public static long pwrite(int fd, long address, long byteCount, long offset) {
        long result;
        do {
            result = Libc.pwrite(fd, address, byteCount, offset);
        } while (result == -Errno.EINTR);
        return result;
    }

    /**
     * Reads into several pieces of memory.
     *
     * @param iovecAddress {@code iovecCount} times {address, byte count}, 64 bits each
     * @param flags some of {@code RWF_*}; one that the file cannot do gives {@code -EOPNOTSUPP}, a read that would wait
     *     under {@link #RWF_NOWAIT} gives {@code -EAGAIN}
     */
    public static long preadv2(int fd, long iovecAddress, int iovecCount, long offset, int flags) {
        long result;
        do {
            result = Libc.preadv2(fd, iovecAddress, iovecCount, offset, flags);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** Writes from several pieces of memory; arguments as {@link #preadv2}. */
    public static long pwritev2(int fd, long iovecAddress, int iovecCount, long offset, int flags) {
        long result;
        do {
            result = Libc.pwritev2(fd, iovecAddress, iovecCount, offset, flags);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** Makes written data durable. */
    public static int fdatasync(int fd) {
        int result;
        do {
            result = Libc.fdatasync(fd);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** Makes written data and all of the file's properties durable. */
    public static int fsync(int fd) {
        int result;
        do {
            result = Libc.fsync(fd);
        } while (result == -Errno.EINTR);
        return result;
    }

    /**
     * Allocates, zeroes or frees a range of a file.
     *
     * @param mode 0 or some of {@code FALLOC_*}
     */
    public static int fallocate(int fd, int mode, long offset, long byteCount) {
        int result;
        do {
            result = Libc.fallocate(fd, mode, offset, byteCount);
        } while (result == -Errno.EINTR);
        return result;
    }

    /**
     * The length of a file now, by lseek: quicker than {@link #status}, and allocates nothing. Moves the file's position,
     * which none of the calls here uses.
     */
    public static long sizeBytes(int fd) {
        return Libc.lseek(fd, 0, SEEK_END);
    }

    /** Closes a descriptor that no {@link Fd} owns. */
    public static void close(int fd) {
        int _ = Libc.close(fd);
    }

    /** Moves a file's position; with {@link #SEEK_DATA} and {@link #SEEK_HOLE} tells where the next begins. */
    public static long lseek(int fd, long offset, int whence) {
        return Libc.lseek(fd, offset, whence);
    }

    /**
     * Copies from file to file within the kernel; possibly fewer bytes than asked for.
     *
     * @param offsets host address of both offsets, 64 bits each: where to read, where to write; they are changed
     */
    public static long copyFileRange(int from, int to, long offsets, long byteCount) {
        long result;
        do {
            result = Libc.copyFileRange(from, offsets, to, offsets + Long.BYTES, byteCount);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** Locks a whole open file beside other holders of that kind; {@code -EAGAIN} where one conflicts and LOCK_NB is set. */
    public static int flock(int fd, int operation) {
        return Libc.flock(fd, operation);
    }

    /** Makes a whole file system durable. */
    public static int syncfs(int fd) {
        return Libc.syncfs(fd);
    }

    /** Sets the length of a file. */
    public static int ftruncate(int fd, long byteCount) {
        int result;
        do {
            result = Libc.ftruncate(fd, byteCount);
        } while (result == -Errno.EINTR);
        return result;
    }

    /** What the file is. */
    public static FileStatus status(Fd fd) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment empty = arena.allocateFrom("");
            MemorySegment statx = arena.allocate(Statx.SIZE, Long.BYTES);
            LinuxException.check(
                    Libc.statx(
                            fd.raw(), empty.address(), Statx.AT_EMPTY_PATH, Statx.STATX_BASIC_STATS, statx.address()),
                    "statx",
                    fd.subject());
            return Statx.read(statx);
        }
    }

    /** What is at a path; a symbolic link is not followed. */
    public static FileStatus status(Path path) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path.toString());
            MemorySegment statx = arena.allocate(Statx.SIZE, Long.BYTES);
            LinuxException.check(
                    Libc.statx(
                            Statx.AT_FDCWD,
                            name.address(),
                            Statx.AT_SYMLINK_NOFOLLOW,
                            Statx.STATX_BASIC_STATS,
                            statx.address()),
                    "statx",
                    path.toString());
            return Statx.read(statx);
        }
    }

    /**
     * Takes an advisory lock on the whole file, or changes the one held. It belongs to the open file: it ends when the
     * last duplicate of the descriptor is closed, and another open of the same file in this process conflicts too.
     *
     * @param exclusive no other lock beside it (needs a descriptor open for writing); else other shared locks may be
     *     held (needs one open for reading)
     * @return false where another holder's lock conflicts
     */
    public static boolean tryLock(Fd fd, boolean exclusive) throws LinuxException {
        int result = setLock(fd.raw(), exclusive ? F_WRLCK : F_RDLCK);
        if (result == -Errno.EAGAIN || result == -Errno.EACCES) {
            return false;
        }
        LinuxException.check(result, "fcntl(F_OFD_SETLK)", fd.subject());
        return true;
    }

    /** Gives the lock of {@link #tryLock} up; does nothing where none is held. */
    public static void unlock(Fd fd) throws LinuxException {
        LinuxException.check(setLock(fd.raw(), F_UNLCK), "fcntl(F_OFD_SETLK)", fd.subject());
    }

    private static int setLock(int fd, short type) {
        return setLock(fd, type, 0, 0);
    }

    /**
     * Locks a range of an open file, changes the lock there or takes it away, without waiting. It belongs to the open file
     * as that of {@link #tryLock}.
     *
     * @param type one of {@code F_*LCK}
     * @param byteCount 0 for all that follows
     * @return 0, {@code -EAGAIN} where another holder's lock conflicts, or another negative error number
     */
    public static int setLock(int fd, short type, long start, long byteCount) {
        return Libc.fcntl(fd, F_OFD_SETLK, lock(type, start, byteCount).address());
    }

    /**
     * Looks for a lock of another holder that a lock would conflict with.
     *
     * @param found its type, start, byte count (0: all that follows) and process, which is -1 for one as of {@link
     *     #setLock}; the type is {@link #F_UNLCK} where there is none
     * @return 0 or a negative error number
     */
    public static int getLock(int fd, short type, long start, long byteCount, long[] found) {
        MemorySegment flock = lock(type, start, byteCount);
        int result = Libc.fcntl(fd, F_OFD_GETLK, flock.address());
        found[0] = flock.get(JAVA_SHORT, FLOCK_TYPE);
        found[1] = flock.get(JAVA_LONG, FLOCK_START);
        found[2] = flock.get(JAVA_LONG, FLOCK_LEN);
        found[3] = flock.get(JAVA_INT, FLOCK_PID);
        return result;
    }

    private static MemorySegment lock(short type, long start, long byteCount) {
        MemorySegment flock = Libc.scratch().asSlice(0, FLOCK_SIZE).fill((byte) 0);
        flock.set(JAVA_SHORT, FLOCK_TYPE, type);
        flock.set(JAVA_SHORT, FLOCK_WHENCE, (short) 0);
        flock.set(JAVA_LONG, FLOCK_START, start);
        flock.set(JAVA_LONG, FLOCK_LEN, byteCount);
        return flock;
    }
}
