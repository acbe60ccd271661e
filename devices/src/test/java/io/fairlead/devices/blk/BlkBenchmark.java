package io.fairlead.devices.blk;

import io.fairlead.devices.base.Guest;
import io.fairlead.linux.Self;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.SplittableRandom;

/**
 * Drives a disk in one process by a polling driver of its own thread and prints requests a second and the device's
 * processor time a request, without and with a log of written pages. Not a test: run main with the path of a file to make and use.
 *
 * <pre>{@code BlkBenchmark FILE [seconds [filter]]}</pre>
 */
public final class BlkBenchmark {
    private static final int IO_BYTES = 4096;
    private static final long FILE_BYTES = 512L << 20;

    private BlkBenchmark() {}

    public static void main(String[] args) throws IOException {
        Path file = Path.of(args[0]);
        double seconds = args.length > 1 ? Double.parseDouble(args[1]) : 2;
        String filter = args.length > 2 ? args[2] : "";
        make(file);
        System.out.printf("%-40s %10s %14s%n", "", "k/s", "device us/io");
        for (boolean direct : new boolean[] {false, true}) {
            for (int type : new int[] {BlkRequest.IN, BlkRequest.OUT}) {
                for (boolean packed : new boolean[] {false, true}) {
                    for (int depth : new int[] {1, 32}) {
                        String name = "%s %s %s depth %d"
                                .formatted(
                                        direct ? "direct" : "cached",
                                        BlkRequest.typeName(type),
                                        packed ? "packed" : "split",
                                        depth);
                        if (name.contains(filter)) {
                            run(name + " ring", file, direct, type, packed, depth, seconds, true);
                            if (direct || type == BlkRequest.OUT) {
                                run(name + " workers", file, direct, type, packed, depth, seconds, false);
                            }
                        }
                    }
                }
            }
        }
        Files.delete(file);
    }

    private static void make(Path file) throws IOException {
        byte[] chunk = new byte[1 << 20];
        new Random(1).nextBytes(chunk);
        try (var out = Files.newOutputStream(file)) {
            for (long at = 0; at < FILE_BYTES; at += chunk.length) {
                out.write(chunk);
            }
        }
    }

    private static void run(
            String name, Path file, boolean direct, int type, boolean packed, int depth, double seconds, boolean ring)
            throws IOException {
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice device = BlkDevice.create("disk", BlkSettings.of(file).withDirect(direct), loops, ring);
                Guest guest = new Guest(device, Guest.RING_BYTES + depth * 8192L + 8192, 128, 0)) {
            long features = device.deviceFeatures() & ~(packed ? 0 : Feature.RING_PACKED);
            guest.start(features);
            measure(name, guest, type, depth, 0.7 * seconds, false);
            // In turns, so that what else the machine does hits both.
            try (SharedDirtyLog log = SharedDirtyLog.create("benchmark", 2 * Guest.BASE)) {
                for (int turn = 0; turn < 3; turn++) {
                    device.dirtyLog(null);
                    measure(name, guest, type, depth, seconds / 3, true);
                    device.dirtyLog(log);
                    measure(name + ", logged", guest, type, depth, seconds / 3, true);
                }
                device.dirtyLog(null);
            }
        }
    }

    private static long deviceCpuNanos() {
        return Self.processCpuNanos() - Self.threadCpuNanos();
    }

    private static void measure(String name, Guest guest, int type, int depth, double seconds, boolean print) {
        DriverQueue queue = guest.queue(0);
        MemorySegment memory = guest.memory();
        long data = (guest.dataOffset() + 8191) & -4096;
        long header = data + depth * 4096L;
        SplittableRandom random = new SplittableRandom(7);
        long[] addresses = new long[3];
        int[] lengths = new int[3];
        long cpu = deviceCpuNanos();
        long start = System.nanoTime();
        long end = start + (long) (seconds * 1e9);
        long count = 0;
        int inFlight = 0;
        int[] free = new int[depth];
        int freeCount = depth;
        for (int i = 0; i < depth; i++) {
            free[i] = i;
        }
        queue.disableInterrupts();
        try {
            while (true) {
                boolean over = end == 0 || System.nanoTime() > end;
                if (over && inFlight == 0) {
                    break;
                }
                end = over ? 0 : end;
                boolean added = false;
                while (end != 0 && freeCount > 0) {
                    int slot = free[--freeCount];
                    long at = header + slot * 64L;
                    memory.set(ValueLayout.JAVA_INT, at, type);
                    memory.set(
                            ValueLayout.JAVA_LONG,
                            at + 8,
                            (random.nextLong() & Long.MAX_VALUE) % (FILE_BYTES / IO_BYTES) * (IO_BYTES / 512));
                    addresses[0] = Guest.BASE + at;
                    lengths[0] = 16;
                    addresses[1] = Guest.BASE + data + slot * 4096L;
                    lengths[1] = IO_BYTES;
                    addresses[2] = Guest.BASE + at + 16;
                    lengths[2] = 1;
                    boolean write = type == BlkRequest.OUT;
                    queue.add(addresses, lengths, write ? 2 : 1, write ? 1 : 2, slot);
                    inFlight++;
                    added = true;
                }
                if (added && queue.publish()) {
                    guest.kick(0);
                }
                while (queue.poll()) {
                    int slot = (int) queue.token();
                    if (memory.get(ValueLayout.JAVA_BYTE, header + slot * 64L + 16) != 0) {
                        throw new IllegalStateException("a request failed");
                    }
                    free[freeCount++] = slot;
                    inFlight--;
                    count++;
                }
            }
        } catch (DeviceFaultException e) {
            throw new IllegalStateException(e);
        }
        double elapsed = (System.nanoTime() - start) / 1e9;
        cpu = deviceCpuNanos() - cpu;
        if (print) {
            System.out.printf("%-40s %10.1f %14.2f%n", name, count / elapsed / 1e3, cpu / 1e3 / count);
        }
    }
}
