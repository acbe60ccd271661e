package io.fairlead.devices.net;

import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Which port a MAC address was last seen at. Bounded as a whole and for each port, so that a guest which makes addresses up
 * fills its own share and nobody else's; addresses that find no room are not learned, and their frames go to all ports.
 * What was not seen for {@value #MAX_AGE_SECONDS} s is forgotten.
 *
 * <p>Any thread, without locks and without allocation.
 */
final class MacTable {
    static final int CAPACITY = 8192;
    static final int MAX_PER_PORT = 1024;
    static final int MAX_AGE_SECONDS = 300;
    static final int NO_PORT = -1;

    /** An address lies within so many places from where its hash says. */
    private static final int WINDOW = 16;

    private static final int PORT_BITS = 16;
    private static final int PORT_MASK = (1 << PORT_BITS) - 1;

    /** Address, then port + 1; 0 where free. */
    private final AtomicLongArray entries = new AtomicLongArray(CAPACITY);

    private final AtomicIntegerArray seenSeconds = new AtomicIntegerArray(CAPACITY);
    private final AtomicIntegerArray perPort;

    /** Unknown to guests, so that none can choose addresses that meet another's. */
    private final long seed = ThreadLocalRandom.current().nextLong() | 1;

    /** @param maxPorts ports are below it */
    MacTable(int maxPorts) {
        if (maxPorts >= PORT_MASK) {
            throw new IllegalArgumentException(maxPorts + " ports are too many");
        }
        perPort = new AtomicIntegerArray(maxPorts);
    }

    private int place(long mac, int step) {
        long mixed = (mac ^ seed) * 0x9e37_79b9_7f4a_7c15L;
        mixed = (mixed ^ (mixed >>> 29)) * 0xbf58_476d_1ce4_e5b9L;
        return (int) ((mixed >>> 32) + step) & (CAPACITY - 1);
    }

    /** Notes that an address was seen at a port. */
    void learn(long mac, int port, int nowSeconds) {
        long wanted = (mac << PORT_BITS) | (port + 1);
        int free = -1;
        for (int step = 0; step < WINDOW; step++) {
            int at = place(mac, step);
            long entry = entries.get(at);
            if (entry == wanted) {
                if (seenSeconds.getPlain(at) != nowSeconds) {
                    seenSeconds.setOpaque(at, nowSeconds);
                }
                return;
            }
            if (entry >>> PORT_BITS == mac && entry != 0) {
                replace(at, entry, wanted, nowSeconds);
                return;
            }
            if (free < 0 && (entry == 0 || isOld(at, nowSeconds))) {
                free = at;
            }
        }
        if (free >= 0) {
            replace(free, entries.get(free), wanted, nowSeconds);
        }
    }

    private boolean isOld(int at, int nowSeconds) {
        return nowSeconds - seenSeconds.getPlain(at) > MAX_AGE_SECONDS;
    }

    private void replace(int at, long entry, long wanted, int nowSeconds) {
        int port = portOf(wanted);
        if (perPort.incrementAndGet(port) > MAX_PER_PORT) {
            perPort.decrementAndGet(port);
            return;
        }
        // Before the entry itself, which would else look old for a moment.
        seenSeconds.setOpaque(at, nowSeconds);
        if (entries.compareAndSet(at, entry, wanted)) {
            if (entry != 0) {
                perPort.decrementAndGet(portOf(entry));
            }
        } else {
            // Another thread was faster; the address comes again with the next frame.
            perPort.decrementAndGet(port);
        }
    }

    private static int portOf(long entry) {
        return (int) (entry & PORT_MASK) - 1;
    }

    /** The port of an address; {@link #NO_PORT} where it is not known. */
    int lookUp(long mac, int nowSeconds) {
        for (int step = 0; step < WINDOW; step++) {
            int at = place(mac, step);
            long entry = entries.get(at);
            if (entry >>> PORT_BITS == mac && entry != 0) {
                return isOld(at, nowSeconds) ? NO_PORT : portOf(entry);
            }
        }
        return NO_PORT;
    }

    /** Forgets all addresses of a port. */
    void forget(int port) {
        for (int at = 0; at < CAPACITY; at++) {
            long entry = entries.get(at);
            if (entry != 0 && portOf(entry) == port && entries.compareAndSet(at, entry, 0)) {
                perPort.decrementAndGet(port);
            }
        }
    }

    /** How many addresses of a port are known. */
    int count(int port) {
        return perPort.get(port);
    }
}
