package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import org.jspecify.annotations.Nullable;

/**
 * Requests about locks. Each method answers one request and returns the bytes of the answer's body, a negative error
 * number, or {@link #WAIT}.
 */
final class LockOperations {
    /** The request has to be tried again when a lock was given up. */
    static final int WAIT = Integer.MIN_VALUE;

    private static final int MAX_TYPE = FileIo.F_UNLCK;

    private final FsExport export;

    LockOperations(FsExport export) {
        this.export = export;
    }

    int get(FsThread thread) {
        Handle handle = handle(thread);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            FileLocks.Range wanted = range(thread);
            if (wanted == null || wanted.type() == FileIo.F_UNLCK) {
                return -Errno.EINVAL;
            }
            FileLocks locks = handle.inode().locks();
            FileLocks.Range other = locks.conflict(wanted.owner(), wanted.type(), wanted.start(), wanted.end());
            if (other != null) {
                return answer(thread, other.start(), other.end(), other.type(), other.pid());
            }
            long[] found = new long[4];
            int error = locks.outside(thread, wanted.owner(), wanted.type(), wanted.start(), wanted.end(), found);
            if (error < 0) {
                return error;
            }
            long end = found[2] == 0 ? Long.MAX_VALUE : found[1] + found[2] - 1;
            // A process of the host has no number in the guest.
            return answer(thread, found[1], end, (short) found[0], 0);
        } finally {
            handle.release();
        }
    }

    private static int answer(FsThread thread, long start, long end, short type, int pid) {
        thread.putLong(FuseFile.FileLock.START, start);
        thread.putLong(FuseFile.FileLock.END, end);
        thread.putInt(FuseFile.FileLock.TYPE, type);
        thread.putInt(FuseFile.FileLock.PID, pid);
        return FuseFile.FileLock.BYTES;
    }

    int set(FsThread thread, boolean waits) {
        Handle handle = handle(thread);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            FileLocks.Range wanted = range(thread);
            if (wanted == null) {
                return -Errno.EINVAL;
            }
            boolean whole = (thread.argument(FuseFile.LkIn.LK_FLAGS) & FuseFlag.F_LK_FLOCK) != 0;
            int result = whole
                    ? setWhole(handle, wanted.type())
                    : handle.inode().locks().set(thread, wanted);
            if (result == -Errno.EAGAIN && waits) {
                return WAIT;
            }
            if (result == 0 && wanted.type() != FileIo.F_WRLCK) {
                // Taken away, or made weaker.
                export.waits().retry();
            }
            return result;
        } finally {
            handle.release();
        }
    }

    private @Nullable Handle handle(FsThread thread) {
        return thread.has(FuseFile.LkIn.BYTES) ? export.handle(thread.longArgument(FuseFile.LkIn.FH), false) : null;
    }

    /** The lock that is asked for; null where it makes no sense. */
    private static FileLocks.@Nullable Range range(FsThread thread) {
        int lock = FuseFile.LkIn.LK;
        long start = thread.longArgument(lock + FuseFile.FileLock.START);
        long end = thread.longArgument(lock + FuseFile.FileLock.END);
        int type = thread.argument(lock + FuseFile.FileLock.TYPE);
        return start < 0 || end < start || type < 0 || type > MAX_TYPE
                ? null
                : new FileLocks.Range(
                        thread.longArgument(FuseFile.LkIn.OWNER),
                        start,
                        end,
                        (short) type,
                        thread.argument(lock + FuseFile.FileLock.PID));
    }

    // ---- locks on whole files (flock), which belong to the open file ----

    private static int setWhole(Handle handle, short type) {
        int operation = switch (type) {
            case FileIo.F_RDLCK -> FileIo.LOCK_SH;
            case FileIo.F_WRLCK -> FileIo.LOCK_EX;
            default -> FileIo.LOCK_UN;
        };
        synchronized (handle) {
            int result = FileIo.flock(handle.raw(), operation | FileIo.LOCK_NB);
            if (result == 0) {
                handle.wholeLock = operation;
                handle.wholeLockDue = false;
            }
            return result;
        }
    }

    /**
     * Tries to take at the host what came with the guest.
     *
     * @return whether nothing is due any more
     */
    static boolean takeDue(Handle handle) {
        synchronized (handle) {
            if (handle.wholeLockDue) {
                handle.wholeLockDue = FileIo.flock(handle.raw(), handle.wholeLock | FileIo.LOCK_NB) < 0;
            }
            return !handle.wholeLockDue;
        }
    }

    // ---- ends ----

    /** A process closed a descriptor: its locks on the file's ranges go. */
    void flushed(Inode inode, long owner) {
        FileLocks locks = inode.locksIfAny();
        if (locks != null && locks.drop(owner)) {
            export.waits().retry();
        }
    }

    /** The last descriptor of an open file was closed: its lock on the whole file goes with the host's. */
    void closed(Handle handle, long owner) {
        flushed(handle.inode(), owner);
        synchronized (handle) {
            if (handle.wholeLock != FileIo.LOCK_UN) {
                handle.wholeLock = FileIo.LOCK_UN;
                handle.wholeLockDue = false;
                int _ = FileIo.flock(handle.raw(), FileIo.LOCK_UN);
                export.waits().retry();
            }
        }
    }
}
