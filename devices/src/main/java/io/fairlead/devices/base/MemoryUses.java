package io.fairlead.devices.base;

import io.fairlead.virtio.GuestMemory;
import java.util.ArrayList;
import java.util.List;

/**
 * Keeps memory tables mapped while requests of one queue use them: the current one always, an older one until the last
 * request that was translated with it is complete. Counts per table, so that a request costs no atomic operation.
 *
 * <p>One thread at a time.
 */
final class MemoryUses implements AutoCloseable {
    private static final class Use {
        private final GuestMemory memory;
        private int requests;

        Use(GuestMemory memory) {
            this.memory = memory;
        }
    }

    private Use current;
    private final List<Use> older = new ArrayList<>(2);

    MemoryUses(GuestMemory memory) {
        memory.retain();
        current = new Use(memory);
    }

    GuestMemory current() {
        return current.memory;
    }

    /** Takes a new table; the old one stays as long as requests use it. */
    void replace(GuestMemory memory) {
        memory.retain();
        if (current.requests == 0) {
            current.memory.release();
        } else {
            older.add(current);
        }
        current = new Use(memory);
    }

    /** A request was translated with the current table. */
    void begin() {
        current.requests++;
    }

    /** A request that was translated with a table is complete. */
    void end(GuestMemory memory) {
        if (memory == current.memory) {
            current.requests--;
        } else {
            endOlder(memory);
        }
    }

    private void endOlder(GuestMemory memory) {
        for (int i = 0; i < older.size(); i++) {
            Use use = older.get(i);
            if (use.memory == memory) {
                use.requests--;
                if (use.requests == 0) {
                    older.remove(i);
                    use.memory.release();
                }
                return;
            }
        }
        throw new IllegalStateException("a request ended that used no memory table of the queue");
    }

    @Override
    public void close() {
        current.memory.release();
        older.forEach(use -> use.memory.release());
        older.clear();
    }
}
