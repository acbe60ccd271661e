package io.fairlead.devices.base;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A driver of any type that sends what no driver should: buffers of any number, length and direction, mostly with bytes
 * of no sense, now and then outside of memory. A device answers, or needs a reset; then it is reset and goes on.
 */
public final class HostileRequests {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(20);
    private static final int SIZE = 64;
    private static final int DATA_BYTES = 1 << 20;
    private static final int MAX_PIECES = 5;
    private static final int MAX_PIECE_BYTES = 8192;

    /** Fills what the device reads: with a header that makes sense, for example. */
    public interface Content {
        void fill(Random random, MemorySegment readable);
    }

    /** How often a device answered and how often it had to be reset. */
    public record Counts(int answered, int resets) {}

    private HostileRequests() {}

    /** Bytes of no sense, most of them small. */
    public static void noise(Random random, MemorySegment readable) {
        for (long i = 0; i < readable.byteSize(); i++) {
            readable.set(
                    ValueLayout.JAVA_BYTE, i, (byte) (random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(4)));
        }
    }

    /**
     * Sends them to one queue, one at a time.
     *
     * @param content of what the device reads first
     */
    public static Counts send(VdpaDevice device, int queue, long features, int count, long seed, Content content)
            throws Exception {
        Random random = new Random(seed);
        int answered = 0;
        int resets = 0;
        int rings = device.queueCount() * Guest.RING_BYTES;
        try (Guest guest = new Guest(device, rings + DATA_BYTES, SIZE, 0)) {
            guest.start(features);
            for (int i = 0; i < count; i++) {
                add(random, guest, queue, rings, content);
                guest.publish(queue);
                DriverQueue driver = guest.queue(queue);
                awaitEnd(device, driver);
                if (needsReset(device)) {
                    resets++;
                    device.reset();
                    guest.start(features);
                } else {
                    assertThat(driver.poll()).isTrue();
                    answered++;
                }
            }
            device.reset();
        }
        return new Counts(answered, resets);
    }

    /** Awaitility takes a thread for each wait, of which there are ten thousand. */
    private static void awaitEnd(VdpaDevice device, DriverQueue driver) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!driver.hasUsed() && !needsReset(device)) {
            assertThat(System.nanoTime()).as("neither an answer nor a reset").isLessThan(deadline);
            LockSupport.parkNanos(5_000);
        }
    }

    private static boolean needsReset(VdpaDevice device) {
        return DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET);
    }

    private static void add(Random random, Guest guest, int queue, int dataOffset, Content content) {
        int readable = random.nextInt(MAX_PIECES);
        int writable = readable == 0 ? 1 + random.nextInt(MAX_PIECES - 1) : random.nextInt(MAX_PIECES);
        long[] addresses = new long[readable + writable];
        int[] lengths = new int[readable + writable];
        long at = dataOffset;
        for (int i = 0; i < addresses.length; i++) {
            lengths[i] = 1 + (random.nextInt(3) == 0 ? random.nextInt(MAX_PIECE_BYTES) : random.nextInt(80));
            addresses[i] = Guest.BASE + at;
            at += lengths[i];
        }
        if (readable > 0) {
            long end = dataOffset;
            for (int i = 0; i < readable; i++) {
                end += lengths[i];
            }
            content.fill(random, guest.memory().asSlice(dataOffset, end - dataOffset));
        }
        if (random.nextInt(50) == 0) {
            int wrong = random.nextInt(addresses.length);
            addresses[wrong] = random.nextBoolean() ? random.nextLong() : Guest.BASE + dataOffset + DATA_BYTES - 1;
            lengths[wrong] = 1 + random.nextInt(1 << 20);
        }
        assertThat(guest.queue(queue).add(addresses, lengths, readable, writable, 1))
                .isTrue();
    }
}
