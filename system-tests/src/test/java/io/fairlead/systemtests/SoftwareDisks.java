package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Mapping;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** Disks served from within the test's process. Checks at its end that no descriptor and no mapping is left. */
final class SoftwareDisks implements AutoCloseable {
    private final long descriptorsBefore = Fd.openCount();
    private final long mappingsBefore = Mapping.openCount();
    private final Path folder;
    private final EventLoopGroup loops;
    private final VhostUserServer server;
    private final List<Disk> disks = new ArrayList<>();

    /** @param folder where the sockets lie */
    SoftwareDisks(Path folder) throws IOException {
        this.folder = folder;
        loops = new EventLoopGroup(2);
        server = new VhostUserServer();
    }

    /** A disk and where it is served. */
    record Disk(BlkDevice device, VhostUserEndpoint endpoint, Path image) {
        /** QEMU's device for it, with all its queues. */
        VhostUserDevice forMachine() {
            return forMachine(device.name());
        }

        /** @param id in QEMU */
        VhostUserDevice forMachine(String id) {
            return VhostUserDevice.blk(id, endpoint.path()).with("num-queues", device.queueCount());
        }

        QueueStatistics.Snapshot statistics() {
            return device.statistics().total();
        }

        /** How many queues have served a request. */
        long busyQueues() {
            return device.statistics().queues().stream()
                    .filter(queue -> queue.snapshot().requests() > 0)
                    .count();
        }
    }

    Disk serve(String name, BlkSettings settings) throws IOException {
        return serve(name, settings, device -> device);
    }

    /** @param shown makes of the device what its clients see */
    Disk serve(String name, BlkSettings settings, UnaryOperator<VdpaDevice> shown) throws IOException {
        BlkDevice device = BlkDevice.create(name, settings, loops);
        VhostUserEndpoint endpoint = server.serve(shown.apply(device), folder.resolve(name + ".sock"));
        Disk disk = new Disk(device, endpoint, settings.path());
        disks.add(disk);
        return disk;
    }

    /** A disk from which guests boot. */
    Disk serveRoot(String name, int queues) throws IOException {
        Path image = folder.resolve(name + ".img");
        Lab.TESTBED.copyRootImage(image);
        return serve(name, BlkSettings.of(image).withQueueCount(queues));
    }

    /** An empty disk. */
    Disk serveEmpty(String name, long byteCount, int queues) throws IOException {
        return serve(
                name,
                BlkSettings.of(emptyImage(folder.resolve(name + ".img"), byteCount))
                        .withQueueCount(queues));
    }

    /** Whether the file system that holds an image knows I/O past the page cache. */
    static boolean knowsDirectIo(Path image) throws IOException {
        try (Fd _ = FileIo.open(image, FileIo.O_RDONLY | FileIo.O_DIRECT, 0)) {
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EINVAL) {
                return false;
            }
            throw e;
        }
    }

    static Path emptyImage(Path image, long byteCount) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(byteCount);
        }
        return image;
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Disk disk : disks) {
            disk.device().close();
        }
        loops.close();
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }
}
