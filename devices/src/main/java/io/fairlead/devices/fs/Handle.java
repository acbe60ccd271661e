package io.fairlead.devices.fs;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;

/** A file or folder that the guest has open. Holds its inode. */
final class Handle extends Counted {
    private final Inode inode;
    private final Fd fd;
    private final boolean pinned;
    private final int flags;

    /** Where a folder's descriptor stands, or -1 where that is not known. Under this object's lock. */
    long folderPosition;

    /** The lock on the whole file that it has: {@code LOCK_SH}, {@code LOCK_EX} or {@code LOCK_UN}. Under its lock. */
    int wholeLock = FileIo.LOCK_UN;

    /** A lock that came with the machine and another process still holds at the host. Under its lock. */
    boolean wholeLockDue;

    /**
     * @param fd the handle's from now on
     * @param inode held for the handle
     * @param pinned whether the inode's descriptor was pinned for the handle
     * @param flags that it was opened with
     */
    Handle(long id, Fd fd, Inode inode, boolean pinned, int flags) {
        super(id);
        this.inode = inode;
        this.fd = fd;
        this.pinned = pinned;
        this.flags = flags;
    }

    Inode inode() {
        return inode;
    }

    /** The descriptor's number, valid for whoever holds this. */
    int raw() {
        return fd.raw();
    }

    int flags() {
        return flags;
    }

    boolean isFolder() {
        return inode.isFolder();
    }

    boolean isWritable() {
        return (flags & (FileIo.O_WRONLY | FileIo.O_RDWR)) != 0;
    }

    @Override
    void ended() {
        fd.close();
        if (pinned) {
            inode.unpin();
        }
        inode.release();
    }
}
