package io.fairlead.devices.blk;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What disks cost and give back, and control changes while a driver keeps a disk busy. */
class BlkResourcesTest {
    @TempDir
    Path folder;

    private Path file(String name) throws IOException {
        return Files.write(folder.resolve(name), new byte[1 << 20]);
    }

    private static long workerThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().contains("-io-"))
                .count();
    }

    @Test
    void givesEverythingBack() throws IOException {
        Path file = file("disk");
        try (EventLoopGroup loops = new EventLoopGroup(2)) {
            cycle(file, loops);
            long fds = Fd.openCount();
            long mappings = Mapping.openCount();
            for (int i = 0; i < 100; i++) {
                cycle(file, loops);
            }
            assertThat(Fd.openCount()).isEqualTo(fds);
            assertThat(Mapping.openCount()).isEqualTo(mappings);
            await().atMost(20, SECONDS).until(() -> workerThreads() == 0);
        }
    }

    private static void cycle(Path file, EventLoopGroup loops) throws IOException {
        BlkDevice device = BlkDevice.create("disk", BlkSettings.of(file).withQueueCount(2), loops);
        try (Guest guest = new Guest(device, Disk.memoryBytes(2, 1), 64, 0)) {
            guest.start(device.deviceFeatures());
            Disk disk = new Disk(guest, 1, 1);
            disk.write(0, new byte[512]);
            disk.flush();
            device.close();
        }
    }

    private static long residentBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        }
        throw new IOException("no VmRSS");
    }

    @Test
    void anIdleDiskTakesLittleMemory() throws IOException {
        List<BlkDevice> devices = new ArrayList<>();
        List<Guest> guests = new ArrayList<>();
        int count = 100;
        try (EventLoopGroup loops = new EventLoopGroup(2)) {
            for (int i = 0; i < 2; i++) {
                cycle(file("warm"), loops);
            }
            System.gc();
            long before = residentBytes();
            for (int i = 0; i < count; i++) {
                BlkDevice device = BlkDevice.create("disk-" + i, BlkSettings.of(file("disk-" + i)), loops);
                devices.add(device);
                Guest guest = new Guest(device, Disk.memoryBytes(1, 1), 256, 0);
                guests.add(guest);
                guest.start(device.deviceFeatures());
                new Disk(guest, 0, 1).read(0, 512);
            }
            long each = (residentBytes() - before) / count;
            // The guest's own rings (64 pages) lie in the same process here and are part of it.
            assertThat(each).isLessThan(1 << 20);
            for (int i = 0; i < count; i++) {
                devices.get(i).close();
                guests.get(i).close();
            }
        }
    }

    /** Keeps a number of reads and writes in flight. */
    private static void load(Disk disk, List<Disk.Request> pending, Random random) throws IOException {
        disk.poll();
        pending.removeIf(request -> {
            if (request.done) {
                assertThat(request.status).isEqualTo(BlkRequest.STATUS_OK);
            }
            return request.done;
        });
        while (disk.hasRoom(3)) {
            boolean out = random.nextBoolean();
            pending.add(disk.submit(
                    out ? BlkRequest.OUT : BlkRequest.IN,
                    random.nextInt(2048 - 8),
                    out ? new byte[4096] : new byte[0],
                    out ? 0 : 4096));
        }
        disk.publish();
    }

    @Test
    void controlChangesUnderLoadLoseNothing() throws IOException {
        for (boolean packed : new boolean[] {false, true}) {
            try (EventLoopGroup loops = new EventLoopGroup(1);
                    BlkDevice device = BlkDevice.create("disk", BlkSettings.of(file("busy" + packed)), loops);
                    SharedDirtyLog log = SharedDirtyLog.create("busy", Guest.BASE * 2);
                    Guest guest = new Guest(device, Disk.memoryBytes(1, 16), 64, 0)) {
                long features = device.deviceFeatures() & ~(packed ? 0 : Feature.RING_PACKED);
                guest.start(features);
                Disk disk = new Disk(guest, 0, 16);
                List<Disk.Request> pending = new ArrayList<>();
                Random random = new Random(11);
                for (int i = 0; i < 200; i++) {
                    load(disk, pending, random);
                    switch (random.nextInt(4)) {
                        case 0 -> {
                            device.suspend();
                            device.resume();
                        }
                        case 1 -> guest.swapMemory();
                        case 2 -> {
                            device.queueReady(0, false);
                            device.queueState(0, device.queueState(0));
                            device.queueReady(0, true);
                        }
                        default -> device.dirtyLog(i % 2 == 0 ? null : log);
                    }
                }
                for (Disk.Request request : pending) {
                    disk.await(request);
                    assertThat(request.status).isEqualTo(BlkRequest.STATUS_OK);
                }
                assertThat(device.status() & 64).isZero();
                assertThat(disk.outstanding()).isZero();
                load(disk, pending, random);
                device.reset();
                guest.start(features);
                Disk fresh = new Disk(guest, 0, 16);
                assertThat(fresh.read(0, 512)).hasSize(512);
            }
        }
    }
}
