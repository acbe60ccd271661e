package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.client.VhostUserManagement;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.FsConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device of a type that takes no code of ours: virtiofsd's file system is taken by the vhost-user client, crosses the
 * core, and is presented to the generic device of QEMU 11.1, which knows as little of it.
 */
@Timeout(300)
class GenericDeviceTest {
    private static final int QUEUES = 2;
    private static final int QUEUE_SIZE = 128;
    private static final int FILE_BYTES = 3 << 20;

    private static final String JOB = """
            modprobe virtiofs
            mkdir -p /tmp/shared
            mount -t virtiofs generic /tmp/shared || exit 1
            emit "{\\"sum\\":\\"$(sha256sum </tmp/shared/ours | cut -c1-64)\\"}"
            mkdir /tmp/shared/theirs && cp /tmp/shared/ours /tmp/shared/theirs/copy && sync || exit 1
            umount /tmp/shared
            """ + Lab.REPORT_KERNEL_ERRORS;

    @Test
    void isCarriedWhateverItsTypeIs(@TempDir Path folder) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        Path shared = Files.createDirectory(folder.resolve("shared"));
        byte[] content = new byte[FILE_BYTES];
        new Random(6).nextBytes(content);
        Files.write(shared.resolve("ours"), content);
        Path backend = folder.resolve("virtiofsd.sock");
        Process daemon = startDaemon(shared, backend, folder.resolve("virtiofsd.log"));
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice device = new VhostUserManagement("vhost-user", loops)
                        .add(
                                "fs0",
                                DeviceId.FS,
                                Map.of(
                                        "backend",
                                        backend.toString(),
                                        "queues",
                                        Integer.toString(QUEUES),
                                        "config-bytes",
                                        Integer.toString(FsConfig.BYTES)));
                VhostUserServer server = new VhostUserServer()) {
            Path socket = folder.resolve("fs0.sock");
            server.serve(device, socket);
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("generic")
                    .release(QemuRelease.V11)
                    .device(VhostUserDevice.of("fs0", "vhost-user-test-device-pci", socket)
                            .with("virtio-id", DeviceId.FS)
                            .with("num_vqs", QUEUES)
                            .with("vq_size", QUEUE_SIZE)
                            .with("config_size", FsConfig.BYTES));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            assertThat(result.status()).as("%s", result.lines()).isZero();
            assertThat(Lab.line(result, "sum").path("sum").asString()).isEqualTo(RootImage.sha256(content));
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(shared.resolve("theirs/copy")).hasBinaryContent(content);
        } finally {
            daemon.destroy();
            assertThat(daemon.waitFor(20, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    private static Process startDaemon(Path shared, Path socket, Path log) throws Exception {
        List<String> words = new ArrayList<>(Lab.TESTBED.virtiofsd());
        words.addAll(List.of(
                "--shared-dir",
                shared.toString(),
                "--socket-path",
                socket.toString(),
                "--tag",
                "generic",
                "--sandbox",
                "none",
                "--seccomp",
                "none"));
        Process daemon = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (!Files.exists(socket)) {
            assertThat(daemon.isAlive() && System.nanoTime() < end)
                    .as(Files.readString(log))
                    .isTrue();
            Thread.sleep(10);
        }
        return daemon;
    }
}
