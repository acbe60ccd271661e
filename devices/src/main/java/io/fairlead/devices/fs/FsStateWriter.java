package io.fairlead.devices.fs;

import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.virtio.parts.Octets;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Writes an {@link FsState}. Without queues that run. */
final class FsStateWriter {
    /** A path that is longer says nothing to a system call. */
    private static final int MAX_DEPTH = FsThread.MAX_PATH_BYTES / 2;

    private final String name;
    private final FsExport export;
    private final Inode root;
    private final String rootPath;
    private final FsThread thread = FsThread.current();

    /** The files that are written. */
    private final Set<Inode> taken = new HashSet<>();

    /** Numbers of folders that the guest has forgotten. */
    private final Map<Inode, Long> forgotten = new HashMap<>();

    private final ByteArrayOutputStream fileBytes = new ByteArrayOutputStream();
    private final DataOutputStream files = new DataOutputStream(fileBytes);

    FsStateWriter(String name, FsExport export) {
        this.name = name;
        this.export = export;
        root = export.inodes().root();
        String path = hostPath(root.raw());
        rootPath = path.endsWith("/") ? path : path + "/";
    }

    /** @throws IOException where the guest has something that no other device can find: says what */
    Octets write() throws IOException {
        if (!export.isStarted()) {
            return Octets.EMPTY;
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(FsState.VERSION);
            out.writeInt(export.minor());
            out.writeLong(export.negotiated());
            out.writeLong(export.inodes().generation());
            out.writeLong(root.key().inode());
            out.writeLong(root.identity().birth());
            byte[] handles = handles();
            byte[] locks = locks();
            int least = bytes.size() + Integer.BYTES + handles.length + locks.length;
            takeFiles(FsState.MAX_BYTES - least);
            if (least + files.size() > FsState.MAX_BYTES) {
                throw new IOException("%s: the guest has more open than fits the state of a device".formatted(name));
            }
            out.writeInt(taken.size());
            fileBytes.writeTo(out);
            out.write(handles);
            out.write(locks);
        }
        return Octets.of(bytes.toByteArray());
    }

    // ---- files ----

    /** All that there is room for: a guest looks up again what its device does not know. */
    private void takeFiles(int mostBytes) throws IOException {
        List<Inode> all = new ArrayList<>();
        export.inodes().forEach(all::add);
        for (Inode inode : all) {
            if (inode.isFolder() && files.size() < mostBytes) {
                take(inode);
            }
        }
        for (Inode inode : all) {
            if (files.size() >= mostBytes) {
                break;
            }
            take(inode);
        }
    }

    /** Not within another subvolume of the same mount, whose device has another number at every host. */
    private boolean isMovable(Inode inode) {
        return inode.key().device() == root.key().device();
    }

    /** Writes a file and the folders that lead to it. */
    private void take(Inode inode) throws IOException {
        if (!isMovable(inode)) {
            return;
        }
        Inode at = inode;
        for (int depth = 0; at != root && taken.add(at); depth++) {
            Inode folder = at.place().folder();
            if (folder == null || depth > MAX_DEPTH) {
                // No way leads there: the guest gets ESTALE for it.
                folder = root;
            }
            write(at, folder);
            at = folder;
        }
    }

    private void write(Inode inode, Inode folder) throws IOException {
        byte[] text = inode.place().name();
        files.writeLong(number(inode));
        files.writeLong(inode.lookups);
        files.writeLong(inode.key().inode());
        files.writeLong(inode.identity().birth());
        files.writeShort(inode.type());
        files.writeLong(number(folder));
        files.writeShort(text.length);
        files.write(text);
    }

    /** The number that a file has for the guest, or one of its own where the guest has forgotten it. */
    private long number(Inode inode) {
        return inode == root || inode.lookups > 0
                ? inode.id()
                : forgotten.computeIfAbsent(inode, _ -> -1L - forgotten.size());
    }

    // ---- what is open ----

    private byte[] handles() throws IOException {
        List<Handle> handles = new ArrayList<>();
        export.handles().forEach(handles::add);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(handles.size());
            for (Handle handle : handles) {
                if (!isMovable(handle.inode())) {
                    throw new IOException("%s: the guest has a file open on another device than the folder's (%s)"
                            .formatted(name, hostPath(handle.raw())));
                }
                out.writeLong(handle.id());
                out.writeLong(number(handle.inode()));
                out.writeInt(handle.flags());
                synchronized (handle) {
                    out.writeByte(handle.wholeLock);
                }
                byte[] nameless = locate(handle) ? new byte[0] : fileHandle(handle);
                out.writeByte(nameless.length);
                out.write(nameless);
                take(handle.inode());
            }
        }
        return bytes.toByteArray();
    }

    /** Makes sure that an open file is known by where it is now; false where it has no name below the root. */
    private boolean locate(Handle handle) {
        Inode inode = handle.inode();
        if (inode == root) {
            return true;
        }
        byte[] path = pathFromRoot(handle.raw());
        if (path != null && Arrays.equals(path, knownPath(inode))) {
            return true;
        }
        if (isThere(inode)) {
            return true;
        }
        if (path == null) {
            return false;
        }
        Inode.Place before = inode.place();
        inode.place(new Inode.Place(root, path));
        if (isThere(inode)) {
            return true;
        }
        inode.place(before);
        return false;
    }

    private boolean isThere(Inode inode) {
        int raw = export.inodes().descriptors().findByName(thread, inode);
        if (raw >= 0) {
            FileIo.close(raw);
        }
        return raw >= 0;
    }

    /** Where the host has an open file now; null where that is not below the root. */
    private byte @Nullable [] pathFromRoot(int raw) {
        String path = hostPath(raw);
        return path.startsWith(rootPath) && path.length() > rootPath.length()
                ? path.substring(rootPath.length()).getBytes(StandardCharsets.ISO_8859_1)
                : null;
    }

    /** As the host shows it, a character a byte. */
    private String hostPath(int raw) {
        MemorySegment buffer = thread.entries;
        long length = FolderIo.readlinkat(FolderIo.AT_FDCWD, thread.path(raw), buffer.address(), buffer.byteSize());
        byte[] bytes = buffer.asSlice(0, Math.max(0, length)).toArray(ValueLayout.JAVA_BYTE);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** The names that lead to a file from the root; null where there are too many. */
    private byte @Nullable [] knownPath(Inode inode) {
        List<byte[]> names = new ArrayList<>();
        int size = -1;
        for (Inode at = inode; at != root; ) {
            Inode.Place place = at.place();
            Inode folder = place.folder();
            if (folder == null || names.size() > MAX_DEPTH) {
                return null;
            }
            names.add(place.name());
            size += 1 + place.name().length;
            at = folder;
        }
        byte[] path = new byte[size];
        int end = 0;
        for (byte[] text : names.reversed()) {
            if (end > 0) {
                path[end++] = '/';
            }
            System.arraycopy(text, 0, path, end, text.length);
            end += text.length;
        }
        return path;
    }

    private byte[] fileHandle(Handle handle) throws IOException {
        byte[] found = InodeDescriptors.anyHandleOf(thread, handle.raw());
        boolean nameless = thread.status(handle.raw()) == 0
                && thread.statusInt(FolderIo.STATX_OFFSET_NLINK) == 0
                && FileKey.birth(thread.statx) != 0;
        if (found == null || !nameless) {
            throw new IOException(
                    "%s: the guest has a file open that has no name in the folder any more (%s): it cannot be found at the destination"
                            .formatted(name, hostPath(handle.raw())));
        }
        return found;
    }

    private byte[] locks() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int count = 0;
        List<Inode> locked = new ArrayList<>();
        export.inodes().forEach(inode -> {
            if (inode.locksIfAny() != null && isMovable(inode)) {
                locked.add(inode);
            }
        });
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            for (Inode inode : locked) {
                for (FileLocks.Range range : inode.locks().ranges()) {
                    out.writeLong(inode.id());
                    out.writeLong(range.owner());
                    out.writeLong(range.start());
                    out.writeLong(range.end());
                    out.writeByte(range.type());
                    out.writeInt(range.pid());
                    count++;
                    take(inode);
                }
            }
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(all)) {
            out.writeInt(count);
            bytes.writeTo(out);
        }
        return all.toByteArray();
    }
}
