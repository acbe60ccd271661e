package io.fairlead.vhostuser.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;

/**
 * A disk of ours served as another daemon would, and a back-end that takes it. Checks at its end that nothing leaked, and
 * that the disk's file is what the guest wrote.
 */
final class OtherDaemon implements AutoCloseable {
    static final int DISK_BYTES = 1 << 20;

    private final long descriptorsBefore = Fd.openCount();
    private final long mappingsBefore = Mapping.openCount();
    final EventLoopGroup loops;
    final byte[] content = new byte[DISK_BYTES];
    final Path image;
    final Path socket;
    final VhostUserServer server;
    final BlkDevice disk;
    VhostUserEndpoint endpoint;
    final VhostUserBackend device;
    final List<String> told = new CopyOnWriteArrayList<>();

    OtherDaemon(Path folder) throws IOException {
        this(folder, -1);
    }

    /** @param features of the daemon's, those that the back-end offers */
    OtherDaemon(Path folder, long features) throws IOException {
        new Random(11).nextBytes(content);
        image = Files.write(folder.resolve("disk.img"), content);
        socket = folder.resolve("daemon.sock");
        loops = new EventLoopGroup(1);
        server = new VhostUserServer();
        disk = BlkDevice.create("served", BlkSettings.of(image).withQueueCount(2), loops);
        endpoint = server.serve(disk, socket);
        device = VhostUserBackend.connect("taken", settings().withFeatures(features), loops.next());
        device.listener(new DeviceListener() {
            @Override
            public void configChanged() {
                told.add("config");
            }

            @Override
            public void needsReset(String reason) {
                told.add(reason);
            }
        });
    }

    VhostUserBackendSettings settings() {
        return VhostUserBackendSettings.of(socket, DeviceId.BLOCK)
                .withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20));
    }

    /** The daemon goes, and a new one comes. */
    void restart() throws IOException {
        endpoint.close();
        endpoint = server.serve(disk, socket);
    }

    static ConditionFactory eventually() {
        return Awaitility.await()
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .atMost(Duration.ofSeconds(20));
    }

    @Override
    public void close() throws IOException {
        device.close();
        device.close();
        server.close();
        disk.close();
        loops.close();
        assertThat(Arrays.mismatch(Files.readAllBytes(image), content))
                .as("first byte of the image that the guest did not write")
                .isEqualTo(-1);
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }
}
