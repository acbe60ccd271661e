package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.ThreadIdentity;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The exported folder, and what the guest has of it: files that it knows, files that it has open, what was negotiated.
 *
 * <p>Nothing outside of the folder is ever reached: a file comes into the tables only as an entry of a folder that is in
 * them, by one name that leads neither up nor through a link nor into another mount, and stays the same file from then on:
 * a descriptor holds it, or it is found again by its handle or by such names and compared ({@link InodeDescriptors}). What
 * is open is opened again from that descriptor, and only regular files and folders are.
 *
 * <p>Thread-safe.
 */
final class FsExport implements AutoCloseable {
    /** How the entry of a folder is found. */
    static final int ONE_NAME = FolderIo.RESOLVE_BENEATH
            | FolderIo.RESOLVE_NO_MAGICLINKS
            | FolderIo.RESOLVE_NO_SYMLINKS
            | FolderIo.RESOLVE_NO_XDEV;

    private static final Logger LOG = LoggerFactory.getLogger(FsExport.class);
    private static final long SECOND_NANOS = 1_000_000_000;

    private final String name;
    private final FsSettings settings;
    private final Fd rootFolder;
    private final InodeTable inodes;
    private final SlotTable<Handle> handles;
    private final Attributes attributes;
    private final LockWaits waits;
    private final boolean root = ThreadIdentity.isRoot();
    private final AtomicLong full = new AtomicLong();
    private volatile boolean readOnly;

    /** What INIT settled: the flags that both sides have, 0 before. */
    private volatile long negotiated;

    private volatile int minor;

    private FsExport(
            String name, FsSettings settings, int maxDescriptors, Fd rootFolder, Fd rootPath, FsThread thread) {
        this.name = name;
        this.settings = settings;
        this.rootFolder = rootFolder;
        readOnly = settings.readOnly();
        InodeDescriptors descriptors = new InodeDescriptors(maxDescriptors, rootFolder.raw(), settings.fileHandles());
        inodes = new InodeTable(settings.maxInodes(), descriptors, rootPath, Inode.Identity.of(thread.statx));
        handles = new SlotTable<>(settings.maxHandles());
        attributes = new Attributes(
                settings.users(),
                settings.groups(),
                switch (settings.cache()) {
                    case NEVER -> 0;
                    case AUTO -> SECOND_NANOS;
                    case ALWAYS -> 86_400 * SECOND_NANOS;
                });
        waits = new LockWaits(name);
    }

    /**
     * Opens the folder.
     *
     * @param maxDescriptors how many files that the guest knows stay open
     * @throws IOException where it is none
     */
    static FsExport open(String name, FsSettings settings, int maxDescriptors) throws IOException {
        Fd folder = FileIo.open(settings.path(), FileIo.O_RDONLY | FileIo.O_DIRECTORY, 0);
        try {
            FsThread thread = FsThread.current();
            int error = thread.status(folder.raw());
            if (error < 0) {
                throw new LinuxException("statx", settings.path().toString(), -error);
            }
            Fd path = FileIo.open(settings.path(), FileIo.O_PATH | FileIo.O_DIRECTORY, 0);
            return new FsExport(name, settings, maxDescriptors, folder, path, thread);
        } catch (IOException | RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    FsSettings settings() {
        return settings;
    }

    InodeTable inodes() {
        return inodes;
    }

    Attributes attributes() {
        return attributes;
    }

    LockWaits waits() {
        return waits;
    }

    /** The exported folder, open for reading. */
    int rootRaw() {
        return rootFolder.raw();
    }

    /** Whether files may be made for other users than the process's own. */
    boolean isRoot() {
        return root;
    }

    boolean readOnly() {
        return readOnly;
    }

    /** From the next request on; files that are open for writing cannot be written either. */
    void readOnly(boolean value) {
        readOnly = value;
    }

    // ---- what was negotiated ----

    boolean has(long flag) {
        return (negotiated & flag) != 0;
    }

    boolean isStarted() {
        return minor != 0;
    }

    long negotiated() {
        return negotiated;
    }

    int minor() {
        return minor;
    }

    void started(int newMinor, long flags) {
        negotiated = flags;
        minor = newMinor;
    }

    // ---- what the guest holds ----

    /**
     * A file by its number with a descriptor of it, the caller's until {@link Inode#letGo}; null where it is not to be had:
     * {@link FsThread#missing} says why.
     */
    @Nullable
    Inode pin(FsThread thread, long nodeId) {
        Inode inode = inodes.hold(nodeId);
        int raw = inode == null ? -Errno.ESTALE : inode.pin(thread);
        if (inode != null && raw < 0) {
            inode.release();
        }
        thread.missing = Math.min(0, raw);
        return raw < 0 ? null : inode;
    }

    /** An open file or folder, held for the caller; null where the guest has none by that number. */
    @Nullable
    Handle handle(long id, boolean folder) {
        Handle handle = handles.hold(id);
        if (handle != null && handle.isFolder() != folder) {
            handle.release();
            return null;
        }
        return handle;
    }

    SlotTable<Handle> handles() {
        return handles;
    }

    /**
     * Takes an open file in.
     *
     * @param raw the export's from now on
     * @param inode stays the caller's
     * @return its number, or a negative error number
     */
    long opened(int raw, Inode inode, int flags) {
        Fd fd = Fd.adopt(raw, "an open file of the guest's");
        long id = inode.hold() ? handles.nextId() : -1;
        if (id <= 0) {
            fd.close();
            if (id == 0) {
                inode.release();
                tellFull("open files (max-handles=%d)".formatted(settings.maxHandles()));
                return -Errno.ENFILE;
            }
            return -Errno.EBADF;
        }
        handles.put(newHandle(id, fd, inode, flags));
        return id;
    }

    /** An open file whose inode was held for it. */
    Handle newHandle(long id, Fd fd, Inode inode, int flags) {
        // What has lost its name at the host can be found again by its handle alone.
        boolean pinned = !inodes.descriptors().byHandle() && inode.pinOpen() >= 0;
        return new Handle(id, fd, inode, pinned, flags);
    }

    /** Takes at the host the locks that came with the guest, now or as soon as they are free. */
    void takeLocks() {
        if (!takeDueLocks()) {
            waits.due(this::takeDueLocks);
        }
    }

    private boolean takeDueLocks() {
        FsThread thread = FsThread.current();
        AtomicBoolean all = new AtomicBoolean(true);
        inodes.forEach(inode -> {
            FileLocks locks = inode.locksIfAny();
            if (locks != null && !locks.takeDue(thread)) {
                all.set(false);
            }
        });
        handles.forEach(handle -> {
            if (!LockOperations.takeDue(handle)) {
                all.set(false);
            }
        });
        return all.get();
    }

    /** Says once a power of two that there is no room for more. */
    void tellFull(String what) {
        long count = full.incrementAndGet();
        if (Long.bitCount(count) == 1) {
            LOG.warn("{}: the guest has as many {} as it may and got ENFILE, {} times so far", name, what, count);
        }
    }

    /** Forgets all that the guest has, as after a new mount. */
    void clear() {
        negotiated = 0;
        minor = 0;
        waits.interruptAll();
        handles.forEach(handle -> {
            if (handles.remove(handle)) {
                handle.release();
            }
        });
        inodes.clear();
    }

    @Override
    public void close() {
        clear();
        waits.close();
        inodes.close();
        rootFolder.close();
    }
}
