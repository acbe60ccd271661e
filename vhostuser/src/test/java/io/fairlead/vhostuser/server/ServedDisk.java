package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/** Two real disks behind one server, and the block requests of a test client. Checks at its end that nothing leaked. */
final class ServedDisk implements AutoCloseable {
    static final long FEATURES = Feature.VERSION_1 | Feature.EVENT_IDX;
    static final int DISK_BYTES = 1 << 20;
    private static final long HEADER = TestClient.GUEST_BASE + 0x10000;
    static final long STATUS = HEADER + 0x100;
    static final long DATA = HEADER + 0x1000;

    private final long descriptorsBefore = Fd.openCount();
    private final long mappingsBefore = Mapping.openCount();
    private final EventLoopGroup loops;
    private final Path folder;
    final VhostUserServer server;
    private final List<BlkDevice> more = new ArrayList<>();
    final byte[] content = new byte[DISK_BYTES];
    final BlkDevice disk;
    final BlkDevice other;
    final VhostUserEndpoint endpoint;
    final VhostUserEndpoint otherEndpoint;

    ServedDisk(Path folder) throws IOException {
        this.folder = folder;
        loops = new EventLoopGroup(1);
        server = new VhostUserServer();
        new Random(7).nextBytes(content);
        Path image = Files.write(folder.resolve("disk.img"), content);
        Path otherImage = Files.write(folder.resolve("other.img"), content);
        disk = BlkDevice.create("disk0", BlkSettings.of(image).withQueueCount(2), loops);
        other = BlkDevice.create("disk1", BlkSettings.of(otherImage), loops);
        endpoint = server.serve(disk, folder.resolve("disk.sock"));
        otherEndpoint = server.serve(other, folder.resolve("other.sock"));
    }

    /** A further disk, closed with the others, which a test serves in its own way. */
    BlkDevice unserved() throws IOException {
        int number = 2 + more.size();
        Path image = Files.write(folder.resolve("disk" + number + ".img"), content);
        BlkDevice device = BlkDevice.create("disk" + number, BlkSettings.of(image), loops);
        more.add(device);
        return device;
    }

    TestClient connect() throws IOException {
        return new TestClient(endpoint.path());
    }

    /** Reads a block over a running ring and compares it with what the disk holds. */
    void checkRead(TestClient client, DriverQueue queue, int sector) throws DeviceFaultException {
        assertThat(request(client, queue, BlkRequest.IN, sector)).isEqualTo(BlkRequest.STATUS_OK);
        byte[] read = client.guest(DATA, 512).toArray(ValueLayout.JAVA_BYTE);
        byte[] expected = new byte[512];
        System.arraycopy(content, sector * 512, expected, 0, 512);
        assertThat(read).isEqualTo(expected);
    }

    /** One request of 512 bytes; returns its status. */
    byte request(TestClient client, DriverQueue queue, int type, long sector) throws DeviceFaultException {
        add(client, queue, type, sector);
        eventually().until(queue::hasUsed);
        assertThat(queue.poll()).isTrue();
        assertThat(queue.token()).isEqualTo(sector);
        return client.guest(STATUS, 1).get(ValueLayout.JAVA_BYTE, 0);
    }

    void add(TestClient client, DriverQueue queue, int type, long sector) {
        MemorySegment header = client.guest(HEADER, BlkRequest.HEADER_BYTES);
        header.fill((byte) 0);
        header.set(ValueLayout.JAVA_INT, BlkRequest.TYPE_OFFSET, type);
        header.set(ValueLayout.JAVA_LONG, BlkRequest.SECTOR_OFFSET, sector);
        client.guest(STATUS, 1).set(ValueLayout.JAVA_BYTE, 0, (byte) 0x55);
        long[] addresses = {HEADER, DATA, STATUS};
        int[] lengths = {BlkRequest.HEADER_BYTES, 512, 1};
        boolean write = type == BlkRequest.OUT;
        assertThat(queue.add(addresses, lengths, write ? 2 : 1, write ? 1 : 2, sector))
                .isTrue();
        if (queue.publish()) {
            client.kick.signal();
        }
    }

    /** That the other device of the process still serves. */
    void checkOther() throws IOException, DeviceFaultException {
        try (TestClient client = new TestClient(otherEndpoint.path())) {
            client.negotiate(FEATURES);
            DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
            checkRead(client, queue, 5);
        }
        awaitFree(otherEndpoint);
    }

    /** Waits without losing the tenth of a second that Awaitility waits by default. */
    static ConditionFactory eventually() {
        return Awaitility.await()
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .atMost(Duration.ofSeconds(20));
    }

    static void awaitFree(VhostUserEndpoint endpoint) {
        eventually().until(() -> !endpoint.isConnected());
    }

    @Override
    public void close() throws IOException {
        server.close();
        disk.close();
        other.close();
        for (BlkDevice device : more) {
            device.close();
        }
        loops.close();
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }
}
