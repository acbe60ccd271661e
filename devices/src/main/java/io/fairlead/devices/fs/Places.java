package io.fairlead.devices.fs;

import io.fairlead.linux.FolderIo;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Keeps up where files are when the guest renames and removes names, so that those that are not open can be found again.
 * What others do at the host is seen when the guest looks again.
 */
final class Places {
    private final InodeTable inodes;

    Places(InodeTable inodes) {
        this.inodes = inodes;
    }

    /** A file was given a name, one of the request. */
    void moved(FsThread thread, Inode folder, int nameOffset) {
        Inode inode = known(thread, folder, nameOffset);
        if (inode == null) {
            return;
        }
        long at = (long) Fuse.InHeader.BYTES + nameOffset;
        inodes.seen(inode, folder, thread.in, at, thread.nameBytes(nameOffset));
        inode.release();
    }

    /**
     * A name of the request is about to lose its file, by being removed or given to another. Where the file could not be
     * found again it stays open until the guest forgets it.
     */
    void leaving(FsThread thread, Inode folder, int nameOffset) {
        if (inodes.descriptors().byHandle()) {
            return;
        }
        Inode inode = known(thread, folder, nameOffset);
        if (inode == null) {
            return;
        }
        if (inode.pin(thread) >= 0) {
            if (inode.isKept()) {
                inode.unpin();
            } else {
                inode.keep();
            }
        }
        inode.release();
    }

    /** What the guest knows at a name, held. */
    private @Nullable Inode known(FsThread thread, Inode folder, int nameOffset) {
        int error = FolderIo.statx(
                folder.raw(),
                thread.address(nameOffset),
                FolderIo.AT_SYMLINK_NOFOLLOW | FolderIo.AT_NO_AUTOMOUNT,
                FolderIo.STATX_BASIC_STATS | FolderIo.STATX_BTIME,
                thread.check.address());
        MemorySegment statx = thread.check;
        Inode inode = error < 0 ? null : inodes.hold(FileKey.of(statx));
        if (inode != null && !inode.identity().is(statx)) {
            inode.release();
            return null;
        }
        return inode;
    }
}
