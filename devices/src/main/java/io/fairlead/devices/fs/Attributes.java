package io.fairlead.devices.fs;

import io.fairlead.linux.FolderIo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Writes what the host says of a file as the guest reads it. Immutable; allocates nothing. */
record Attributes(IdMap users, IdMap groups, long validNanos) {
    private static final int SECOND_NANOS = 1_000_000_000;
    private static final int TIME_NANOS = 8;

    long validSeconds() {
        return validNanos / SECOND_NANOS;
    }

    int validRestNanos() {
        return (int) (validNanos % SECOND_NANOS);
    }

    /** Writes {@code struct fuse_entry_out} into the body, from the thread's status. */
    int entry(FsThread thread, int offset, long nodeId) {
        thread.putLong(offset + Fuse.EntryOut.NODEID, nodeId);
        // A number is never given to another file, so that the generation has nothing to tell apart.
        thread.putLong(offset + Fuse.EntryOut.GENERATION, 0);
        thread.putLong(offset + Fuse.EntryOut.ENTRY_VALID, validSeconds());
        thread.putLong(offset + Fuse.EntryOut.ATTR_VALID, validSeconds());
        thread.putInt(offset + Fuse.EntryOut.ENTRY_VALID_NSEC, validRestNanos());
        thread.putInt(offset + Fuse.EntryOut.ATTR_VALID_NSEC, validRestNanos());
        attributes(thread, offset + Fuse.EntryOut.ATTR);
        return Fuse.EntryOut.BYTES;
    }

    /** Writes {@code struct fuse_attr_out}. */
    int answer(FsThread thread) {
        thread.putLong(Fuse.AttrOut.ATTR_VALID, validSeconds());
        thread.putLong(Fuse.AttrOut.ATTR_VALID_NSEC, validRestNanos());
        attributes(thread, Fuse.AttrOut.ATTR);
        return Fuse.AttrOut.BYTES;
    }

    /** Writes {@code struct fuse_attr}. */
    private void attributes(FsThread thread, int at) {
        thread.putLong(at + Fuse.Attr.INO, thread.statusLong(FolderIo.STATX_OFFSET_INO));
        thread.putLong(at + Fuse.Attr.SIZE, thread.statusLong(FolderIo.STATX_OFFSET_SIZE));
        thread.putLong(at + Fuse.Attr.BLOCKS, thread.statusLong(FolderIo.STATX_OFFSET_BLOCKS));
        time(thread, at + Fuse.Attr.ATIME, at + Fuse.Attr.ATIMENSEC, FolderIo.STATX_OFFSET_ATIME);
        time(thread, at + Fuse.Attr.MTIME, at + Fuse.Attr.MTIMENSEC, FolderIo.STATX_OFFSET_MTIME);
        time(thread, at + Fuse.Attr.CTIME, at + Fuse.Attr.CTIMENSEC, FolderIo.STATX_OFFSET_CTIME);
        thread.putInt(at + Fuse.Attr.MODE, thread.statusMode());
        thread.putInt(at + Fuse.Attr.NLINK, thread.statusInt(FolderIo.STATX_OFFSET_NLINK));
        thread.putInt(at + Fuse.Attr.UID, users.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_UID)));
        thread.putInt(at + Fuse.Attr.GID, groups.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_GID)));
        int major = thread.statusInt(FolderIo.STATX_OFFSET_RDEV_MAJOR);
        int minor = thread.statusInt(FolderIo.STATX_OFFSET_RDEV_MINOR);
        thread.putInt(at + Fuse.Attr.RDEV, (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12));
        thread.putInt(at + Fuse.Attr.BLKSIZE, thread.statusInt(FolderIo.STATX_OFFSET_BLKSIZE));
        thread.putInt(at + Fuse.Attr.FLAGS, 0);
    }

    private static void time(FsThread thread, int seconds, int nanos, int offset) {
        thread.putLong(seconds, thread.statusLong(offset));
        thread.putInt(nanos, thread.statusInt(offset + TIME_NANOS));
    }

    /** Writes {@code struct fuse_statx_out}, whose second half is the host's but for the owner. */
    int extendedAnswer(FsThread thread) {
        thread.clear(0, Fuse.StatxOut.BYTES);
        thread.putLong(Fuse.StatxOut.ATTR_VALID, validSeconds());
        thread.putInt(Fuse.StatxOut.ATTR_VALID_NSEC, validRestNanos());
        MemorySegment statx = thread.statx;
        for (int at = 0; at < Fuse.StatxOut.STAT_KNOWN_BYTES; at += Long.BYTES) {
            thread.putLong(Fuse.StatxOut.STAT + at, statx.get(ValueLayout.JAVA_LONG, at));
        }
        int base = Fuse.StatxOut.STAT;
        thread.putInt(base + FolderIo.STATX_OFFSET_UID, users.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_UID)));
        thread.putInt(base + FolderIo.STATX_OFFSET_GID, groups.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_GID)));
        return Fuse.StatxOut.BYTES;
    }
}
