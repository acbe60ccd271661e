package io.fairlead.devices.blk;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlkDeviceTest {
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

    @Test
    void readsAndWrites() throws IOException {
        try (BlkDevice device = BlkDevice.create("disk", BlkSettings.of(file).withSerial("serial-1"), loops);
                Guest guest = new Guest(device, Disk.memoryBytes(1, 8), 64, 0)) {
            guest.start(device.deviceFeatures() & ~io.fairlead.virtio.Feature.RING_PACKED);
            Disk disk = new Disk(guest, 0, 8);
            assertThat(disk.read(8, 4096)).isEqualTo(java.util.Arrays.copyOfRange(content, 4096, 8192));
            byte[] data = new byte[8192];
            new Random(2).nextBytes(data);
            assertThat(disk.write(16, data)).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.flush()).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.read(16, 8192)).isEqualTo(data);
            assertThat(new String(
                            disk.call(BlkRequest.GET_ID, 0, new byte[0], 20).in,
                            java.nio.charset.StandardCharsets.US_ASCII))
                    .startsWith("serial-1\0");
            device.reset();
        }
    }
}
