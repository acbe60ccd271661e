package io.fairlead.devices.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlkDeviceTest {
    private static final byte[] NONE = new byte[0];

    @TempDir
    Path folder;

    private EventLoopGroup loops;
    private Path file;
    private byte[] content;

    @BeforeEach
    void makeFile() throws IOException {
        loops = new EventLoopGroup(1);
        file = folder.resolve("disk.raw");
        content = new byte[1 << 20];
        new Random(1).nextBytes(content);
        Files.write(file, content);
    }

    @AfterEach
    void closeLoops() {
        loops.close();
    }

    private interface Body {
        void run(BlkDevice device, Disk disk) throws IOException;
    }

    private void withDisk(BlkSettings settings, long without, Body body) throws IOException {
        try (BlkDevice device = BlkDevice.create("disk", settings, loops);
                Guest guest = new Guest(device, Disk.memoryBytes(1, 8), 64, 0)) {
            guest.start(device.deviceFeatures() & ~without);
            body.run(device, new Disk(guest, 0, 8));
        }
    }

    @Test
    void readsWritesAndFlushes() throws IOException {
        withDisk(BlkSettings.of(file), Feature.RING_PACKED, (device, disk) -> {
            assertThat(disk.read(8, 4096)).isEqualTo(Arrays.copyOfRange(content, 4096, 8192));
            byte[] data = new byte[8192];
            new Random(2).nextBytes(data);
            assertThat(disk.write(16, data)).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.flush()).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.read(16, 8192)).isEqualTo(data);
            var total = device.statistics().total();
            assertThat(total.requests()).isEqualTo(4);
            assertThat(total.readBytes()).isEqualTo(4096 + 8192);
            assertThat(total.writtenBytes()).isEqualTo(8192);
            assertThat(total.kicks()).isPositive();
            assertThat(total.signals()).isPositive();
        });
    }

    @Test
    void tellsItsSerialNumber() throws IOException {
        withDisk(BlkSettings.of(file).withSerial("serial-1"), 0, (device, disk) -> {
            Disk.Request whole = disk.call(BlkRequest.GET_ID, 0, NONE, 20);
            assertThat(new String(whole.in, StandardCharsets.US_ASCII)).isEqualTo("serial-1" + "\0".repeat(12));
            Disk.Request part = disk.call(BlkRequest.GET_ID, 0, NONE, 3);
            assertThat(new String(part.in, StandardCharsets.US_ASCII)).isEqualTo("ser");
        });
    }

    @Test
    void refusesWhatIsOutsideTheCapacity() throws IOException {
        withDisk(BlkSettings.of(file), 0, (device, disk) -> {
            long end = content.length / 512;
            for (long sector : new long[] {end, end - 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 55, -2}) {
                assertThat(disk.call(BlkRequest.IN, sector, NONE, 1024).status)
                        .as("read " + sector)
                        .isEqualTo(BlkRequest.STATUS_IOERR);
                assertThat(disk.write(sector, new byte[1024]))
                        .as("write " + sector)
                        .isEqualTo(BlkRequest.STATUS_IOERR);
                assertThat(disk.call(BlkRequest.WRITE_ZEROES, 0, Disk.ranges(sector, 2, 0), 0).status)
                        .isEqualTo(BlkRequest.STATUS_IOERR);
                assertThat(disk.call(BlkRequest.DISCARD, 0, Disk.ranges(sector, 2, 0), 0).status)
                        .isEqualTo(BlkRequest.STATUS_IOERR);
            }
            assertThat(disk.read(end - 2, 1024))
                    .isEqualTo(Arrays.copyOfRange(content, content.length - 1024, content.length));
        });
        assertThat(Files.readAllBytes(file)).isEqualTo(content);
    }

    @Test
    void answersOddRequests() throws IOException {
        withDisk(BlkSettings.of(file), 0, (device, disk) -> {
            assertThat(disk.call(BlkRequest.IN, 0, NONE, 0).status).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.write(0, NONE)).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.call(BlkRequest.IN, 0, NONE, 511).status).isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.write(0, new byte[513])).isEqualTo(BlkRequest.STATUS_IOERR);
            for (int type : new int[] {2, 3, 5, BlkRequest.SECURE_ERASE, BlkRequest.ZONE_APPEND, -1}) {
                assertThat(disk.call(type, 0, NONE, 8).status).isEqualTo(BlkRequest.STATUS_UNSUPP);
            }
            assertThat(disk.call(BlkRequest.DISCARD, 0, Disk.ranges(0, 1, 1), 0).status)
                    .isEqualTo(BlkRequest.STATUS_UNSUPP);
            assertThat(disk.call(BlkRequest.WRITE_ZEROES, 0, Disk.ranges(0, 1, 2), 0).status)
                    .isEqualTo(BlkRequest.STATUS_UNSUPP);
            assertThat(disk.call(BlkRequest.DISCARD, 0, new byte[17], 0).status).isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.call(BlkRequest.DISCARD, 0, new byte[65 * 16], 0).status)
                    .isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.call(BlkRequest.WRITE_ZEROES, 0, Disk.ranges(0, 0, 0), 0).status)
                    .isEqualTo(BlkRequest.STATUS_OK);
        });
        assertThat(Files.readAllBytes(file)).isEqualTo(content);
    }

    @Test
    void refusesWritesToAReadOnlyDisk() throws IOException {
        withDisk(BlkSettings.of(file).withReadOnly(true), 0, (device, disk) -> {
            assertThat(device.deviceFeatures() & (BlkConfig.F_RO | BlkConfig.F_DISCARD | BlkConfig.F_WRITE_ZEROES))
                    .isEqualTo(BlkConfig.F_RO);
            assertThat(disk.write(0, new byte[512])).isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.call(BlkRequest.WRITE_ZEROES, 0, Disk.ranges(0, 1, 0), 0).status)
                    .isEqualTo(BlkRequest.STATUS_UNSUPP);
            assertThat(disk.flush()).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.read(0, 512)).isEqualTo(Arrays.copyOf(content, 512));
        });
        assertThat(Files.readAllBytes(file)).isEqualTo(content);
    }

    @Test
    void servesDiscardOnlyWhereItWasNegotiated() throws IOException {
        withDisk(BlkSettings.of(file), BlkConfig.F_DISCARD, (device, disk) -> {
            assertThat(disk.call(BlkRequest.DISCARD, 0, Disk.ranges(0, 8, 0), 0).status)
                    .isEqualTo(BlkRequest.STATUS_UNSUPP);
        });
        assertThat(Files.readAllBytes(file)).isEqualTo(content);
    }

    @Test
    void saysWhatItsConfigurationIs() throws IOException {
        BlkSettings settings =
                BlkSettings.of(file).withQueueCount(3).withBlockSizeBytes(4096).withQueueSize(128);
        try (BlkDevice device = BlkDevice.create("disk", settings, loops)) {
            MemorySegment config = MemorySegment.ofArray(new byte[BlkConfig.BYTES]);
            device.readConfig(0, config);
            assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(2048);
            assertThat(BlkConfig.BLOCK_SIZE_BYTES.read(config)).isEqualTo(4096);
            assertThat(BlkConfig.NUM_QUEUES.read(config)).isEqualTo(3);
            assertThat(BlkConfig.SEG_MAX.read(config)).isEqualTo(126);
            assertThat(BlkConfig.WRITEBACK.read(config)).isEqualTo(1);
            assertThat(BlkConfig.MAX_DISCARD_SECTORS.read(config)).isEqualTo(32768);
            assertThat(device.queueCount()).isEqualTo(3);
        }
    }

    @Test
    void growsWhileInUse() throws IOException {
        withDisk(BlkSettings.of(file), 0, (device, disk) -> {
            AtomicInteger changes = new AtomicInteger();
            device.listener(new DeviceListener() {
                @Override
                public void configChanged() {
                    changes.incrementAndGet();
                }

                @Override
                public void needsReset(String reason) {}
            });
            assertThat(disk.write(2048, new byte[512])).isEqualTo(BlkRequest.STATUS_IOERR);
            int generation = device.configGeneration();
            device.resize(2 << 20);
            assertThat(changes).hasValue(1);
            assertThat(device.configGeneration()).isNotEqualTo(generation);
            assertThat(disk.write(2048, new byte[512])).isEqualTo(BlkRequest.STATUS_OK);
            assertThatThrownBy(() -> device.resize(1000)).isInstanceOf(IOException.class);
            assertThat(device.byteCount()).isEqualTo(2 << 20);
        });
        assertThat(Files.size(file)).isEqualTo(2 << 20);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void doesNotInventDataWhereTheFileWasCutShort(boolean readBefore) throws IOException {
        withDisk(BlkSettings.of(file), 0, (device, disk) -> {
            for (int round = 0; readBefore && round < 3; round++) {
                // Pages that were read a moment ago are read without a system call.
                for (int at = 0; at < content.length; at += 64 << 10) {
                    assertThat(disk.read(at / 512, 64 << 10))
                            .isEqualTo(Arrays.copyOfRange(content, at, at + (64 << 10)));
                }
            }
            try (RandomAccessFile other = new RandomAccessFile(file.toFile(), "rw")) {
                // Not at a page's end: a mapping would read zeros up to there.
                other.setLength(content.length / 2 + 1024);
            }
            long half = content.length / 1024;
            assertThat(disk.read(half, 1024))
                    .isEqualTo(Arrays.copyOfRange(content, (int) half * 512, (int) half * 512 + 1024));
            assertThat(disk.call(BlkRequest.IN, half, NONE, 4096).status).isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.call(BlkRequest.IN, half + 100, NONE, 4096).status).isEqualTo(BlkRequest.STATUS_IOERR);
            // A write would turn what is lost into zeros that read well.
            assertThat(disk.write(2000, new byte[512])).isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.call(BlkRequest.IN, half + 100, NONE, 512).status).isEqualTo(BlkRequest.STATUS_IOERR);
            assertThat(disk.read(0, 512)).isEqualTo(Arrays.copyOf(content, 512));
        });
    }

    @Test
    void directRequestsMayLieAnywhereInMemory() throws IOException {
        withDisk(BlkSettings.of(file).withDirect(true), 0, (device, disk) -> {
            byte[] data = new byte[64 << 10];
            new Random(3).nextBytes(data);
            Disk.Request write = disk.submit(BlkRequest.OUT, 64, data, 0, left -> 1777, false);
            disk.publish();
            disk.await(write);
            assertThat(write.status).isEqualTo(BlkRequest.STATUS_OK);
            Disk.Request read = disk.submit(BlkRequest.IN, 64, NONE, data.length, left -> 2111, false);
            disk.publish();
            disk.await(read);
            assertThat(read.in).isEqualTo(data);
        });
    }

    @Test
    void saysWhyAFileIsNoDisk() throws IOException {
        assertThatThrownBy(() -> BlkDevice.create("d", BlkSettings.of(folder.resolve("none")), loops))
                .hasMessageContaining("none")
                .hasMessageContaining("ENOENT");
        assertThatThrownBy(() -> BlkDevice.create("d", BlkSettings.of(folder), loops))
                .hasMessageContaining("is a directory");
        Path odd = Files.write(folder.resolve("odd"), new byte[1000]);
        assertThatThrownBy(() -> BlkDevice.create("d", BlkSettings.of(odd), loops))
                .hasMessageContaining("truncate");
        Path empty = Files.write(folder.resolve("empty"), NONE);
        assertThatThrownBy(() -> BlkDevice.create("d", BlkSettings.of(empty), loops))
                .hasMessageContaining("truncate");
        assertThatThrownBy(() -> BlkDevice.create("d", BlkSettings.of(Path.of("/dev/null")), loops))
                .hasMessageContaining("special file");
    }

    @Test
    void locksTheFileAgainstOtherWriters() throws IOException {
        BlkSettings settings = BlkSettings.of(file);
        try (BlkDevice first = BlkDevice.create("first", settings, loops)) {
            assertThat(first.name()).isEqualTo("first");
            assertThatThrownBy(() -> BlkDevice.create("second", settings, loops))
                    .hasMessageContaining("is in use");
            assertThatThrownBy(() -> BlkDevice.create("second", settings.withReadOnly(true), loops))
                    .hasMessageContaining("is in use");
            BlkDevice.create("second", settings.withLocked(false), loops).close();
        }
        try (BlkDevice first = BlkDevice.create("first", settings.withReadOnly(true), loops);
                BlkDevice second = BlkDevice.create("second", settings.withReadOnly(true), loops)) {
            assertThat(first.byteCount()).isEqualTo(second.byteCount());
            assertThatThrownBy(() -> BlkDevice.create("third", settings, loops)).hasMessageContaining("is in use");
        }
        BlkDevice.create("again", settings, loops).close();
    }

    @Test
    void writesDoNotHideThatTheFileWasCutShort() throws IOException {
        for (boolean durable : new boolean[] {false, true}) {
            Files.write(file, content);
            withDisk(BlkSettings.of(file), durable ? BlkConfig.F_FLUSH : 0, (device, disk) -> {
                try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
                    cut.setLength(512 << 10);
                }
                assertThat(disk.write(1536, new byte[4096])).isEqualTo(BlkRequest.STATUS_IOERR);
                assertThat(Files.size(file)).isEqualTo(512 << 10);
                assertThat(disk.read(0, 4096)).isEqualTo(Arrays.copyOf(content, 4096));
            });
        }
    }
}
