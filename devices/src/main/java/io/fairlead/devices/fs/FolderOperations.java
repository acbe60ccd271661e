package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Requests about open folders. Each method answers one request and returns the bytes of the answer's body or a negative
 * error number. Where the guest stands in a folder it says itself each time, as the host counts.
 */
final class FolderOperations {
    /** Room for an entry with the longest name. */
    private static final int MIN_READ_BYTES = 512;

    private final FsExport export;
    private final NameOperations names;

    FolderOperations(FsExport export, NameOperations names) {
        this.export = export;
        this.names = names;
    }

    int open(FsThread thread) {
        if (!thread.has(FuseFile.OpenIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Inode inode = export.pin(thread, thread.nodeId());
        if (inode == null) {
            return thread.missing;
        }
        try {
            int raw = open(thread, inode);
            long handle = raw < 0 ? raw : export.opened(raw, inode, FileIo.O_DIRECTORY);
            if (handle < 0) {
                return (int) handle;
            }
            thread.putLong(FuseFile.OpenOut.FH, handle);
            boolean keeps = export.settings().cache() == FsSettings.Cache.ALWAYS;
            thread.putLong(
                    FuseFile.OpenOut.OPEN_FLAGS, keeps ? FuseFlag.FOPEN_CACHE_DIR | FuseFlag.FOPEN_KEEP_CACHE : 0);
            return FuseFile.OpenOut.BYTES;
        } finally {
            inode.letGo();
        }
    }

    /** Opens a folder again from the descriptor that holds it. */
    static int open(FsThread thread, Inode inode) {
        return inode.isFolder()
                ? FolderIo.open(thread.path(inode.raw()), FileIo.O_RDONLY | FileIo.O_DIRECTORY)
                : -Errno.ENOTDIR;
    }

    /** @param plus with each entry's attributes, as if it had been looked up */
    int read(FsThread thread, boolean plus) {
        if (!thread.has(FuseFile.ReadIn.BYTES)) {
            return -Errno.EINVAL;
        }
        Handle handle = export.handle(thread.longArgument(FuseFile.ReadIn.FH), true);
        if (handle == null) {
            return -Errno.EBADF;
        }
        try {
            int asked = thread.argument(FuseFile.ReadIn.SIZE);
            int room = asked < 0 ? thread.outRoom : Math.min(asked, thread.outRoom);
            long position = thread.longArgument(FuseFile.ReadIn.OFFSET);
            synchronized (handle) {
                return read(thread, handle, position, room, plus);
            }
        } finally {
            handle.release();
        }
    }

    private int read(FsThread thread, Handle handle, long position, int room, boolean plus) {
        if (handle.folderPosition != position) {
            long error = FileIo.lseek(handle.raw(), position, FileIo.SEEK_SET);
            handle.folderPosition = -1;
            if (error < 0) {
                return (int) error;
            }
        }
        handle.folderPosition = -1;
        MemorySegment entries = thread.entries;
        // An entry takes no less room for the guest than it does here, so that most of what is read fits.
        long most = Math.min(entries.byteSize(), Math.max(plus ? room / 5 : room, MIN_READ_BYTES));
        long count = FolderIo.getdents64(handle.raw(), entries.address(), most);
        if (count <= 0) {
            return (int) count;
        }
        int used = 0;
        long at = 0;
        while (at < count) {
            int size = Short.toUnsignedInt(
                    entries.get(ValueLayout.JAVA_SHORT_UNALIGNED, at + FolderIo.DIRENT_OFFSET_RECLEN));
            int needed = entry(thread, handle, at, used, room, plus);
            if (needed < 0) {
                break;
            }
            used += needed;
            handle.folderPosition = entries.get(ValueLayout.JAVA_LONG_UNALIGNED, at + FolderIo.DIRENT_OFFSET_OFF);
            at += size;
        }
        if (at < count) {
            // The rest did not fit: the descriptor stands behind it.
            handle.folderPosition = -1;
        }
        return used == 0 ? -Errno.EINVAL : used;
    }

    /** Writes one entry; its bytes, or -1 where there is no room. */
    private int entry(FsThread thread, Handle handle, long at, int used, int room, boolean plus) {
        MemorySegment entries = thread.entries;
        long name = at + FolderIo.DIRENT_OFFSET_NAME;
        int length = 0;
        while (entries.get(ValueLayout.JAVA_BYTE, name + length) != 0) {
            length++;
        }
        int head = plus ? FuseAttribute.EntryOut.BYTES : 0;
        int bytes = head + ((FuseName.Dirent.BYTES + length + 7) & ~7);
        if (bytes > room - used) {
            return -1;
        }
        thread.clear(used, bytes);
        boolean dots = isDots(entries, name, length);
        long inode = entries.get(ValueLayout.JAVA_LONG_UNALIGNED, at + FolderIo.DIRENT_OFFSET_INO);
        if (plus && !dots && !find(thread, handle, name, length, inode, used)) {
            // It went meanwhile, or cannot be reached: its name alone.
            thread.clear(used, head);
        }
        int to = used + head;
        // What is above the root is not for the guest to know.
        boolean above = dots && length == 2 && handle.inode() == export.inodes().root();
        thread.putLong(to + FuseName.Dirent.INO, above ? handle.inode().key().inode() : inode);
        thread.putLong(
                to + FuseName.Dirent.OFF,
                entries.get(ValueLayout.JAVA_LONG_UNALIGNED, at + FolderIo.DIRENT_OFFSET_OFF));
        thread.putInt(to + FuseName.Dirent.NAMELEN, length);
        thread.putInt(to + FuseName.Dirent.TYPE, entries.get(ValueLayout.JAVA_BYTE, at + FolderIo.DIRENT_OFFSET_TYPE));
        MemorySegment.copy(entries, name, thread.out, Fuse.OutHeader.BYTES + to + FuseName.Dirent.BYTES, length);
        return bytes;
    }

    private boolean find(FsThread thread, Handle handle, long name, int length, long number, int offset) {
        Inode folder = handle.inode();
        boolean known = export.inodes().knows(new FileKey(folder.key().device(), number));
        return names.find(thread, folder, handle.raw(), thread.entries, name, length, known, offset) >= 0;
    }

    private static boolean isDots(MemorySegment entries, long name, int length) {
        return length <= 2
                && entries.get(ValueLayout.JAVA_BYTE, name) == '.'
                && (length == 1 || entries.get(ValueLayout.JAVA_BYTE, name + 1) == '.');
    }
}
