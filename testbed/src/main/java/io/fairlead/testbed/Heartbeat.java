package io.fairlead.testbed;

import io.fairlead.qemu.SerialPort;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * Measures by the host's clock how long a guest stood still, from the lines that a process in it writes to a serial card
 * without end. The guest's own clock cannot tell: it stands still too. Lines come every two milliseconds or so; those of
 * the disk as often as it answers, and the card sends up to 16 of them at once. On a busy machine a gap of some
 * milliseconds means nothing.
 *
 * <p>The job has {@link #FUNCTIONS} and calls {@code heartbeat_processor CARD} or {@code heartbeat_disk CARD DEVICE
 * SKIP_SECTORS SECTORS} or {@code heartbeat_folder CARD FOLDER}; the guest has {@link GuestSpec#heartbeats} cards. Any thread.
 */
public final class Heartbeat implements AutoCloseable {
    /** Shell functions that the job needs first. */
    public static final String FUNCTIONS = Resources.text("heartbeat.sh");

    /** Bytes that are read at once by {@code heartbeat_disk}. */
    public static final int SECTOR_BYTES = 512;

    private static final int FIRST_SERIAL_CARD = 2;
    private static final int MAX_TICKS = 1 << 22;

    private final Runnable stopListening;
    private long[] ticks = new long[1 << 12];
    private int count;

    private Heartbeat(SerialPort port) {
        this.stopListening = port.addListener(_ -> tick(System.nanoTime()));
    }

    private Heartbeat(Process program, String beat) {
        Thread reader = Thread.ofPlatform().daemon().name("heartbeat").start(() -> {
            try (BufferedReader lines = program.inputReader(StandardCharsets.UTF_8)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.contains(beat)) {
                        tick(System.nanoTime());
                    }
                }
            } catch (IOException e) {
                // The program was ended.
            }
        });
        this.stopListening = reader::interrupt;
    }

    /**
     * A pause between two lines, in nanoseconds of {@link System#nanoTime}.
     *
     * @param fromNanos when the line before it came
     * @param toNanos when the line after it came
     */
    public record Gap(long fromNanos, long toNanos) {
        public long nanos() {
            return toNanos - fromNanos;
        }
    }

    /** Listens to one of a guest's serial cards from now on, 0 for the first; also when the guest moves. */
    public static Heartbeat listen(Guest guest, int card) {
        return new Heartbeat(guest.machine().serialPort(FIRST_SERIAL_CARD + card));
    }

    /**
     * Listens to what a program of the host writes, until it ends.
     *
     * @param beat what a line has in it that counts
     */
    public static Heartbeat listen(Process program, String beat) {
        return new Heartbeat(program, beat);
    }

    /** Writes to an image what {@code heartbeat_disk} reads: blocks of one line end and zeros. */
    public static void prepare(Path image, long offset, long byteCount) throws IOException {
        if (offset < 0 || byteCount <= 0 || offset % SECTOR_BYTES != 0 || byteCount % SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("not blocks of %d: %d, %d".formatted(SECTOR_BYTES, offset, byteCount));
        }
        byte[] chunk = new byte[(int) Math.min(byteCount, 1 << 20)];
        for (int i = 0; i < chunk.length; i += SECTOR_BYTES) {
            chunk[i] = '\n';
        }
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            for (long done = 0; done < byteCount; ) {
                ByteBuffer bytes = ByteBuffer.wrap(chunk, 0, (int) Math.min(chunk.length, byteCount - done));
                while (bytes.hasRemaining()) {
                    done += file.write(bytes, offset + done);
                }
            }
        }
    }

    private synchronized void tick(long nowNanos) {
        if (count == ticks.length) {
            if (count == MAX_TICKS) {
                // The older half is of no interest any more.
                System.arraycopy(ticks, count / 2, ticks, 0, count / 2);
                count /= 2;
            } else {
                ticks = Arrays.copyOf(ticks, count * 2);
            }
        }
        ticks[count++] = nowNanos;
    }

    /** Lines so far, as many as are remembered. */
    public synchronized int count() {
        return count;
    }

    /**
     * The longest pause that touches a span of time.
     *
     * @throws IllegalStateException where no line came before the span's end, or none after its begin
     */
    public synchronized Gap longestGap(long fromNanos, long toNanos) {
        Gap longest = null;
        for (int i = 1; i < count; i++) {
            if (ticks[i] - fromNanos > 0
                    && ticks[i - 1] - toNanos < 0
                    && (longest == null || ticks[i] - ticks[i - 1] > longest.nanos())) {
                longest = new Gap(ticks[i - 1], ticks[i]);
            }
        }
        if (longest == null) {
            throw new IllegalStateException("the heart did not beat there: " + count + " beats");
        }
        return longest;
    }

    /** Lines that came in a span of time, as many as are remembered. */
    public synchronized int countBetween(long fromNanos, long toNanos) {
        int found = 0;
        for (int i = 0; i < count; i++) {
            if (ticks[i] - fromNanos >= 0 && ticks[i] - toNanos < 0) {
                found++;
            }
        }
        return found;
    }

    @Override
    public void close() {
        stopListening.run();
    }
}
