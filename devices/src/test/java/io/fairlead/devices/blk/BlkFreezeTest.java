package io.fairlead.devices.blk;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.storage.StubStorage;
import io.fairlead.linux.Errno;
import io.fairlead.vdpa.VdpaDevice.StopMode;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRegion;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Disks that stop while the storage still works. */
class BlkFreezeTest {
    private static final int DEPTH = 16;
    private static final int SIZE = 64;
    private static final int SECTORS = StubStorage.BYTES / 512;

    @TempDir
    Path folder;

    private static final class Pending {
        private final Disk.Request request;
        private final int first;
        private final int sectors;
        private final byte[] expected;

        Pending(Disk.Request request, int first, int sectors, byte[] expected) {
            this.request = request;
            this.first = first;
            this.sectors = sectors;
            this.expected = expected;
        }
    }

    /** Freezes a disk under load and has it go on, again and again; its content is what was written last. */
    private static void rollBackOften(BlkDevice device, boolean packed, long seed, byte[] model) throws Exception {
        Random random = new Random(seed);
        try (Arena arena = Arena.ofShared();
                Guest guest = new Guest(device, Disk.memoryBytes(1, DEPTH), SIZE, 0)) {
            long features = device.deviceFeatures() & ~(packed ? 0 : Feature.RING_PACKED);
            device.driverFeatures(features);
            guest.prepareQueue(0, features);
            device.queueInflight(0, arena.allocate(InflightRegion.byteCount(SIZE, packed), 64));
            device.queueReady(0, true);
            device.stopMode(StopMode.FREEZE);
            Disk disk = new Disk(guest, 0, DEPTH);
            List<Pending> pending = new ArrayList<>();
            int left = 0;
            for (int i = 0; i < 400; i++) {
                submit(disk, random, pending, model);
                disk.publish();
                if (random.nextInt(3) == 0) {
                    LockSupport.parkNanos(random.nextInt(100_000));
                    device.suspend();
                    left += device.inflightRequests(0).count();
                    device.resume();
                }
                disk.poll();
                check(pending);
            }
            for (Pending each : pending) {
                disk.await(each.request);
            }
            check(pending);
            assertThat(pending).isEmpty();
            assertThat(left).isPositive();
            device.suspend();
            device.settled().toCompletableFuture().get(20, SECONDS);
            device.reset();
        }
    }

    private static void submit(Disk disk, Random random, List<Pending> pending, byte[] model) {
        for (int i = 0; i < 4 && disk.hasRoom(3); i++) {
            int sectors = 1 + random.nextInt(16);
            int first = random.nextInt(SECTORS - sectors);
            if (pending.stream().anyMatch(each -> each.first < first + sectors && first < each.first + each.sectors)) {
                continue;
            }
            byte[] data = Arrays.copyOfRange(model, first * 512, (first + sectors) * 512);
            if (random.nextBoolean()) {
                random.nextBytes(data);
                System.arraycopy(data, 0, model, first * 512, data.length);
                pending.add(new Pending(disk.submit(BlkRequest.OUT, first, data, 0), first, sectors, data));
            } else {
                pending.add(
                        new Pending(disk.submit(BlkRequest.IN, first, new byte[0], data.length), first, sectors, data));
            }
        }
    }

    private static void check(List<Pending> pending) {
        pending.removeIf(each -> {
            if (each.request.done) {
                assertThat(each.request.status).isEqualTo(BlkRequest.STATUS_OK);
                if (each.request.type == BlkRequest.IN) {
                    assertThat(each.request.in).isEqualTo(each.expected);
                }
            }
            return each.request.done;
        });
    }

    @Test
    void goesOnWithSlowWorkers() throws Exception {
        for (boolean packed : new boolean[] {false, true}) {
            StubStorage backend = new StubStorage();
            backend.now = false;
            backend.delayNanos = 50_000;
            byte[] model = new byte[StubStorage.BYTES];
            try (EventLoopGroup loops = new EventLoopGroup(1);
                    BlkDevice device = StubDisk.of(backend, loops, 1)) {
                rollBackOften(device, packed, 5, model);
            }
            assertThat(backend.log.getLast()).isEqualTo("flush");
            assertThat(backend.content.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(model);
            backend.arena.close();
        }
    }

    @Test
    void goesOnWithIoUringAndPageCache() throws Exception {
        for (boolean direct : new boolean[] {false, true}) {
            byte[] model = new byte[StubStorage.BYTES];
            Path file = Files.write(folder.resolve("disk-" + direct), model);
            try (EventLoopGroup loops = new EventLoopGroup(1);
                    BlkDevice device =
                            BlkDevice.create("disk", BlkSettings.of(file).withDirect(direct), loops)) {
                rollBackOften(device, direct, 6, model);
            }
            assertThat(Files.readAllBytes(file)).isEqualTo(model);
        }
    }

    @Test
    void anOldWriteEndsBeforeItIsDoneElsewhereAndIsFlushed() throws IOException {
        StubStorage backend = new StubStorage();
        backend.now = false;
        backend.slowOffset = 4096;
        backend.gate = new CountDownLatch(1);
        try (Arena arena = Arena.ofShared();
                EventLoopGroup loops = new EventLoopGroup(2);
                BlkDevice device = StubDisk.of(backend, loops, 1);
                BlkDevice other = StubDisk.of(backend, loops, 1);
                Guest guest = new Guest(device, Disk.memoryBytes(1, 4), SIZE, 0)) {
            long features = device.deviceFeatures() & ~Feature.RING_PACKED;
            device.driverFeatures(features);
            guest.prepareQueue(0, features);
            MemorySegment region = arena.allocate(InflightRegion.byteCount(SIZE, false), 64);
            device.queueInflight(0, region);
            device.queueReady(0, true);
            device.stopMode(StopMode.FREEZE);
            Disk disk = new Disk(guest, 0, 4);
            byte[] data = new byte[512];
            new Random(3).nextBytes(data);
            Disk.Request slow = disk.submit(BlkRequest.OUT, 8, data, 0);
            disk.publish();
            disk.read(0, 512);
            device.queueReady(0, false);
            CompletableFuture<Void> settled = device.settled().toCompletableFuture();
            other.driverFeatures(features);
            guest.attach(other);
            other.queueState(0, device.queueState(0));
            other.carryOver(0, device.inflightRequests(0), settled);
            guest.connect(other, 0);
            other.queueReady(0, true);
            // What is new does not wait.
            assertThat(disk.write(64, data)).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(settled).isNotDone();
            assertThat(slow.done).isFalse();
            assertThat(backend.log).containsExactly("write 32768");
            backend.gate.countDown();
            disk.await(slow);
            assertThat(slow.status).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(settled).isDone();
            assertThat(backend.log.subList(1, 3)).containsExactly("write 4096", "flush");
            assertThat(backend.log.getLast()).isEqualTo("write 4096");
            assertThat(device.statistics().total().requests()).as("the read").isEqualTo(1);
            assertThat(other.statistics().total().requests()).isEqualTo(2);
            backend.flushError = -Errno.EIO;
            assertThatThrownBy(() -> device.settled().toCompletableFuture().join())
                    .hasMessageContaining("EIO");
        }
        backend.arena.close();
    }
}
