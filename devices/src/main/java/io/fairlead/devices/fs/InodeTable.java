package io.fairlead.devices.fs;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
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
    private final Map<FileKey, Inode> byKey = new HashMap<>();
    private final Inode root;

    /** @param rootFd the exported folder; the table's from now on */
    InodeTable(int capacity, Fd rootFd, FileKey rootKey, int rootType) {
        slots = new SlotTable<>(capacity);
        root = new Inode(Fuse.ROOT_ID, rootFd, rootKey, rootType);
        if (!slots.restore(root)) {
            throw new IllegalArgumentException("no room for the root");
        }
        byKey.put(rootKey, root);
    }

    Inode root() {
        return root;
    }

    /** A file by its number, held for the caller; null where the guest was never given it or forgot it. */
    @Nullable
    Inode hold(long nodeId) {
        return slots.hold(nodeId);
    }

    /**
     * Counts a lookup of a file that was just found.
     *
     * @param raw an O_PATH descriptor of it, the table's from now on
     * @param type of the file, as {@code st_mode}
     * @return the file's number, or -ENFILE where the guest knows too many
     */
    synchronized long remember(int raw, FileKey key, int type) {
        Fd fd = Fd.adopt(raw, "a file of the guest's");
        Inode known = byKey.get(key);
        if (known != null) {
            fd.close();
            known.lookups++;
            return known.id();
        }
        long id = slots.nextId();
        if (id == 0) {
            fd.close();
            return -Errno.ENFILE;
        }
        Inode inode = new Inode(id, fd, key, type);
        inode.lookups = 1;
        slots.put(inode);
        byKey.put(key, inode);
        return id;
    }

    /** Takes a file over from another device's table. */
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
            byKey.remove(inode.key());
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
        root.locks().close();
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
