package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.virtio.parts.Octets;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Gives an export what another device wrote as {@link FsState}. Without queues that run. */
final class FsStateReader {
    private final String name;
    private final FsExport export;
    private final Inode root;
    private final FsThread thread = FsThread.current();

    /** Folders that the guest has forgotten. */
    private final Map<Long, Inode> forgotten = new HashMap<>();

    /** A file whose folder is known when all are read. */
    private record Placed(Inode inode, long folder) {}

    FsStateReader(String name, FsExport export) {
        this.name = name;
        this.export = export;
        root = export.inodes().root();
    }

    /** @throws StateMismatchException where something is not here: says what; the export is empty then */
    void read(Octets state) throws StateMismatchException {
        export.clear();
        if (state.size() == 0) {
            return;
        }
        boolean done = false;
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(state.toArray()))) {
            read(in);
            if (in.read() >= 0) {
                throw refused("its state goes on behind its end");
            }
            done = true;
        } catch (EOFException e) {
            throw refused("its state is cut short");
        } catch (StateMismatchException e) {
            throw e;
        } catch (IOException e) {
            throw refused(e.toString());
        } finally {
            forgotten.values().forEach(Inode::release);
            if (!done) {
                export.clear();
            }
        }
    }

    private StateMismatchException refused(String why) {
        return new StateMismatchException("%s: %s".formatted(name, why));
    }

    private void read(DataInputStream in) throws IOException {
        int version = in.readInt();
        if (version != FsState.VERSION) {
            throw refused("its state is of version %d, this device knows %d".formatted(version, FsState.VERSION));
        }
        int minor = in.readInt();
        long negotiated = in.readLong();
        if (minor < Fuse.MIN_MINOR || minor > Fuse.MINOR) {
            throw refused("its guest speaks FUSE 7.%d, this device 7.%d to 7.%d"
                    .formatted(minor, Fuse.MIN_MINOR, Fuse.MINOR));
        }
        long missing = negotiated & ~FsService.offered(export);
        if (missing != 0) {
            throw refused(
                    "its guest uses FUSE features 0x%x, which this device does not have: give it the same cache and locks"
                            .formatted(missing));
        }
        long generation = in.readLong();
        readRoot(in);
        readFiles(in);
        export.inodes().restored(generation);
        int handles = in.readInt();
        for (int i = 0; i < handles; i++) {
            readHandle(in);
        }
        export.handles().restored();
        int locks = in.readInt();
        for (int i = 0; i < locks; i++) {
            readLock(in);
        }
        export.started(minor, negotiated);
        export.takeLocks();
    }

    // ---- files ----

    private void readRoot(DataInputStream in) throws IOException {
        long inode = in.readLong();
        long birth = in.readLong();
        long ownBirth = root.identity().birth();
        if (inode != root.key().inode() || (birth != 0 && ownBirth != 0 && birth != ownBirth)) {
            throw refused("%s is another folder (number %d, not %d): both have to export the same one"
                    .formatted(export.settings().path(), root.key().inode(), inode));
        }
    }

    private void readFiles(DataInputStream in) throws IOException {
        int count = in.readInt();
        List<Placed> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(readFile(in));
        }
        for (Placed placed : all) {
            byte[] text = placed.inode.place().name();
            Inode folder = known(placed.folder);
            if (folder == null || folder == placed.inode || (folder != root && !folder.isFolder())) {
                throw refused("%s is in no folder".formatted(shown(text)));
            }
            placed.inode.place(new Inode.Place(folder, text));
        }
    }

    private Placed readFile(DataInputStream in) throws IOException {
        long id = in.readLong();
        long lookups = in.readLong();
        FileKey key = new FileKey(root.key().device(), in.readLong());
        Inode.Identity identity = new Inode.Identity(key, in.readLong(), in.readUnsignedShort());
        long folder = in.readLong();
        byte[] text = new byte[in.readUnsignedShort()];
        in.readFully(text);
        Inode inode = new Inode(
                id, identity, new Inode.Place(null, text), export.inodes().descriptors());
        inode.lookups = lookups;
        boolean taken = id < 0
                ? lookups == 0 && forgotten.putIfAbsent(id, inode) == null
                : lookups > 0 && export.inodes().restore(inode);
        if (!taken || !isName(text)) {
            throw refused("%s: its number 0x%x cannot be had".formatted(shown(text), id));
        }
        return new Placed(inode, folder);
    }

    private static boolean isName(byte[] text) {
        for (byte character : text) {
            if (character == 0) {
                return false;
            }
        }
        return text.length > 0 && text.length < FsThread.MAX_PATH_BYTES;
    }

    /** A file of the state, not held: nothing else has the tables now. */
    private @Nullable Inode known(long id) {
        if (id < 0) {
            return forgotten.get(id);
        }
        Inode inode = export.inodes().hold(id);
        if (inode != null) {
            inode.release();
        }
        return inode;
    }

    private static String shown(byte[] path) {
        return new String(path, StandardCharsets.UTF_8);
    }

    // ---- what is open ----

    private void readHandle(DataInputStream in) throws IOException {
        long id = in.readLong();
        long node = in.readLong();
        int flags = in.readInt();
        int wholeLock = in.readUnsignedByte();
        byte[] nameless = new byte[in.readUnsignedByte()];
        in.readFully(nameless);
        Inode inode = known(node);
        if (inode == null) {
            throw refused("an open file is none of those that the guest knows");
        }
        String shown = shown(inode.place().name());
        if (nameless.length > 0 && !inode.isOpen()) {
            openNameless(inode, nameless, shown);
        }
        int error = inode.pin(thread);
        if (error < 0) {
            throw refused(whyNot(inode, shown, error));
        }
        try {
            reopen(id, inode, flags, wholeLock, shown);
        } finally {
            inode.unpin();
        }
    }

    private String whyNot(Inode inode, String shown, int error) {
        int raw = export.inodes().descriptors().findPlace(thread, inode);
        if (raw < 0) {
            return "%s is not here (%s)".formatted(shown, Errno.name(-(error == -Errno.ESTALE ? raw : error)));
        }
        FileIo.close(raw);
        return "%s is another file here: both have to export the same folder".formatted(shown);
    }

    private void reopen(long id, Inode inode, int flags, int wholeLock, String shown) throws IOException {
        int raw = inode.isFolder()
                ? FolderOperations.open(thread, inode)
                : FileOperations.open(thread, inode, FileOperations.reopened(flags));
        if (raw < 0) {
            throw refused("%s cannot be opened: %s".formatted(shown, Errno.name(-raw)));
        }
        Fd fd = Fd.adopt(raw, "an open file of the guest's");
        if (!inode.hold()) {
            fd.close();
            throw refused("%s is forgotten".formatted(shown));
        }
        Handle handle = export.newHandle(id, fd, inode, flags);
        if (wholeLock == FileIo.LOCK_SH || wholeLock == FileIo.LOCK_EX) {
            synchronized (handle) {
                handle.wholeLock = wholeLock;
                handle.wholeLockDue = true;
            }
        }
        if (!export.handles().restore(handle)) {
            handle.release();
            throw refused("an open file's number 0x%x cannot be had".formatted(id));
        }
    }

    /**
     * Opens a file that has no name any more by the handle that the source says. Its number, its time of birth and that it
     * is in no folder have to be right: a handle of the state's alone would lead to any file of the file system.
     */
    private void openNameless(Inode inode, byte[] handle, String shown) throws StateMismatchException {
        InodeDescriptors descriptors = export.inodes().descriptors();
        int raw = descriptors.byHandle() ? descriptors.findByHandle(thread, handle) : -Errno.EPERM;
        if (raw < 0) {
            throw refused("%s is open and has no name any more, and cannot be had by its file handle (%s)"
                    .formatted(shown, Errno.name(-raw)));
        }
        boolean right = thread.status(raw) == 0
                && inode.identity().birth() != 0
                && inode.identity().birth() == FileKey.birth(thread.statx)
                && inode.identity().is(thread.statx)
                && thread.statusInt(FolderIo.STATX_OFFSET_NLINK) == 0;
        if (!right) {
            FileIo.close(raw);
            throw refused(
                    "%s is open and has no name any more, and its file handle is another file's here".formatted(shown));
        }
        inode.handle(descriptors.handleOf(thread, raw));
        inode.opened(Fd.adopt(raw, "a file of the guest's"), 0);
        descriptors.add(inode);
    }

    private void readLock(DataInputStream in) throws IOException {
        long node = in.readLong();
        FileLocks.Range range =
                new FileLocks.Range(in.readLong(), in.readLong(), in.readLong(), in.readByte(), in.readInt());
        Inode inode = known(node);
        if (inode == null) {
            throw refused("a lock is on no file that the guest knows");
        }
        boolean sane = range.start() >= 0
                && range.end() >= range.start()
                && (range.type() == FileIo.F_RDLCK || range.type() == FileIo.F_WRLCK);
        if (!inode.isRegular() || !sane || !inode.locks().restore(range)) {
            throw refused("a lock on %s is none".formatted(shown(inode.place().name())));
        }
    }
}
