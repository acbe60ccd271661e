package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.virtio.parts.Octets;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the guest has of an exported folder, as it goes along when the machine moves: the files that it knows, by path from
 * the root with number and time of birth, those that it has open, and its locks. A file is taken for the same one at the
 * destination only where all of that is equal.
 *
 * <pre>{@code
 * u32 version (1), u32 FUSE minor version, u64 negotiated flags, u64 generation of file numbers
 * u32 files:   u64 node id, u64 lookups, u64 inode, u64 birth (seconds), u16 type, u16 bytes, path
 * u32 handles: u64 handle, u64 node id, u32 flags, u8 flock
 * u32 locks:   u64 node id, u64 owner, u64 start, u64 end, u8 type, u32 pid
 * }</pre>
 *
 * <p>Big-endian. A file that has no name any more cannot be found again: where it is open the state is refused, else the
 * guest gets ESTALE for it. Without queues that run.
 */
final class FsState {
    private static final int VERSION = 1;

    /** Leaves room for the rest of a device's state. */
    private static final int MAX_BYTES = 15 << 20;

    private static final String DELETED = " (deleted)";

    private final String name;
    private final FsExport export;
    private final FsThread thread = FsThread.current();

    FsState(String name, FsExport export) {
        this.name = name;
        this.export = export;
    }

    // ---- save ----

    /** @throws IOException where the guest has something that no other device can find: says what */
    Octets save() throws IOException {
        if (!export.isStarted()) {
            return Octets.EMPTY;
        }
        List<Inode> inodes = new ArrayList<>();
        List<Handle> handles = new ArrayList<>();
        export.inodes().forEach(inodes::add);
        export.handles().forEach(handles::add);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(VERSION);
            out.writeInt(export.minor());
            out.writeLong(export.negotiated());
            out.writeLong(export.inodes().generation());
            saveInodes(out, inodes);
            out.writeInt(handles.size());
            for (Handle handle : handles) {
                if (path(handle.inode()) == null) {
                    throw new IOException(
                            "%s: the guest has a file open that has no name any more (%s): it cannot be found at the destination"
                                    .formatted(name, hostPath(handle.inode().raw())));
                }
                out.writeLong(handle.id());
                out.writeLong(handle.inode().id());
                out.writeInt(handle.flags());
                synchronized (handle) {
                    out.writeByte(handle.wholeLock);
                }
            }
            saveLocks(out, inodes);
        }
        if (bytes.size() > MAX_BYTES) {
            throw new IOException("%s: the guest knows %d files, more than fit the state of a device; drop its caches"
                    .formatted(name, inodes.size()));
        }
        return Octets.of(bytes.toByteArray());
    }

    private void saveInodes(DataOutputStream out, List<Inode> inodes) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int count = 0;
        try (DataOutputStream files = new DataOutputStream(bytes)) {
            for (Inode inode : inodes) {
                String path = inode.id() == Fuse.ROOT_ID ? null : path(inode);
                if (path == null || thread.status(inode.raw()) < 0) {
                    continue;
                }
                byte[] text = path.getBytes(StandardCharsets.ISO_8859_1);
                files.writeLong(inode.id());
                files.writeLong(inode.lookups);
                files.writeLong(inode.key().inode());
                files.writeLong(birth());
                files.writeShort(inode.type());
                files.writeShort(text.length);
                files.write(text);
                count++;
            }
        }
        out.writeInt(count);
        bytes.writeTo(out);
    }

    private static void saveLocks(DataOutputStream out, List<Inode> inodes) throws IOException {
        int count = 0;
        for (Inode inode : inodes) {
            count += inode.locks().ranges().size();
        }
        out.writeInt(count);
        for (Inode inode : inodes) {
            for (FileLocks.Range range : inode.locks().ranges()) {
                out.writeLong(inode.id());
                out.writeLong(range.owner());
                out.writeLong(range.start());
                out.writeLong(range.end());
                out.writeByte(range.type());
                out.writeInt(range.pid());
            }
        }
    }

    private long birth() {
        boolean known = (thread.statusInt(FolderIo.STATX_OFFSET_MASK) & FolderIo.STATX_BTIME) != 0;
        return known ? thread.statusLong(FolderIo.STATX_OFFSET_BTIME) : 0;
    }

    /** Where the host has a file now, a character a byte. */
    private String hostPath(int raw) {
        MemorySegment buffer = thread.entries;
        long length = FolderIo.readlinkat(FolderIo.AT_FDCWD, thread.path(raw), buffer.address(), buffer.byteSize());
        byte[] bytes = buffer.asSlice(0, Math.max(0, length)).toArray(ValueLayout.JAVA_BYTE);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** Its path from the root, {@code .} for the root; null where it has none there. */
    private @Nullable String path(Inode inode) {
        if (inode.id() == Fuse.ROOT_ID) {
            return ".";
        }
        String root = hostPath(export.inodes().root().raw());
        String path = hostPath(inode.raw());
        String start = root.endsWith("/") ? root : root + "/";
        if (!path.startsWith(start) || path.length() == start.length()) {
            return null;
        }
        String relative = path.substring(start.length());
        return relative.endsWith(DELETED) && !isThere(relative, inode.key()) ? null : relative;
    }

    private boolean isThere(String path, FileKey key) {
        int raw = find(path);
        if (raw < 0) {
            return false;
        }
        boolean same = thread.status(raw) == 0 && FileKey.of(thread.statx).equals(key);
        FileIo.close(raw);
        return same;
    }

    /** An O_PATH descriptor of what is at a path from the root, or a negative error number. */
    private int find(String path) {
        byte[] bytes = path.getBytes(StandardCharsets.ISO_8859_1);
        MemorySegment buffer = thread.entries;
        if (bytes.length >= buffer.byteSize()) {
            return -Errno.ENAMETOOLONG;
        }
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, buffer, 0, bytes.length);
        buffer.set(ValueLayout.JAVA_BYTE, bytes.length, (byte) 0);
        return FolderIo.openat2(
                export.inodes().root().raw(),
                buffer.address(),
                FileIo.O_PATH | FileIo.O_NOFOLLOW,
                0,
                FsExport.ONE_NAME);
    }

    // ---- restore ----

    /**
     * Gives the export what another device saved.
     *
     * @throws StateMismatchException where something is not here: says what; the export is empty then
     */
    void restore(Octets state) throws StateMismatchException {
        export.clear();
        if (state.size() == 0) {
            return;
        }
        boolean done = false;
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(state.toArray()))) {
            restore(in);
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
            if (!done) {
                export.clear();
            }
        }
    }

    private StateMismatchException refused(String why) {
        return new StateMismatchException("%s: %s".formatted(name, why));
    }

    private void restore(DataInputStream in) throws IOException {
        int version = in.readInt();
        if (version != VERSION) {
            throw refused("its state is of version %d, this device knows %d".formatted(version, VERSION));
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
        int files = in.readInt();
        for (int i = 0; i < files; i++) {
            restoreInode(in);
        }
        export.inodes().restored(generation);
        int handles = in.readInt();
        for (int i = 0; i < handles; i++) {
            restoreHandle(in);
        }
        export.handles().restored();
        int locks = in.readInt();
        for (int i = 0; i < locks; i++) {
            restoreLock(in);
        }
        export.started(minor, negotiated);
        export.takeLocks();
    }

    private void restoreInode(DataInputStream in) throws IOException {
        long id = in.readLong();
        long lookups = in.readLong();
        long inode = in.readLong();
        long birth = in.readLong();
        int type = in.readUnsignedShort();
        byte[] text = new byte[in.readUnsignedShort()];
        in.readFully(text);
        String path = new String(text, StandardCharsets.ISO_8859_1);
        int raw = find(path);
        if (raw < 0) {
            throw refused("%s is not here (%s)".formatted(shown(text), Errno.name(-raw)));
        }
        Fd fd = Fd.adopt(raw, "a file of the guest's");
        boolean taken = false;
        try {
            int error = thread.status(raw);
            FileKey key = FileKey.of(thread.statx);
            long ownBirth = birth();
            if (error < 0
                    || key.inode() != inode
                    || (thread.statusMode() & FolderIo.S_IFMT) != type
                    || (birth != 0 && ownBirth != 0 && birth != ownBirth)) {
                throw refused("%s is another file here (number %d, not %d): both have to export the same folder"
                        .formatted(shown(text), key.inode(), inode));
            }
            Inode restored = new Inode(id, fd, key, type);
            restored.lookups = lookups;
            taken = lookups > 0 && export.inodes().restore(restored);
            if (!taken) {
                throw refused("%s: its number 0x%x cannot be had".formatted(shown(text), id));
            }
        } finally {
            if (!taken) {
                fd.close();
            }
        }
    }

    private static String shown(byte[] path) {
        return new String(path, StandardCharsets.UTF_8);
    }

    private void restoreHandle(DataInputStream in) throws IOException {
        long id = in.readLong();
        long node = in.readLong();
        int flags = in.readInt();
        int wholeLock = in.readUnsignedByte();
        Inode inode = export.inodes().hold(node);
        if (inode == null) {
            throw refused("an open file is none of those that the guest knows");
        }
        int raw = inode.isFolder()
                ? FolderOperations.open(thread, inode)
                : FileOperations.open(thread, inode, FileOperations.reopened(flags));
        if (raw < 0) {
            inode.release();
            throw refused("%s cannot be opened: %s".formatted(hostPath(inode.raw()), Errno.name(-raw)));
        }
        Handle handle = new Handle(id, Fd.adopt(raw, "an open file of the guest's"), inode, flags);
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

    private void restoreLock(DataInputStream in) throws IOException {
        long node = in.readLong();
        FileLocks.Range range =
                new FileLocks.Range(in.readLong(), in.readLong(), in.readLong(), in.readByte(), in.readInt());
        Inode inode = export.inodes().hold(node);
        if (inode == null) {
            throw refused("a lock is on no file that the guest knows");
        }
        try {
            boolean sane = range.start() >= 0
                    && range.end() >= range.start()
                    && (range.type() == FileIo.F_RDLCK || range.type() == FileIo.F_WRLCK);
            if (!inode.isRegular() || !sane || !inode.locks().restore(range)) {
                throw refused("a lock on %s is none".formatted(hostPath(inode.raw())));
            }
        } finally {
            inode.release();
        }
    }
}
