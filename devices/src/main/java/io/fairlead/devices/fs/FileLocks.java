package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The locks on ranges of one file that processes of the guest hold (POSIX record locks), by owner. Each owner has an open
 * file of its own at the host, whose locks exclude those of the host's processes and of other guests.
 *
 * <p>Locks that came with a moved machine may still be held for it by the device that it came from: they count within this
 * device at once and are taken at the host as soon as they are free there.
 *
 * <p>Thread-safe.
 */
final class FileLocks {
    /** The most ranges of one file. */
    static final int MAX_RANGES = 4096;

    /** A lock.
     *
     * @param end last byte; {@link Long#MAX_VALUE} for all that follows
     * @param type {@code F_RDLCK} or {@code F_WRLCK}
     * @param pid of the owner, as the guest has it
     */
    record Range(long owner, long start, long end, short type, int pid) {
        boolean overlaps(long from, long to) {
            return start <= to && from <= end;
        }

        Range within(long from, long to) {
            return new Range(owner, from, to, type, pid);
        }

        static long byteCount(long from, long to) {
            return to == Long.MAX_VALUE ? 0 : to - from + 1;
        }
    }

    private final Inode inode;
    private final List<Range> ranges = new ArrayList<>(0);
    private final Map<Long, Fd> owners = new HashMap<>(0);

    /** Owners whose locks the host does not know yet. */
    private final List<Long> due = new ArrayList<>(0);

    FileLocks(Inode inode) {
        this.inode = inode;
    }

    /** A lock of the guest's own that another would conflict with; null where there is none. */
    synchronized @Nullable Range conflict(long owner, short type, long start, long end) {
        for (Range range : ranges) {
            if (range.owner != owner
                    && range.overlaps(start, end)
                    && (type == FileIo.F_WRLCK || range.type == FileIo.F_WRLCK)) {
                return range;
            }
        }
        return null;
    }

    /**
     * Looks for a lock of somebody outside.
     *
     * @param found as {@link FileIo#getLock} gives it
     */
    synchronized int outside(FsThread thread, long owner, short type, long start, long end, long[] found) {
        int raw = descriptor(thread, owner);
        int result = raw < 0 ? raw : FileIo.getLock(raw, type, start, Range.byteCount(start, end), found);
        closeIfIdle(owner);
        return result;
    }

    /** Sets or takes away a lock: 0, -EAGAIN where it conflicts, or another negative error number. */
    synchronized int set(FsThread thread, Range wanted) {
        if (wanted.type != FileIo.F_UNLCK && conflict(wanted.owner, wanted.type, wanted.start, wanted.end) != null) {
            return -Errno.EAGAIN;
        }
        if (ranges.size() >= MAX_RANGES && wanted.type != FileIo.F_UNLCK) {
            return -Errno.ENOLCK;
        }
        if (wanted.type == FileIo.F_UNLCK && !owners.containsKey(wanted.owner)) {
            return 0;
        }
        int raw = descriptor(thread, wanted.owner);
        int result = raw < 0
                ? raw
                : FileIo.setLock(raw, wanted.type, wanted.start, Range.byteCount(wanted.start, wanted.end));
        if (result == 0) {
            note(wanted);
        }
        closeIfIdle(wanted.owner);
        return result == -Errno.EACCES ? -Errno.EAGAIN : result;
    }

    private void note(Range wanted) {
        List<Range> rests = new ArrayList<>();
        long start = wanted.start;
        long end = wanted.end;
        for (int i = ranges.size() - 1; i >= 0; i--) {
            Range range = ranges.get(i);
            if (range.owner != wanted.owner) {
                continue;
            }
            boolean touches = range.overlaps(start == 0 ? 0 : start - 1, end == Long.MAX_VALUE ? end : end + 1);
            if (range.type == wanted.type && touches) {
                start = Math.min(start, range.start);
                end = Math.max(end, range.end);
                ranges.remove(i);
            } else if (range.overlaps(wanted.start, wanted.end)) {
                ranges.remove(i);
                if (range.start < wanted.start) {
                    rests.add(range.within(range.start, wanted.start - 1));
                }
                if (range.end > wanted.end) {
                    rests.add(range.within(wanted.end + 1, range.end));
                }
            }
        }
        ranges.addAll(rests);
        if (wanted.type != FileIo.F_UNLCK) {
            ranges.add(wanted.within(start, end));
        }
    }

    /** The owner's open file; made where there is none. */
    private int descriptor(FsThread thread, long owner) {
        Fd known = owners.get(owner);
        if (known != null) {
            return known.raw();
        }
        int held = inode.pin(thread);
        if (held < 0) {
            return held;
        }
        int raw = FolderIo.open(thread.path(held), FileIo.O_RDWR);
        if (raw < 0) {
            raw = FolderIo.open(thread.path(held), FileIo.O_RDONLY);
        }
        inode.unpin();
        if (raw >= 0) {
            owners.put(owner, Fd.adopt(raw, "locks of a process of the guest's"));
        }
        return raw;
    }

    private void closeIfIdle(long owner) {
        for (Range range : ranges) {
            if (range.owner == owner) {
                return;
            }
        }
        Fd fd = owners.remove(owner);
        if (fd != null) {
            fd.close();
        }
        due.remove(owner);
    }

    /** An owner loses all of its locks; false where it had none. */
    synchronized boolean drop(long owner) {
        boolean had = ranges.removeIf(range -> range.owner == owner);
        closeIfIdle(owner);
        return had;
    }

    synchronized void close() {
        ranges.clear();
        owners.values().forEach(Fd::close);
        owners.clear();
        due.clear();
    }

    // ---- moving ----

    synchronized List<Range> ranges() {
        return List.copyOf(ranges);
    }

    /**
     * Takes a lock over that another device holds for the same guest; {@link #takeDue} has it known to the host.
     *
     * @return false where there are too many
     */
    synchronized boolean restore(Range other) {
        if (ranges.size() >= MAX_RANGES) {
            return false;
        }
        ranges.add(other);
        if (!due.contains(other.owner)) {
            due.add(other.owner);
        }
        return true;
    }

    /**
     * Tries to take at the host what came with the guest.
     *
     * @return whether nothing is due any more
     */
    synchronized boolean takeDue(FsThread thread) {
        due.removeIf(owner -> takeAll(thread, owner));
        return due.isEmpty();
    }

    private boolean takeAll(FsThread thread, long owner) {
        int raw = descriptor(thread, owner);
        for (Range range : ranges) {
            if (range.owner == owner
                    && (raw < 0
                            || FileIo.setLock(raw, range.type, range.start, Range.byteCount(range.start, range.end))
                                    < 0)) {
                return false;
            }
        }
        return true;
    }
}
