package io.fairlead.devices.vsock;

import org.jspecify.annotations.Nullable;

/** Connections by their two ports: open addressing, so that a look allocates nothing. One thread. */
final class ConnectionTable {
    private final @Nullable Connection[] slots;
    private final int mask;

    /** @param capacity the most connections */
    ConnectionTable(int capacity) {
        slots = new Connection[Integer.highestOneBit(Math.max(4, capacity)) * 4];
        mask = slots.length - 1;
    }

    private int slotOf(int hostPort, int guestPort) {
        int mixed = (hostPort * 0x9e3779b9) ^ (guestPort * 0x85ebca6b);
        return (mixed ^ (mixed >>> 15)) & mask;
    }

    @Nullable
    Connection find(int hostPort, int guestPort) {
        int at = slotOf(hostPort, guestPort);
        Connection found = slots[at];
        while (found != null && !(found.hostPort == hostPort && found.guestPort == guestPort)) {
            at = (at + 1) & mask;
            found = slots[at];
        }
        return found;
    }

    /** Adds one whose ports are not there yet. */
    void add(Connection connection) {
        int at = slotOf(connection.hostPort, connection.guestPort);
        while (slots[at] != null) {
            at = (at + 1) & mask;
        }
        slots[at] = connection;
    }

    /** Takes out one that is there; those behind it move up, so that no gap hides them. */
    void remove(Connection connection) {
        int gap = slotOf(connection.hostPort, connection.guestPort);
        while (slots[gap] != connection) {
            if (slots[gap] == null) {
                throw new IllegalStateException("not in the table: " + connection);
            }
            gap = (gap + 1) & mask;
        }
        slots[gap] = null;
        int at = (gap + 1) & mask;
        for (Connection next = slots[at]; next != null; next = slots[at]) {
            int home = slotOf(next.hostPort, next.guestPort);
            // Whether its own place lies not between the gap and where it stands.
            if (((at - home) & mask) >= ((at - gap) & mask)) {
                slots[gap] = next;
                slots[at] = null;
                gap = at;
            }
            at = (at + 1) & mask;
        }
    }
}
