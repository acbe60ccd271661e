package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The files that the guest knows: each once, however many names lead to it, as long as the guest counts a lookup of it
 * (FUSE_FORGET). The root is always there.
 *
 * <p>Thread-safe.
 */
final class InodeTable {
    private final SlotTable<Inode> slots;
    private final InodeDescriptors descriptors;
    private final Map<FileKey, Inode> byKey = new HashMap<>();
    private final Inode root;

    /** @param rootFd an O_PATH descriptor of the exported folder; the table's from now on */
    InodeTable(int capacity, InodeDescriptors descriptors, Fd rootFd, Inode.Identity rootIdentity) {
        slots = new SlotTable<>(capacity);
        this.descriptors = descriptors;
        root = new Inode(Fuse.ROOT_ID, rootIdentity, new Inode.Place(null, new byte[0]), descriptors);
        root.opened(rootFd, 1);
        if (!slots.restore(root)) {
            throw new IllegalArgumentException("no room for the root");
        }
        byKey.put(root.key(), root);
    }

    Inode root() {
        return root;
    }

    InodeDescriptors descriptors() {
        return descriptors;
    }

    /** A file by its number, held for the caller; null where the guest was never given it or forgot it. */
    @Nullable
    Inode hold(long nodeId) {
        return slots.hold(nodeId);
    }

    /** Whether the guest knows a file of a number. */
    synchronized boolean knows(FileKey key) {
        return byKey.containsKey(key);
    }

    /** The file of a number, held for the caller; null where the guest knows none. */
    synchronized @Nullable Inode hold(FileKey key) {
        Inode known = byKey.get(key);
        return known != null && known.hold() ? known : null;
    }

    /**
     * Counts a lookup of a file that was seen just now at a name, in the thread's status, where it is one that the guest
     * knows for sure: one that is open cannot have given its number to another.
     *
     * @return the file's number, or 0 where the file has to be opened to know
     */
    synchronized long again(FsThread thread, Inode folder, MemorySegment holder, long nameAt, int nameBytes) {
        Inode known = byKey.get(FileKey.of(thread.statx));
        if (known == null || !known.isOpen() || !known.identity().is(thread.statx)) {
            return 0;
        }
        seen(known, folder, holder, nameAt, nameBytes);
        known.lookups++;
        return known.id();
    }

    /**
     * Counts a lookup of a file that was found just now at a name, whose status the thread has.
     *
     * @param raw an O_PATH descriptor of it, the table's from now on
     * @return the file's number, or -ENFILE where the guest knows too many
     */
    synchronized long remember(
            FsThread thread, int raw, Inode folder, MemorySegment holder, long nameAt, int nameBytes) {
        Fd fd = Fd.adopt(raw, "a file of the guest's");
        FileKey key = FileKey.of(thread.statx);
        Inode known = byKey.get(key);
        if (known != null) {
            if (known.isOpen() || known.isSame(thread.statx, descriptors.handleOf(thread, raw))) {
                fd.close();
                seen(known, folder, holder, nameAt, nameBytes);
                known.lookups++;
                return known.id();
            }
            // What the guest knows is gone; another file has its number now.
            byKey.remove(key);
        }
        long id = slots.nextId();
        if (id == 0) {
            fd.close();
            return -Errno.ENFILE;
        }
        Inode.Place place = new Inode.Place(folder, name(holder, nameAt, nameBytes));
        Inode inode = new Inode(id, Inode.Identity.of(thread.statx), place, descriptors);
        inode.handle(descriptors.handleOf(thread, raw));
        inode.opened(fd, 0);
        inode.lookups = 1;
        slots.put(inode);
        byKey.put(key, inode);
        descriptors.add(inode);
        return id;
    }

    /** A file is at a name in a folder now. */
    void seen(Inode inode, Inode folder, MemorySegment holder, long nameAt, int nameBytes) {
        if (inode != root && !inode.isAt(folder, holder, nameAt, nameBytes)) {
            inode.place(new Inode.Place(folder, name(holder, nameAt, nameBytes)));
        }
    }

    private static byte[] name(MemorySegment holder, long at, int byteCount) {
        byte[] name = new byte[byteCount];
        MemorySegment.copy(holder, at, MemorySegment.ofArray(name), 0, byteCount);
        return name;
    }

    /** Takes a file over from another device's table; false where its number, or the host's, is taken or none. */
    synchronized boolean restore(Inode inode) {
        if (byKey.containsKey(inode.key()) || !slots.restore(inode)) {
            return false;
        }
        byKey.put(inode.key(), inode);
        return true;
    }

    /** Ends a series of {@link #restore}; numbers go on behind those of the other device. */
    synchronized void restored(long generation) {
        slots.restored();
        slots.generation(generation);
    }

    long generation() {
        return slots.generation();
    }

    /** The guest takes lookups back; more than it has count as all. */
    synchronized void forget(long nodeId, long lookups) {
        Inode inode = slots.hold(nodeId);
        if (inode == null) {
            return;
        }
        if (inode != root) {
            inode.lookups = lookups < 0 || lookups >= inode.lookups ? 0 : inode.lookups - lookups;
            if (inode.lookups == 0) {
                drop(inode);
            }
        }
        inode.release();
    }

    private void drop(Inode inode) {
        if (slots.remove(inode)) {
            byKey.remove(inode.key(), inode);
            inode.release();
        }
    }

    /** Forgets all but the root. */
    synchronized void clear() {
        slots.forEach(inode -> {
            if (inode != root) {
                drop(inode);
            }
        });
        FileLocks locks = root.locksIfAny();
        if (locks != null) {
            locks.close();
        }
    }

    synchronized void forEach(Consumer<Inode> visitor) {
        slots.forEach(visitor);
    }

    int count() {
        return slots.count();
    }

    /** Forgets all, the root too. */
    synchronized void close() {
        clear();
        drop(root);
    }
}
