package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FolderIo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A file that the guest knows. Which one it is say its number, its time of birth and its handle, where the host's file
 * system gives these; where it was last seen, its name in a folder. An O_PATH descriptor of it is open while a request uses
 * it and as long as there is room for it ({@link InodeDescriptors}).
 */
final class Inode extends Counted {
    /** No descriptor is open. */
    private static final int CLOSED = -1;

    /** A file's number, its time of birth as {@link FileKey#birth}, and its type as {@code st_mode}. */
    record Identity(FileKey key, long birth, int type) {
        Identity {
            type &= FolderIo.S_IFMT;
        }

        static Identity of(MemorySegment statx) {
            return new Identity(
                    FileKey.of(statx),
                    FileKey.birth(statx),
                    Short.toUnsignedInt(statx.get(ValueLayout.JAVA_SHORT, FolderIo.STATX_OFFSET_MODE)));
        }

        /** Whether a status is of this file, as far as that can be told. */
        boolean is(MemorySegment statx) {
            long otherBirth = FileKey.birth(statx);
            return key.is(statx)
                    && (statx.get(ValueLayout.JAVA_SHORT, FolderIo.STATX_OFFSET_MODE) & FolderIo.S_IFMT) == type
                    && (birth == otherBirth || birth == 0 || otherBirth == 0);
        }
    }

    /** Where a file was last seen. Immutable. */
    static final class Place {
        private final @Nullable Inode folder;
        private final byte[] name;

        /**
         * @param folder null for the root
         * @param name one name, or a path of several from the root; not copied
         */
        Place(@Nullable Inode folder, byte[] name) {
            this.folder = folder;
            this.name = name;
        }

        @Nullable
        Inode folder() {
            return folder;
        }

        /** Not to be changed. */
        byte[] name() {
            return name;
        }
    }

    private final Identity identity;
    private final InodeDescriptors descriptors;
    private volatile Place place;

    /** What {@link io.fairlead.linux.FileHandles} writes; null where the file system has none. */
    private volatile byte @Nullable [] handle;

    private @Nullable FileLocks locks;

    /** How often the guest was given it and has not forgotten. Under the table's lock. */
    long lookups;

    // ---- the descriptor ----

    /** Requests that use the descriptor, or {@link #CLOSED}. */
    private final AtomicInteger pins = new AtomicInteger(CLOSED);

    private volatile @Nullable Fd fd;

    /** Since the descriptors were looked through for one to close. */
    volatile boolean used;

    private volatile boolean kept;

    /** Where it stands among the open ones; -1 for nowhere. Under the descriptors' lock. */
    int openIndex = -1;

    Inode(long id, Identity identity, Place place, InodeDescriptors descriptors) {
        super(id);
        this.identity = identity;
        this.place = place;
        this.descriptors = descriptors;
    }

    Identity identity() {
        return identity;
    }

    FileKey key() {
        return identity.key();
    }

    int type() {
        return identity.type();
    }

    boolean isRegular() {
        return type() == FolderIo.S_IFREG;
    }

    boolean isFolder() {
        return type() == FolderIo.S_IFDIR;
    }

    Place place() {
        return place;
    }

    /** It was seen there. */
    void place(Place seen) {
        place = seen;
    }

    /** Whether it was last seen in a folder at the name of so many bytes that lies somewhere. */
    boolean isAt(Inode folder, MemorySegment holder, long nameAt, int nameBytes) {
        Place now = place;
        if (now.folder() != folder || now.name().length != nameBytes) {
            return false;
        }
        for (int i = 0; i < nameBytes; i++) {
            if (now.name()[i] != holder.get(ValueLayout.JAVA_BYTE, nameAt + i)) {
                return false;
            }
        }
        return true;
    }

    byte @Nullable [] handle() {
        return handle;
    }

    void handle(byte @Nullable [] value) {
        handle = value;
    }

    /** Whether what was found just now, of the same number, is this file and not one that came after it. */
    boolean isSame(MemorySegment statx, byte @Nullable [] foundHandle) {
        byte[] own = handle;
        return identity.is(statx) && (own == null || foundHandle == null || Arrays.equals(own, foundHandle));
    }

    /** The locks on ranges that the guest's processes hold. */
    synchronized FileLocks locks() {
        FileLocks now = locks;
        if (now == null) {
            now = new FileLocks(this);
            locks = now;
        }
        return now;
    }

    /** The same, null where there never were any. */
    synchronized @Nullable FileLocks locksIfAny() {
        return locks;
    }

    /**
     * The number of an O_PATH descriptor of the file, valid until {@link #unpin}; a negative error number where the file
     * is not there any more (ESTALE) or cannot be reached. For whoever holds this.
     */
    int pin(FsThread thread) {
        int raw = pinOpen();
        return raw >= 0 ? raw : descriptors.open(thread, this);
    }

    /** As {@link #pin} where it is open; -EBADF where it is not. */
    int pinOpen() {
        for (; ; ) {
            int before = pins.get();
            if (before == CLOSED) {
                return -Errno.EBADF;
            }
            if (pins.compareAndSet(before, before + 1)) {
                if (!used) {
                    used = true;
                }
                return raw();
            }
        }
    }

    void unpin() {
        int _ = pins.decrementAndGet();
    }

    /** Of {@link FsExport#pin}: ends the use of the descriptor and of this. */
    void letGo() {
        unpin();
        release();
    }

    /** The descriptor's number, for who has pinned it. */
    int raw() {
        Fd now = fd;
        if (now == null) {
            throw new IllegalStateException("not open");
        }
        return now.raw();
    }

    boolean isOpen() {
        return pins.get() != CLOSED;
    }

    /** Has a descriptor from now on. Only while it has none, and by one thread at a time. */
    void opened(Fd newFd, int newPins) {
        fd = newFd;
        used = true;
        pins.set(newPins);
    }

    /** Closes the descriptor where no request uses it. Under the descriptors' lock. */
    boolean closeIfUnused() {
        Fd now = fd;
        if (!pins.compareAndSet(0, CLOSED)) {
            return false;
        }
        close(now);
        return true;
    }

    /** Keeps the descriptor, which the caller has pinned, open for good: the file cannot be found again. */
    void keep() {
        kept = true;
        descriptors.remove(this);
    }

    boolean isKept() {
        return kept;
    }

    private static void close(@Nullable Fd now) {
        if (now != null) {
            now.close();
        }
    }

    @Override
    void ended() {
        FileLocks last = locksIfAny();
        if (last != null) {
            last.close();
        }
        descriptors.remove(this);
        Fd now = fd;
        if (pins.getAndSet(CLOSED) != CLOSED) {
            close(now);
        }
    }
}
