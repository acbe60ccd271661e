package io.fairlead.devices.blk;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Random requests against a plain array of bytes, many in flight, cut into pieces at random. */
class BlkDeviceModelTest {
    private static final int DISK_BYTES = 4 << 20;
    private static final int DISK_SECTORS = DISK_BYTES / 512;
    private static final int DEPTH = 32;

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> behavesAsAnArrayOfBytes() {
        return runs(1, 4, 300);
    }

    @Tag("long")
    @TestFactory
    Stream<DynamicTest> behavesAsAnArrayOfBytesForLong() {
        return runs(100, 120, 5000);
    }

    private Stream<DynamicTest> runs(long firstSeed, long lastSeed, int requests) {
        List<DynamicTest> tests = new ArrayList<>();
        for (boolean packed : new boolean[] {false, true}) {
            for (boolean direct : new boolean[] {false, true}) {
                for (long seed = firstSeed; seed <= lastSeed; seed++) {
                    long s = seed;
                    String name = "%s, %s, %s, seed %d"
                            .formatted(
                                    packed ? "packed" : "split",
                                    direct ? "direct" : "cached",
                                    s % 2 == 0 ? "workers" : "io_uring",
                                    s);
                    tests.add(DynamicTest.dynamicTest(name, () -> new Run(folder, packed, direct, s, requests).run()));
                }
            }
        }
        return tests.stream();
    }

    /** One random run. */
    private static final class Run {
        private static final class Pending {
            private final Disk.Request request;
            private final long first;
            private final long end;
            private final byte[] expected;

            Pending(Disk.Request request, long first, long end, byte[] expected) {
                this.request = request;
                this.first = first;
                this.end = end;
                this.expected = expected;
            }
        }

        private final Path file;
        private final boolean direct;
        private final boolean packed;
        private final Random random;
        private final boolean ring;
        private final int requests;
        private final byte[] model = new byte[DISK_BYTES];
        private final List<Pending> pending = new ArrayList<>();
        private Disk disk;

        Run(Path folder, boolean packed, boolean direct, long seed, int requests) {
            file = folder.resolve("disk-%b-%b-%d".formatted(packed, direct, seed));
            this.packed = packed;
            this.direct = direct;
            random = new Random(seed);
            this.requests = requests;
            ring = seed % 2 == 1;
        }

        void run() throws IOException {
            random.nextBytes(model);
            Files.write(file, model);
            try (EventLoopGroup loops = new EventLoopGroup(1);
                    BlkDevice device = BlkDevice.create(
                            "disk", BlkSettings.of(file).withDirect(direct).withQueueSize(1024), loops, ring);
                    Guest guest = new Guest(device, Disk.memoryBytes(1, DEPTH), 1024, 0)) {
                guest.start(device.deviceFeatures() & ~(packed ? 0 : Feature.RING_PACKED));
                disk = new Disk(guest, 0, DEPTH);
                for (int i = 0; i < requests; i++) {
                    if (random.nextInt(8) == 0 || !disk.hasRoom(120)) {
                        disk.publish();
                        Disk.Request last = pending.get(random.nextInt(pending.size())).request;
                        disk.await(last);
                        check();
                    }
                    submitOne();
                }
                disk.publish();
                for (Pending each : List.copyOf(pending)) {
                    disk.await(each.request);
                }
                check();
                assertThat(disk.flush()).isEqualTo(BlkRequest.STATUS_OK);
                assertThat(device.statistics().total().failedRequests()).isZero();
            }
            assertThat(Files.readAllBytes(file)).isEqualTo(model);
            Files.delete(file);
        }

        private void check() {
            pending.removeIf(each -> {
                if (each.request.done) {
                    assertThat(each.request.status)
                            .as(BlkRequest.typeName(each.request.type))
                            .isZero();
                    if (each.request.type == BlkRequest.IN) {
                        assertThat(each.request.in).isEqualTo(each.expected);
                    }
                }
                return each.request.done;
            });
        }

        private void submitOne() {
            int sectors = 1 + random.nextInt(random.nextInt(10) == 0 ? 200 : 16);
            long first = random.nextInt(DISK_SECTORS - sectors);
            if (pending.stream().anyMatch(each -> each.first < first + sectors && first < each.end)) {
                return;
            }
            int from = (int) first * 512;
            int count = sectors * 512;
            boolean framed = random.nextInt(4) != 0;
            int mostPieces = 1 + random.nextInt(30);
            Disk.Cut cut = random.nextInt(3) == 0
                    ? Disk.Cut.WHOLE
                    : left -> Math.max(1 + random.nextInt(left), count / mostPieces);
            switch (random.nextInt(10)) {
                case 0, 1, 2, 3 ->
                    add(
                            disk.submit(BlkRequest.IN, first, new byte[0], count, cut, framed),
                            first,
                            sectors,
                            from,
                            count);
                case 4, 5, 6 -> {
                    byte[] data = new byte[count];
                    random.nextBytes(data);
                    System.arraycopy(data, 0, model, from, count);
                    add(disk.submit(BlkRequest.OUT, first, data, 0, cut, framed), first, sectors, from, count);
                }
                case 7 -> {
                    Arrays.fill(model, from, from + count, (byte) 0);
                    byte[] range = Disk.ranges(first, sectors, random.nextInt(2));
                    add(disk.submit(BlkRequest.WRITE_ZEROES, 0, range, 0, cut, framed), first, sectors, from, count);
                }
                case 8 -> {
                    // A hole in a raw file reads as zeros.
                    Arrays.fill(model, from, from + count, (byte) 0);
                    byte[] range = Disk.ranges(first, sectors / 2, 0, first + sectors / 2, sectors - sectors / 2, 0);
                    add(disk.submit(BlkRequest.DISCARD, 0, range, 0, cut, framed), first, sectors, from, count);
                }
                default -> add(disk.submit(BlkRequest.FLUSH, 0, new byte[0], 0, cut, framed), 0, 0, 0, 0);
            }
        }

        private void add(Disk.Request request, long first, int sectors, int from, int count) {
            pending.add(new Pending(request, first, first + sectors, Arrays.copyOfRange(model, from, from + count)));
        }
    }
}
