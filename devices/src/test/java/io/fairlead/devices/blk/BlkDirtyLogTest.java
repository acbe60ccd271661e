package io.fairlead.devices.blk;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every page of guest memory that changed while a disk worked on random requests is marked: buffers and rings. */
class BlkDirtyLogTest {
    private static final int PAGE = (int) SharedDirtyLog.PAGE_BYTES;
    private static final int DEPTH = 16;
    private static final int ROUNDS = 20;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"false,0", "true,0", "false,8", "true,8"})
    void everyPageThatChangedIsMarked(boolean packed, int indirectEntries) throws IOException {
        Random random = new Random(indirectEntries + 1);
        byte[] content = new byte[1 << 20];
        random.nextBytes(content);
        Path file = Files.write(folder.resolve("disk"), content);
        long memoryBytes = Disk.memoryBytes(1, DEPTH);
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice device = BlkDevice.create("disk", BlkSettings.of(file), loops);
                SharedDirtyLog log = SharedDirtyLog.create("test", Guest.BASE + memoryBytes);
                Guest guest = new Guest(device, memoryBytes, 256, indirectEntries)) {
            long without = (packed ? 0 : Feature.RING_PACKED) | (indirectEntries > 0 ? 0 : Feature.INDIRECT_DESC);
            guest.start(device.deviceFeatures() & ~without);
            Disk disk = new Disk(guest, 0, DEPTH);
            int changedPages = 0;
            long markedPages = 0;
            for (int round = 0; round < ROUNDS; round++) {
                device.suspend();
                long requests = device.statistics().total().requests();
                int count = 1 + random.nextInt(DEPTH);
                for (int i = 0; i < count; i++) {
                    submit(disk, random);
                }
                disk.publish();
                // Nobody but the device writes from here on.
                byte[] before = guest.memory().toArray(ValueLayout.JAVA_BYTE);
                log.clear();
                device.dirtyLog(log);
                device.resume();
                await().pollInterval(Duration.ofMillis(1))
                        .atMost(20, SECONDS)
                        .until(() -> device.statistics().total().requests() == requests + count);
                device.suspend();
                changedPages += requireMarked(guest.memory(), before, log);
                markedPages += marked(log, Guest.BASE + memoryBytes);
                assertThat(device.statistics().markedPages()).hasValue(markedPages);
                device.dirtyLog(null);
                device.resume();
                assertThat(disk.poll()).isEqualTo(count);
            }
            assertThat(changedPages).isGreaterThan(ROUNDS * 2);
            assertThat(log.marksOutside()).isZero();
            device.reset();
        }
    }

    private static long marked(SharedDirtyLog log, long endAddress) {
        return LongStream.range(0, endAddress / PAGE)
                .filter(page -> log.isMarked(page * PAGE))
                .count();
    }

    private static void submit(Disk disk, Random random) {
        Disk.Cut cut = left -> 1 + random.nextInt(left);
        int sectors = 1 + random.nextInt(24);
        int first = random.nextInt(2048 - sectors);
        switch (random.nextInt(4)) {
            case 0 -> disk.submit(BlkRequest.OUT, first, new byte[sectors * 512], 0);
            case 1 -> disk.submit(BlkRequest.GET_ID, 0, new byte[0], 20, cut, random.nextBoolean());
            default ->
                disk.submit(
                        BlkRequest.IN,
                        first,
                        new byte[0],
                        sectors * 512,
                        random.nextBoolean() ? Disk.Cut.WHOLE : left -> Math.max(sectors * 128, left / 2),
                        random.nextBoolean());
        }
    }

    private static int requireMarked(MemorySegment memory, byte[] before, SharedDirtyLog log) {
        int changed = 0;
        for (int at = 0; at < before.length; at += PAGE) {
            if (memory.asSlice(at, PAGE).mismatch(MemorySegment.ofArray(before).asSlice(at, PAGE)) >= 0) {
                changed++;
                assertThat(log.isMarked(Guest.BASE + at)).as("page at 0x%x", at).isTrue();
            }
        }
        return changed;
    }
}
