package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FolderIo;

/**
 * Serves requests of the FUSE protocol on an exported folder. On workers' threads, several at a time.
 */
final class FsService {
    /** The most that one request reads or writes: as many pages as the guest's driver takes for one. */
    static final int MAX_WRITE_BYTES = 1 << 20;

    private static final int PAGE_BYTES = 4096;
    private static final int MAX_BACKGROUND = 64;

    private static final long OFFERED = Fuse.F_ASYNC_READ
            | Fuse.F_ATOMIC_O_TRUNC
            | Fuse.F_BIG_WRITES
            | Fuse.F_DONT_MASK
            | Fuse.F_DO_READDIRPLUS
            | Fuse.F_READDIRPLUS_AUTO
            | Fuse.F_ASYNC_DIO
            | Fuse.F_PARALLEL_DIROPS
            | Fuse.F_MAX_PAGES
            | Fuse.F_CACHE_SYMLINKS
            | Fuse.F_HANDLE_KILLPRIV_V2
            | Fuse.F_INIT_EXT;

    private final FsExport export;
    private final NameOperations names;
    private final AttributeOperations attributes;
    private final LockOperations locks;
    private final FileOperations files;
    private final FolderOperations folders;

    FsService(FsExport export) {
        this.export = export;
        names = new NameOperations(export);
        attributes = new AttributeOperations(export);
        locks = new LockOperations(export);
        files = new FileOperations(export, locks);
        folders = new FolderOperations(export, names);
    }

    FsExport export() {
        return export;
    }

    /** Whether the guest expects an answer. */
    static boolean isAnswered(int opcode) {
        return opcode != Fuse.OP_FORGET && opcode != Fuse.OP_BATCH_FORGET && opcode != Fuse.OP_INTERRUPT;
    }

    /**
     * Does what the thread's request says.
     *
     * @return bytes of the answer's body, a negative error number, or {@link LockOperations#WAIT}
     */
    int serve(FsThread thread) {
        int opcode = thread.opcode();
        if (opcode == Fuse.OP_INIT) {
            return start(thread);
        }
        if (!export.isStarted()) {
            return -Errno.ENOTCONN;
        }
        if (export.readOnly() && Fuse.isChange(opcode)) {
            return -Errno.EROFS;
        }
        return switch (opcode) {
            case Fuse.OP_LOOKUP -> names.lookup(thread);
            case Fuse.OP_MKNOD -> names.makeNode(thread);
            case Fuse.OP_MKDIR -> names.makeFolder(thread);
            case Fuse.OP_SYMLINK -> names.makeLink(thread);
            case Fuse.OP_LINK -> names.link(thread);
            case Fuse.OP_CREATE -> names.create(thread);
            case Fuse.OP_UNLINK -> names.remove(thread, 0);
            case Fuse.OP_RMDIR -> names.remove(thread, FolderIo.AT_REMOVEDIR);
            case Fuse.OP_RENAME -> names.rename(thread, false);
            case Fuse.OP_RENAME2 -> names.rename(thread, true);
            case Fuse.OP_GETATTR -> attributes.get(thread);
            case Fuse.OP_STATX -> attributes.getExtended(thread);
            case Fuse.OP_SETATTR -> attributes.set(thread);
            case Fuse.OP_ACCESS -> attributes.access(thread);
            case Fuse.OP_READLINK -> attributes.readLink(thread);
            case Fuse.OP_STATFS -> attributes.fileSystem(thread);
            case Fuse.OP_SETXATTR -> attributes.setExtra(thread);
            case Fuse.OP_GETXATTR -> attributes.getExtra(thread);
            case Fuse.OP_LISTXATTR -> attributes.listExtra(thread);
            case Fuse.OP_REMOVEXATTR -> attributes.removeExtra(thread);
            case Fuse.OP_OPENDIR -> folders.open(thread);
            case Fuse.OP_READDIR -> folders.read(thread, false);
            case Fuse.OP_READDIRPLUS -> folders.read(thread, true);
            default -> serveOpen(thread, opcode);
        };
    }

    private int serveOpen(FsThread thread, int opcode) {
        return switch (opcode) {
            case Fuse.OP_OPEN -> files.open(thread);
            case Fuse.OP_READ -> files.read(thread);
            case Fuse.OP_WRITE -> files.write(thread);
            case Fuse.OP_FLUSH -> files.flush(thread);
            case Fuse.OP_RELEASE -> files.release(thread, false);
            case Fuse.OP_RELEASEDIR -> files.release(thread, true);
            case Fuse.OP_FSYNC -> files.sync(thread, false);
            case Fuse.OP_FSYNCDIR -> files.sync(thread, true);
            case Fuse.OP_SYNCFS -> files.syncFileSystem();
            case Fuse.OP_FALLOCATE -> files.allocate(thread);
            case Fuse.OP_LSEEK -> files.seek(thread);
            case Fuse.OP_COPY_FILE_RANGE -> files.copy(thread);
            case Fuse.OP_GETLK -> hostLocks() ? locks.get(thread) : -Errno.ENOSYS;
            case Fuse.OP_SETLK -> hostLocks() ? locks.set(thread, false) : -Errno.ENOSYS;
            case Fuse.OP_SETLKW -> hostLocks() ? locks.set(thread, true) : -Errno.ENOSYS;
            case Fuse.OP_FORGET -> forget(thread);
            case Fuse.OP_BATCH_FORGET -> forgetMany(thread);
            case Fuse.OP_INTERRUPT -> interrupt(thread);
            case Fuse.OP_DESTROY -> destroy();
            default -> -Errno.ENOSYS;
        };
    }

    private boolean hostLocks() {
        return export.settings().hostLocks();
    }

    /** What the guest may have. */
    static long offered(FsExport export) {
        long locks = export.settings().hostLocks() ? Fuse.F_POSIX_LOCKS | Fuse.F_FLOCK_LOCKS : 0;
        return OFFERED
                | locks
                | switch (export.settings().cache()) {
                    case NEVER -> Fuse.F_DIRECT_IO_ALLOW_MMAP;
                    case AUTO -> Fuse.F_AUTO_INVAL_DATA;
                    case ALWAYS -> Fuse.F_WRITEBACK_CACHE;
                };
    }

    /** INIT: a new mount; what an earlier one had is gone. */
    private int start(FsThread thread) {
        if (!thread.has(Fuse.InitIn.FLAGS2)) {
            return -Errno.EINVAL;
        }
        int major = thread.argument(Fuse.InitIn.MAJOR);
        int minor = thread.argument(Fuse.InitIn.MINOR);
        if (major < Fuse.MAJOR || (major == Fuse.MAJOR && minor < Fuse.MIN_MINOR)) {
            return -Errno.EPROTO;
        }
        thread.clear(0, Fuse.InitOut.BYTES);
        thread.putInt(Fuse.InitOut.MAJOR, Fuse.MAJOR);
        thread.putInt(Fuse.InitOut.MINOR, Fuse.MINOR);
        if (major > Fuse.MAJOR) {
            // The guest comes again with ours.
            return Fuse.InitOut.BYTES;
        }
        export.clear();
        long flags = offered(export) & asked(thread);
        export.started(Math.min(minor, Fuse.MINOR), flags);
        thread.putInt(Fuse.InitOut.MAX_READAHEAD, thread.argument(Fuse.InitIn.MAX_READAHEAD));
        thread.putInt(Fuse.InitOut.FLAGS, (int) flags);
        thread.putInt(Fuse.InitOut.FLAGS2, (int) (flags >>> 32));
        thread.putShort(Fuse.InitOut.MAX_BACKGROUND, MAX_BACKGROUND);
        thread.putShort(Fuse.InitOut.CONGESTION_THRESHOLD, MAX_BACKGROUND * 3 / 4);
        thread.putInt(Fuse.InitOut.MAX_WRITE, MAX_WRITE_BYTES);
        thread.putInt(Fuse.InitOut.TIME_GRAN, 1);
        thread.putShort(Fuse.InitOut.MAX_PAGES, MAX_WRITE_BYTES / PAGE_BYTES);
        return Fuse.InitOut.BYTES;
    }

    /** All flags that the guest has; the second half of them only where it says that there is one. */
    private static long asked(FsThread thread) {
        long flags = Integer.toUnsignedLong(thread.argument(Fuse.InitIn.FLAGS));
        return (flags & Fuse.F_INIT_EXT) != 0 && thread.has(Fuse.InitIn.BYTES)
                ? flags | ((long) thread.argument(Fuse.InitIn.FLAGS2) << 32)
                : flags;
    }

    private int destroy() {
        export.clear();
        return 0;
    }

    private int forget(FsThread thread) {
        if (!thread.has(Fuse.ForgetIn.BYTES)) {
            return -Errno.EINVAL;
        }
        export.inodes().forget(thread.nodeId(), thread.longArgument(Fuse.ForgetIn.NLOOKUP));
        return 0;
    }

    private int forgetMany(FsThread thread) {
        if (!thread.has(Fuse.BatchForgetIn.BYTES)) {
            return -Errno.EINVAL;
        }
        int count = thread.argument(Fuse.BatchForgetIn.COUNT);
        int at = Fuse.BatchForgetIn.BYTES;
        for (int i = 0; i < count && thread.has(at + Fuse.ForgetOne.BYTES); i++) {
            export.inodes()
                    .forget(
                            thread.longArgument(at + Fuse.ForgetOne.NODEID),
                            thread.longArgument(at + Fuse.ForgetOne.NLOOKUP));
            at += Fuse.ForgetOne.BYTES;
        }
        return 0;
    }

    private int interrupt(FsThread thread) {
        if (thread.has(Fuse.InterruptIn.BYTES)) {
            export.waits().interrupt(thread.longArgument(Fuse.InterruptIn.UNIQUE));
        }
        return 0;
    }
}
