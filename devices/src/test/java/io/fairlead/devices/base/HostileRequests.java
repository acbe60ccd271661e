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
import java.util.stream.IntStream;

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

    /**
     * The least that a request of the type is made of. Most requests are, so that they get further than to a first look; one
     * in ten is anything.
     *
     * @param readableBytes that the device reads at least; {@link #NOTHING} where it reads none
     * @param writableBytes that the device writes at least; {@link #NOTHING} where it writes none
     */
    public record Form(int readableBytes, int writableBytes) {
        public static final int NOTHING = -1;

        /** Nothing is known of a sound request. */
        public static final Form ANY = new Form(0, 0);
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

    /** As {@link #send(VdpaDevice, int, long, int, long, Form, Content)}, of any form. */
    public static Counts send(VdpaDevice device, int queue, long features, int count, long seed, Content content)
            throws Exception {
        return send(device, queue, features, count, seed, Form.ANY, content);
    }

    /**
     * Sends them to one queue, one at a time.
     *
     * @param content of what the device reads first
     */
    public static Counts send(
            VdpaDevice device, int queue, long features, int count, long seed, Form form, Content content)
            throws Exception {
        Random random = new Random(seed);
        int answered = 0;
        int resets = 0;
        int rings = device.queueCount() * Guest.RING_BYTES;
        try (Guest guest = new Guest(device, rings + DATA_BYTES, SIZE, 0)) {
            guest.start(features);
            for (int i = 0; i < count; i++) {
                add(random, guest, queue, rings, form, content);
                guest.publish(queue);
                DriverQueue driver = guest.queue(queue);
                awaitEnd(device, driver);
                if (needsReset(device)) {
                    resets++;
                    device.reset();
                    // The others wait for nothing; starting them takes most of the time.
                    guest.startOnly(queue, features);
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

    /** Lengths of some pieces that are so many bytes together at least. */
    private static int[] pieces(Random random, int leastBytes, int count) {
        int[] lengths = new int[count];
        int sum = 0;
        for (int i = 0; i < count; i++) {
            lengths[i] = 1 + (random.nextInt(3) == 0 ? random.nextInt(MAX_PIECE_BYTES) : random.nextInt(80));
            sum += lengths[i];
        }
        if (sum < leastBytes) {
            lengths[random.nextInt(count)] += leastBytes - sum;
        }
        return lengths;
    }

    private static int[] pieces(Random random, Form form, int leastBytes) {
        boolean sound = form.equals(Form.ANY) || random.nextInt(10) != 0;
        if (!sound) {
            return pieces(random, 0, random.nextInt(MAX_PIECES));
        }
        return switch (leastBytes) {
            case Form.NOTHING -> new int[0];
            case 0 -> pieces(random, 0, random.nextInt(MAX_PIECES));
            default -> pieces(random, leastBytes, 1 + random.nextInt(MAX_PIECES - 1));
        };
    }

    private static void add(Random random, Guest guest, int queue, int dataOffset, Form form, Content content) {
        int[] read = pieces(random, form, form.readableBytes);
        int[] written = pieces(random, form, form.writableBytes);
        if (read.length + written.length == 0) {
            written = pieces(random, 0, 1);
        }
        int readable = read.length;
        int writable = written.length;
        int[] lengths =
                IntStream.concat(IntStream.of(read), IntStream.of(written)).toArray();
        long[] addresses = new long[lengths.length];
        long at = dataOffset;
        for (int i = 0; i < addresses.length; i++) {
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
