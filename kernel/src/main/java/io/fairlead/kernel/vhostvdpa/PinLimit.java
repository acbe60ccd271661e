package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Self;
import java.io.IOException;

/**
 * How much memory the kernel may pin for this process. What vhost-vdpa pins counts once for each device that has it, though
 * it lies in memory once, and against RLIMIT_MEMLOCK alone: no capability lifts that. Devices that access memory by this
 * process's own addresses pin nothing. Thread-safe.
 */
final class PinLimit {
    /** The process's limit. */
    interface Host {
        long limitBytes();

        long raise(long wantedBytes);

        long pinnedBytes() throws IOException;
    }

    static final long PAGE_BYTES = 4096;

    static final PinLimit OF_PROCESS = new PinLimit(new Host() {
        @Override
        public long limitBytes() {
            return Self.lockedMemoryLimitBytes();
        }

        @Override
        public long raise(long wantedBytes) {
            return Self.raiseLockedMemoryLimit(wantedBytes);
        }

        @Override
        public long pinnedBytes() throws IOException {
            return Self.pinnedMemoryBytes();
        }
    });

    private final Host host;

    PinLimit(Host host) {
        this.host = host;
    }

    long pinnedBytes() throws IOException {
        return host.pinnedBytes();
    }

    /**
     * Makes room for more, by raising the limit where the system lets us.
     *
     * @return bytes that the limit would have to be; 0 where it is enough
     */
    long shortOf(long moreBytes) throws IOException {
        long needed = saturatedSum(host.pinnedBytes(), moreBytes);
        if (host.limitBytes() >= needed || host.raise(needed) >= needed) {
            return 0;
        }
        return needed;
    }

    private static long saturatedSum(long a, long b) {
        long sum = a + b;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }

    /** What to set, for a need that {@link #shortOf} answered. */
    String remedy(String device, long moreBytes, long neededBytes) throws IOException {
        long kib = (neededBytes + 1023) / 1024;
        return ("%s: the guest's memory cannot be pinned: %d bytes more are needed, with those that this process has"
                        + " pinned %d (each device counts by itself), and its limit of locked memory is %d."
                        + " Start it with 'ulimit -l %d' or more, or LimitMEMLOCK=%dK in its systemd unit")
                .formatted(device, moreBytes, neededBytes, host.limitBytes(), kib, kib);
    }
}
