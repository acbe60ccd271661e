package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileHandles;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The O_PATH descriptors of files that the guest knows. So many stay open, roughly those that were used last; the others are
 * opened again when they are needed: by the handle, where the host's file system has handles and the process may use them
 * (CAP_DAC_READ_SEARCH), else by the name under which the file was last seen, from the next folder that is open. What is
 * found must be the same file, else the guest gets ESTALE.
 *
 * <p>A handle is only ever one that the host gave for a file that had been found below the root.
 *
 * <p>Thread-safe. Its lock is the last one that is taken.
 */
final class InodeDescriptors {
    /** Folders from the root that a name may be away. */
    private static final int MAX_DEPTH = 4096;

    private static final int FIRST_SIZE = 64;

    private final int capacity;
    private final int mountRaw;
    private final boolean byHandle;

    private Inode[] open = new Inode[FIRST_SIZE];
    private int count;
    private int hand;

    /**
     * @param capacity descriptors that stay open
     * @param mountRaw an open folder of the file system, that stays open as long as this is used
     * @param handles whether handles may be used
     */
    InodeDescriptors(int capacity, int mountRaw, boolean handles) {
        this.capacity = Math.max(1, capacity);
        this.mountRaw = mountRaw;
        byHandle = handles && works(FsThread.current());
    }

    private boolean works(FsThread thread) {
        int raw = FileHandles.nameToHandle(mountRaw, thread.emptyName(), thread.handle) < 0
                ? -1
                : FileHandles.open(mountRaw, thread.handle, FileIo.O_PATH);
        if (raw < 0) {
            return false;
        }
        FileIo.close(raw);
        return true;
    }

    /** Whether files are found again by their handles, whatever became of their names. */
    boolean byHandle() {
        return byHandle;
    }

    /** Descriptors that are open now. */
    synchronized int openCount() {
        return count;
    }

    // ---- which are open ----

    /** Takes in a file that has a descriptor, and closes others for it. */
    synchronized void add(Inode inode) {
        if (count >= capacity) {
            makeRoom(capacity - 1);
        }
        if (count == open.length) {
            open = Arrays.copyOf(open, 2 * count);
        }
        inode.openIndex = count;
        open[count++] = inode;
    }

    private void makeRoom(int most) {
        // Whoever was not used since the last round goes; in the second round nobody was.
        for (int steps = 2 * count; steps > 0 && count > most; steps--) {
            if (hand >= count) {
                hand = 0;
            }
            Inode inode = open[hand];
            if (inode.used) {
                inode.used = false;
                hand++;
            } else if (inode.closeIfUnused()) {
                take(inode);
            } else {
                hand++;
            }
        }
    }

    private void take(Inode inode) {
        int index = inode.openIndex;
        if (index >= 0) {
            Inode last = open[--count];
            open[index] = last;
            last.openIndex = index;
            inode.openIndex = -1;
        }
    }

    /** The file's descriptor is for its owner alone to close. */
    synchronized void remove(Inode inode) {
        take(inode);
    }

    /** Closes what is not used just now, for other descriptors that are needed. */
    synchronized void shrink() {
        makeRoom(count / 2);
    }

    // ---- opening again ----

    /** Opens the descriptor of a file; its number, pinned, or a negative error number. */
    int open(FsThread thread, Inode inode) {
        synchronized (inode) {
            int raw = inode.pinOpen();
            if (raw >= 0) {
                return raw;
            }
            raw = find(thread, inode);
            if (raw == -Errno.EMFILE) {
                shrink();
                raw = find(thread, inode);
            }
            if (raw < 0) {
                return raw;
            }
            inode.opened(Fd.adopt(raw, "a file of the guest's"), 1);
            add(inode);
            return raw;
        }
    }

    private int find(FsThread thread, Inode inode) {
        byte[] handle = inode.handle();
        if (byHandle && handle != null) {
            return checked(thread, findByHandle(thread, handle), inode);
        }
        int raw = findByName(thread, inode);
        if (raw >= 0) {
            inode.handle(handleOf(thread, raw));
        }
        return raw == -Errno.ENOENT || raw == -Errno.ENOTDIR || raw == -Errno.ELOOP || raw == -Errno.EXDEV
                ? -Errno.ESTALE
                : raw;
    }

    /** An O_PATH descriptor of the file with a handle, or a negative error number. */
    int findByHandle(FsThread thread, byte[] handle) {
        if (handle.length > thread.handle.byteSize()) {
            return -Errno.EINVAL;
        }
        MemorySegment.copy(MemorySegment.ofArray(handle), 0, thread.handle, 0, handle.length);
        return FileHandles.open(mountRaw, thread.handle, FileIo.O_PATH);
    }

    /** The handle of a file, for {@link Inode#handle}; null where handles are not used. */
    byte @Nullable [] handleOf(FsThread thread, int raw) {
        return byHandle ? anyHandleOf(thread, raw) : null;
    }

    /** The handle of a file; null where its file system has none. */
    static byte @Nullable [] anyHandleOf(FsThread thread, int raw) {
        if (FileHandles.nameToHandle(raw, thread.emptyName(), thread.handle) < 0) {
            return null;
        }
        int bytes = thread.handle.get(ValueLayout.JAVA_INT, FileHandles.OFFSET_HANDLE_BYTES);
        return thread.handle
                .asSlice(0, FileHandles.OFFSET_F_HANDLE + (long) bytes)
                .toArray(ValueLayout.JAVA_BYTE);
    }

    /**
     * Looks where a file was last seen: an O_PATH descriptor of it, -ESTALE where another file is there, or another
     * negative error number.
     */
    int findByName(FsThread thread, Inode inode) {
        return checked(thread, findPlace(thread, inode), inode);
    }

    /** An O_PATH descriptor of whatever is where a file was last seen, or a negative error number. */
    int findPlace(FsThread thread, Inode inode) {
        List<Inode> way = new ArrayList<>();
        Inode at = inode;
        int start;
        do {
            way.add(at);
            Inode folder = at.place().folder();
            if (folder == null || way.size() > MAX_DEPTH) {
                return -Errno.ESTALE;
            }
            at = folder;
            start = pinIfOpen(at);
        } while (start < 0);
        try {
            int from = start;
            for (int i = way.size() - 1; i >= 0; i--) {
                Inode next = way.get(i);
                long name = thread.terminated(next.place().name());
                int found = name == 0
                        ? -Errno.ENAMETOOLONG
                        : FolderIo.openat2(from, name, FileIo.O_PATH | FileIo.O_NOFOLLOW, 0, FsExport.ONE_NAME);
                if (from != start) {
                    FileIo.close(from);
                }
                from = i == 0 ? found : checked(thread, found, next);
                if (from < 0) {
                    return from;
                }
            }
            return from;
        } finally {
            at.letGo();
        }
    }

    private static int pinIfOpen(Inode inode) {
        if (!inode.hold()) {
            return -Errno.EBADF;
        }
        int raw = inode.pinOpen();
        if (raw < 0) {
            inode.release();
        }
        return raw;
    }

    /** The descriptor where it is of a file; else it is closed and the answer is -ESTALE. */
    private static int checked(FsThread thread, int raw, Inode inode) {
        if (raw < 0) {
            return raw;
        }
        int error = thread.status(raw, thread.check);
        if (error == 0 && inode.identity().is(thread.check)) {
            return raw;
        }
        FileIo.close(raw);
        return error < 0 ? error : -Errno.ESTALE;
    }
}
