package io.fairlead.devices.fs;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FolderIo;

/** A file that the guest knows, held by an O_PATH descriptor: the same file whatever becomes of its names. */
final class Inode extends Counted {
    private final FileKey key;
    private final int type;
    private final FileLocks locks = new FileLocks(this);

    /** How often the guest was given it and has not forgotten. Under the table's lock. */
    long lookups;

    /** @param type the bits of {@link FolderIo#S_IFMT}, which no file ever changes */
    Inode(long id, Fd fd, FileKey key, int type) {
        super(id, fd);
        this.key = key;
        this.type = type & FolderIo.S_IFMT;
    }

    FileKey key() {
        return key;
    }

    int type() {
        return type;
    }

    boolean isRegular() {
        return type == FolderIo.S_IFREG;
    }

    boolean isFolder() {
        return type == FolderIo.S_IFDIR;
    }

    /** The locks on ranges that the guest's processes hold. */
    FileLocks locks() {
        return locks;
    }

    @Override
    void ended() {
        locks.close();
    }
}
