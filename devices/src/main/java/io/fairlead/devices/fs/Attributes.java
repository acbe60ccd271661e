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
        thread.putLong(offset + FuseAttribute.EntryOut.NODEID, nodeId);
        // A number is never given to another file, so that the generation has nothing to tell apart.
        thread.putLong(offset + FuseAttribute.EntryOut.GENERATION, 0);
        thread.putLong(offset + FuseAttribute.EntryOut.ENTRY_VALID, validSeconds());
        thread.putLong(offset + FuseAttribute.EntryOut.ATTR_VALID, validSeconds());
        thread.putInt(offset + FuseAttribute.EntryOut.ENTRY_VALID_NSEC, validRestNanos());
        thread.putInt(offset + FuseAttribute.EntryOut.ATTR_VALID_NSEC, validRestNanos());
        attributes(thread, offset + FuseAttribute.EntryOut.ATTR);
        return FuseAttribute.EntryOut.BYTES;
    }

    /** Writes {@code struct fuse_attr_out}. */
    int answer(FsThread thread) {
        thread.putLong(FuseAttribute.AttrOut.ATTR_VALID, validSeconds());
        thread.putLong(FuseAttribute.AttrOut.ATTR_VALID_NSEC, validRestNanos());
        attributes(thread, FuseAttribute.AttrOut.ATTR);
        return FuseAttribute.AttrOut.BYTES;
    }

    /** Writes {@code struct fuse_attr}. */
    private void attributes(FsThread thread, int at) {
        thread.putLong(at + FuseAttribute.Attr.INO, thread.statusLong(FolderIo.STATX_OFFSET_INO));
        thread.putLong(at + FuseAttribute.Attr.SIZE, thread.statusLong(FolderIo.STATX_OFFSET_SIZE));
        thread.putLong(at + FuseAttribute.Attr.BLOCKS, thread.statusLong(FolderIo.STATX_OFFSET_BLOCKS));
        time(thread, at + FuseAttribute.Attr.ATIME, at + FuseAttribute.Attr.ATIMENSEC, FolderIo.STATX_OFFSET_ATIME);
        time(thread, at + FuseAttribute.Attr.MTIME, at + FuseAttribute.Attr.MTIMENSEC, FolderIo.STATX_OFFSET_MTIME);
        time(thread, at + FuseAttribute.Attr.CTIME, at + FuseAttribute.Attr.CTIMENSEC, FolderIo.STATX_OFFSET_CTIME);
        thread.putInt(at + FuseAttribute.Attr.MODE, thread.statusMode());
        thread.putInt(at + FuseAttribute.Attr.NLINK, thread.statusInt(FolderIo.STATX_OFFSET_NLINK));
        thread.putInt(at + FuseAttribute.Attr.UID, users.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_UID)));
        thread.putInt(at + FuseAttribute.Attr.GID, groups.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_GID)));
        int major = thread.statusInt(FolderIo.STATX_OFFSET_RDEV_MAJOR);
        int minor = thread.statusInt(FolderIo.STATX_OFFSET_RDEV_MINOR);
        thread.putInt(at + FuseAttribute.Attr.RDEV, (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12));
        thread.putInt(at + FuseAttribute.Attr.BLKSIZE, thread.statusInt(FolderIo.STATX_OFFSET_BLKSIZE));
        thread.putInt(at + FuseAttribute.Attr.FLAGS, 0);
    }

    private static void time(FsThread thread, int seconds, int nanos, int offset) {
        thread.putLong(seconds, thread.statusLong(offset));
        thread.putInt(nanos, thread.statusInt(offset + TIME_NANOS));
    }

    /** Writes {@code struct fuse_statx_out}, whose second half is the host's but for the owner. */
    int extendedAnswer(FsThread thread) {
        thread.clear(0, FuseAttribute.StatxOut.BYTES);
        thread.putLong(FuseAttribute.StatxOut.ATTR_VALID, validSeconds());
        thread.putInt(FuseAttribute.StatxOut.ATTR_VALID_NSEC, validRestNanos());
        MemorySegment statx = thread.statx;
        for (int at = 0; at < FuseAttribute.StatxOut.STAT_KNOWN_BYTES; at += Long.BYTES) {
            thread.putLong(FuseAttribute.StatxOut.STAT + at, statx.get(ValueLayout.JAVA_LONG, at));
        }
        int base = FuseAttribute.StatxOut.STAT;
        thread.putInt(base + FolderIo.STATX_OFFSET_UID, users.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_UID)));
        thread.putInt(base + FolderIo.STATX_OFFSET_GID, groups.toGuest(thread.statusInt(FolderIo.STATX_OFFSET_GID)));
        return FuseAttribute.StatxOut.BYTES;
    }
}
