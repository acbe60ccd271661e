package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.ThreadIdentity;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Requests about names in folders: finding, making, renaming and removing. Each method answers one request and returns the
 * bytes of the answer's body or a negative error number.
 *
 * <p>What is made belongs to the guest's user where the process is root, and to the process's own user else. That it may
 * be made was checked by the guest's kernel, which mounts this kind of file system with {@code default_permissions}.
 */
final class NameOperations {
    /** What a guest may make: its sockets and pipes mean nothing to the host; device files would. */
    private static final long WHITEOUT = 0;

    private final FsExport export;
    private final Places places;
    private final boolean root;

    NameOperations(FsExport export) {
        this.export = export;
        places = new Places(export.inodes());
        root = export.isRoot();
    }

    int lookup(FsThread thread) {
        int length = thread.nameBytes(0);
        if (length < 0) {
            return -Errno.EINVAL;
        }
        Inode folder = export.pin(thread, thread.nodeId());
        if (folder == null) {
            return thread.missing;
        }
        try {
            return find(thread, folder, 0, length, true);
        } finally {
            folder.letGo();
        }
    }

    /** Finds the entry of a folder by a name of the request that was checked, and writes what LOOKUP answers. */
    private int find(FsThread thread, Inode folder, int nameOffset, int nameBytes, boolean mayBeKnown) {
        long at = (long) Fuse.InHeader.BYTES + nameOffset;
        return find(thread, folder, folder.raw(), thread.in, at, nameBytes, mayBeKnown, 0);
    }

    /**
     * Finds the entry of a folder and counts the lookup.
     *
     * @param folderRaw a descriptor of the folder
     * @param holder has a name that was checked, with a NUL behind it, at {@code nameAt}
     * @param mayBeKnown whether it is worthwhile to look first whether the guest knows the file
     * @param offset in the body, where its {@code struct fuse_entry_out} is written
     */
    int find(
            FsThread thread,
            Inode folder,
            int folderRaw,
            MemorySegment holder,
            long nameAt,
            int nameBytes,
            boolean mayBeKnown,
            int offset) {
        long name = holder.address() + nameAt;
        if (mayBeKnown) {
            int error = FolderIo.statx(
                    folderRaw,
                    name,
                    FolderIo.AT_SYMLINK_NOFOLLOW | FolderIo.AT_NO_AUTOMOUNT,
                    FolderIo.STATX_BASIC_STATS | FolderIo.STATX_BTIME,
                    thread.statx.address());
            if (error < 0) {
                return error;
            }
            boolean mounted =
                    (thread.statusLong(FolderIo.STATX_OFFSET_ATTRIBUTES) & FolderIo.STATX_ATTR_MOUNT_ROOT) != 0;
            long id = mounted ? 0 : export.inodes().again(thread, folder, holder, nameAt, nameBytes);
            if (id > 0) {
                return export.attributes().entry(thread, offset, id);
            }
        }
        int raw = FolderIo.openat2(folderRaw, name, FileIo.O_PATH | FileIo.O_NOFOLLOW, 0, FsExport.ONE_NAME);
        return raw < 0 ? raw : enter(thread, raw, folder, holder, nameAt, nameBytes, offset);
    }

    /** Takes a file in whose O_PATH descriptor is given away, and writes its entry. */
    private int enter(
            FsThread thread, int raw, Inode folder, MemorySegment holder, long nameAt, int nameBytes, int offset) {
        int error = thread.status(raw);
        if (error < 0) {
            FileIo.close(raw);
            return error;
        }
        long id = export.inodes().remember(thread, raw, folder, holder, nameAt, nameBytes);
        if (id < 0) {
            export.tellFull("files (max-inodes=%d)".formatted(export.settings().maxInodes()));
            return (int) id;
        }
        return export.attributes().entry(thread, offset, id);
    }

    // ---- making ----

    /** Becomes the guest's user for what is made next; {@link #self} has to follow whatever this returns. */
    private int guest(FsThread thread, int umask) {
        int error = thread.umask(umask);
        int uid = export.settings().users().toHost(thread.uid());
        int gid = export.settings().groups().toHost(thread.gid());
        if (error < 0 || !root) {
            return error;
        }
        if (uid == IdMap.NONE || gid == IdMap.NONE) {
            return -Errno.EPERM;
        }
        ThreadIdentity.fileGroup(gid);
        if (uid != 0) {
            ThreadIdentity.fileUser(uid);
            // The guest's kernel knows all groups of the process that asks, which are not known here.
            int _ = ThreadIdentity.capability(ThreadIdentity.CAP_DAC_OVERRIDE, true);
        }
        return 0;
    }

    private void self() {
        if (root) {
            ThreadIdentity.fileUser(0);
            ThreadIdentity.fileGroup(0);
        }
    }

    int makeNode(FsThread thread) {
        if (!thread.has(FuseName.MknodIn.BYTES) || thread.nameBytes(FuseName.MknodIn.BYTES) < 0) {
            return -Errno.EINVAL;
        }
        int mode = thread.argument(FuseName.MknodIn.MODE);
        int device = thread.argument(FuseName.MknodIn.RDEV);
        int type = mode & FolderIo.S_IFMT;
        boolean deviceFile = type == FolderIo.S_IFBLK || (type == FolderIo.S_IFCHR && device != WHITEOUT);
        if (deviceFile) {
            return -Errno.EPERM;
        }
        if (type == FolderIo.S_IFDIR || type == FolderIo.S_IFLNK) {
            return -Errno.EINVAL;
        }
        return make(thread, FuseOpcode.MKNOD, FuseName.MknodIn.BYTES, mode, FuseName.MknodIn.UMASK);
    }

    int makeFolder(FsThread thread) {
        if (!thread.has(FuseName.MkdirIn.BYTES) || thread.nameBytes(FuseName.MkdirIn.BYTES) < 0) {
            return -Errno.EINVAL;
        }
        int mode = thread.argument(FuseName.MkdirIn.MODE);
        return make(thread, FuseOpcode.MKDIR, FuseName.MkdirIn.BYTES, mode, FuseName.MkdirIn.UMASK);
    }

    int makeLink(FsThread thread) {
        int length = thread.nameBytes(0);
        int target = length < 0 ? -1 : thread.textBytes(length + 1);
        if (target < 1) {
            return length < 0 ? -Errno.EINVAL : -Errno.ENOENT;
        }
        return make(thread, FuseOpcode.SYMLINK, 0, length, -1);
    }

    private int make(FsThread thread, int opcode, int nameOffset, int modeOrLength, int umaskOffset) {
        Inode folder = export.pin(thread, thread.nodeId());
        if (folder == null) {
            return thread.missing;
        }
        try {
            long name = thread.address(nameOffset);
            int error = guest(thread, umaskOffset < 0 ? 0 : thread.argument(umaskOffset));
            try {
                if (error == 0) {
                    error = switch (opcode) {
                        case FuseOpcode.MKNOD -> FolderIo.mknodat(folder.raw(), name, modeOrLength, WHITEOUT);
                        case FuseOpcode.MKDIR -> FolderIo.mkdirat(folder.raw(), name, modeOrLength & 07777);
                        default -> FolderIo.symlinkat(thread.address(modeOrLength + 1), folder.raw(), name);
                    };
                }
            } finally {
                self();
            }
            return error < 0 ? error : find(thread, folder, nameOffset, thread.nameBytes(nameOffset), false);
        } finally {
            folder.letGo();
        }
    }

    int create(FsThread thread) {
        if (!thread.has(FuseName.CreateIn.BYTES) || thread.nameBytes(FuseName.CreateIn.BYTES) < 0) {
            return -Errno.EINVAL;
        }
        Inode folder = export.pin(thread, thread.nodeId());
        if (folder == null) {
            return thread.missing;
        }
        try {
            int asked = thread.argument(FuseName.CreateIn.FLAGS);
            int flags = FileOperations.flags(export, asked);
            long name = thread.address(FuseName.CreateIn.BYTES);
            int mode = thread.argument(FuseName.CreateIn.MODE) & 07777;
            int raw = guest(thread, thread.argument(FuseName.CreateIn.UMASK));
            try {
                if (raw == 0) {
                    int exactly = flags | FileIo.O_CREAT | FileIo.O_EXCL | FileIo.O_NOFOLLOW;
                    raw = FolderIo.openat2(folder.raw(), name, exactly, mode, FsExport.ONE_NAME);
                }
            } finally {
                self();
            }
            if (raw == -Errno.EEXIST && (asked & FileIo.O_EXCL) == 0) {
                return openExisting(thread, folder, flags);
            }
            return raw < 0 ? raw : created(thread, raw, folder, flags);
        } finally {
            folder.letGo();
        }
    }

    /** Takes in a file that was just made and opened, which may have lost its name meanwhile. */
    private int created(FsThread thread, int raw, Inode folder, int flags) {
        int path = FolderIo.open(thread.path(raw), FileIo.O_PATH);
        long nameAt = (long) Fuse.InHeader.BYTES + FuseName.CreateIn.BYTES;
        int entry = path < 0
                ? path
                : enter(thread, path, folder, thread.in, nameAt, thread.nameBytes(FuseName.CreateIn.BYTES), 0);
        if (entry < 0) {
            FileIo.close(raw);
            return entry;
        }
        return opened(thread, raw, flags);
    }

    private int openExisting(FsThread thread, Inode folder, int flags) {
        int entry = find(thread, folder, FuseName.CreateIn.BYTES, thread.nameBytes(FuseName.CreateIn.BYTES), true);
        if (entry < 0) {
            return entry;
        }
        long id = entryId(thread);
        Inode inode = export.pin(thread, id);
        int raw = inode == null ? thread.missing : FileOperations.open(thread, inode, flags);
        if (inode != null) {
            inode.letGo();
        }
        if (raw < 0) {
            export.inodes().forget(id, 1);
            return raw;
        }
        return opened(thread, raw, flags);
    }

    private static long entryId(FsThread thread) {
        return thread.out.get(FsThread.LE_LONG, Fuse.OutHeader.BYTES + FuseAttribute.EntryOut.NODEID);
    }

    /** Gives an open file a number and ends the answer whose first half is the file's entry. */
    private int opened(FsThread thread, int raw, int flags) {
        long id = entryId(thread);
        Inode inode = export.inodes().hold(id);
        long handle = -Errno.ESTALE;
        if (inode == null) {
            FileIo.close(raw);
        } else {
            handle = export.opened(raw, inode, flags);
            inode.release();
        }
        if (handle < 0) {
            export.inodes().forget(id, 1);
            return (int) handle;
        }
        return FuseAttribute.EntryOut.BYTES
                + FileOperations.openAnswer(export, thread, FuseAttribute.EntryOut.BYTES, handle);
    }

    /** Another name for a file. */
    int link(FsThread thread) {
        if (!thread.has(FuseName.LinkIn.BYTES) || thread.nameBytes(FuseName.LinkIn.BYTES) < 0) {
            return -Errno.EINVAL;
        }
        Inode folder = export.pin(thread, thread.nodeId());
        if (folder == null) {
            return thread.missing;
        }
        Inode old = export.pin(thread, thread.longArgument(FuseName.LinkIn.OLDNODEID));
        try {
            if (old == null) {
                return thread.missing;
            }
            long name = thread.address(FuseName.LinkIn.BYTES);
            int error = FolderIo.linkat(
                    FolderIo.AT_FDCWD, thread.path(old.raw()), folder.raw(), name, FolderIo.AT_SYMLINK_FOLLOW);
            return error < 0
                    ? error
                    : find(thread, folder, FuseName.LinkIn.BYTES, thread.nameBytes(FuseName.LinkIn.BYTES), true);
        } finally {
            folder.letGo();
            letGo(old);
        }
    }

    private static void letGo(@Nullable Inode inode) {
        if (inode != null) {
            inode.letGo();
        }
    }

    // ---- renaming and removing ----

    /** @param newer whether it is RENAME2, which has flags */
    int rename(FsThread thread, boolean newer) {
        int arguments = newer ? FuseName.Rename2In.BYTES : FuseName.RenameIn.BYTES;
        int oldBytes = thread.has(arguments) ? thread.nameBytes(arguments) : -1;
        int newOffset = arguments + oldBytes + 1;
        if (oldBytes < 0 || thread.nameBytes(newOffset) < 0) {
            return -Errno.EINVAL;
        }
        int flags = newer ? thread.argument(FuseName.Rename2In.FLAGS) : 0;
        if ((flags & ~(FolderIo.RENAME_NOREPLACE | FolderIo.RENAME_EXCHANGE)) != 0) {
            return -Errno.EINVAL;
        }
        Inode from = export.pin(thread, thread.nodeId());
        if (from == null) {
            return thread.missing;
        }
        Inode to = export.pin(thread, thread.longArgument(FuseName.RenameIn.NEWDIR));
        try {
            return to == null ? thread.missing : rename(thread, from, arguments, to, newOffset, flags);
        } finally {
            from.letGo();
            letGo(to);
        }
    }

    private int rename(FsThread thread, Inode from, int oldOffset, Inode to, int newOffset, int flags) {
        if (flags != FolderIo.RENAME_NOREPLACE) {
            places.leaving(thread, to, newOffset);
        }
        int error =
                FolderIo.renameat2(from.raw(), thread.address(oldOffset), to.raw(), thread.address(newOffset), flags);
        if (error == 0) {
            places.moved(thread, to, newOffset);
            if ((flags & FolderIo.RENAME_EXCHANGE) != 0) {
                places.moved(thread, from, oldOffset);
            }
        }
        return error;
    }

    int remove(FsThread thread, int flags) {
        if (thread.nameBytes(0) < 0) {
            return -Errno.EINVAL;
        }
        Inode folder = export.pin(thread, thread.nodeId());
        if (folder == null) {
            return thread.missing;
        }
        try {
            places.leaving(thread, folder, 0);
            return FolderIo.unlinkat(folder.raw(), thread.address(0), flags);
        } finally {
            folder.letGo();
        }
    }
}
