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

    private static final long OFFERED = FuseFlag.F_ASYNC_READ
            | FuseFlag.F_ATOMIC_O_TRUNC
            | FuseFlag.F_BIG_WRITES
            | FuseFlag.F_DONT_MASK
            | FuseFlag.F_DO_READDIRPLUS
            | FuseFlag.F_READDIRPLUS_AUTO
            | FuseFlag.F_ASYNC_DIO
            | FuseFlag.F_PARALLEL_DIROPS
            | FuseFlag.F_MAX_PAGES
            | FuseFlag.F_CACHE_SYMLINKS
            | FuseFlag.F_HANDLE_KILLPRIV_V2
            | FuseFlag.F_INIT_EXT;

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
        return opcode != FuseOpcode.FORGET && opcode != FuseOpcode.BATCH_FORGET && opcode != FuseOpcode.INTERRUPT;
    }

    /**
     * Does what the thread's request says.
     *
     * @return bytes of the answer's body, a negative error number, or {@link LockOperations#WAIT}
     */
    int serve(FsThread thread) {
        int opcode = thread.opcode();
        if (opcode == FuseOpcode.INIT) {
            return start(thread);
        }
        if (!export.isStarted()) {
            return -Errno.ENOTCONN;
        }
        if (export.readOnly() && FuseOpcode.isChange(opcode)) {
            return -Errno.EROFS;
        }
        return switch (opcode) {
            case FuseOpcode.LOOKUP -> names.lookup(thread);
            case FuseOpcode.MKNOD -> names.makeNode(thread);
            case FuseOpcode.MKDIR -> names.makeFolder(thread);
            case FuseOpcode.SYMLINK -> names.makeLink(thread);
            case FuseOpcode.LINK -> names.link(thread);
            case FuseOpcode.CREATE -> names.create(thread);
            case FuseOpcode.UNLINK -> names.remove(thread, 0);
            case FuseOpcode.RMDIR -> names.remove(thread, FolderIo.AT_REMOVEDIR);
            case FuseOpcode.RENAME -> names.rename(thread, false);
            case FuseOpcode.RENAME2 -> names.rename(thread, true);
            case FuseOpcode.GETATTR -> attributes.get(thread);
            case FuseOpcode.STATX -> attributes.getExtended(thread);
            case FuseOpcode.SETATTR -> attributes.set(thread);
            case FuseOpcode.ACCESS -> attributes.access(thread);
            case FuseOpcode.READLINK -> attributes.readLink(thread);
            case FuseOpcode.STATFS -> attributes.fileSystem(thread);
            case FuseOpcode.SETXATTR -> attributes.setExtra(thread);
            case FuseOpcode.GETXATTR -> attributes.getExtra(thread);
            case FuseOpcode.LISTXATTR -> attributes.listExtra(thread);
            case FuseOpcode.REMOVEXATTR -> attributes.removeExtra(thread);
            case FuseOpcode.OPENDIR -> folders.open(thread);
            case FuseOpcode.READDIR -> folders.read(thread, false);
            case FuseOpcode.READDIRPLUS -> folders.read(thread, true);
            default -> serveOpen(thread, opcode);
        };
    }

    private int serveOpen(FsThread thread, int opcode) {
        return switch (opcode) {
            case FuseOpcode.OPEN -> files.open(thread);
            case FuseOpcode.READ -> files.read(thread);
            case FuseOpcode.WRITE -> files.write(thread);
            case FuseOpcode.FLUSH -> files.flush(thread);
            case FuseOpcode.RELEASE -> files.release(thread, false);
            case FuseOpcode.RELEASEDIR -> files.release(thread, true);
            case FuseOpcode.FSYNC -> files.sync(thread, false);
            case FuseOpcode.FSYNCDIR -> files.sync(thread, true);
            case FuseOpcode.SYNCFS -> files.syncFileSystem();
            case FuseOpcode.FALLOCATE -> files.allocate(thread);
            case FuseOpcode.LSEEK -> files.seek(thread);
            case FuseOpcode.COPY_FILE_RANGE -> files.copy(thread);
            case FuseOpcode.GETLK -> hostLocks() ? locks.get(thread) : -Errno.ENOSYS;
            case FuseOpcode.SETLK -> hostLocks() ? locks.set(thread, false) : -Errno.ENOSYS;
            case FuseOpcode.SETLKW -> hostLocks() ? locks.set(thread, true) : -Errno.ENOSYS;
            case FuseOpcode.FORGET -> forget(thread);
            case FuseOpcode.BATCH_FORGET -> forgetMany(thread);
            case FuseOpcode.INTERRUPT -> interrupt(thread);
            case FuseOpcode.DESTROY -> destroy();
            default -> -Errno.ENOSYS;
        };
    }

    private boolean hostLocks() {
        return export.settings().hostLocks();
    }

    /** What the guest may have. */
    static long offered(FsExport export) {
        long locks = export.settings().hostLocks() ? FuseFlag.F_POSIX_LOCKS | FuseFlag.F_FLOCK_LOCKS : 0;
        return OFFERED
                | locks
                | switch (export.settings().cache()) {
                    case NEVER -> FuseFlag.F_DIRECT_IO_ALLOW_MMAP;
                    case AUTO -> FuseFlag.F_AUTO_INVAL_DATA;
                    case ALWAYS -> FuseFlag.F_WRITEBACK_CACHE;
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
        return (flags & FuseFlag.F_INIT_EXT) != 0 && thread.has(Fuse.InitIn.BYTES)
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
