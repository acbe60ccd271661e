package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.qemu.VhostUserDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Guests whose root disk is served by qemu-storage-daemon: the same paths that our own devices take. */
@Tag("long")
class VhostUserGuestTest {
    private static final Duration TIMEOUT = Duration.ofMinutes(4);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"V10, KERNEL", "V11, KERNEL", "V11, BIOS"})
    void bootsFromAVhostUserDisk(QemuRelease release, GuestSpec.Boot boot) throws Exception {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            Path disk = folder.resolve("disk.img");
            testbed.copyRootImage(disk);
            Path socket = folder.resolve("blk.sock");
            Process daemon = startDaemon(testbed, disk, socket);
            try (Guest guest = testbed.start(GuestSpec.job("""
                        queues=$(ls -d /sys/block/vda/mq/* | wc -l)
                        emit "{\\"queues\\":$queues,\\"features\\":\\"$(cat /sys/block/vda/device/features)\\"}"
                        receive >/tmp/word
                        emit "{\\"word\\":\\"$(cat /tmp/word)\\"}"
                        fio --name=x --filename=/root/data --size=4m --rw=randwrite --bs=4k --ioengine=libaio \\
                            --iodepth=8 --direct=1 --verify=crc32c --do_verify=1 --output=/tmp/fio.txt || exit 3
                        """)
                    .release(release)
                    .boot(boot)
                    .processors(2)
                    .device(VhostUserDevice.blk("disk0", socket)
                            .with("num-queues", 4)
                            .with("bootindex", 1)
                            .withReconnectMillis(500)))) {
                JsonNode first = guest.awaitLine(line -> line.has("queues"), TIMEOUT);
                assertThat(first.path("queues").asInt()).isEqualTo(2);
                assertThat(first.path("features").asString().charAt(32))
                        .as("VIRTIO_F_VERSION_1 is bit 32")
                        .isEqualTo('1');
                guest.send("fairway");
                GuestResult result = guest.awaitResult(TIMEOUT);
                System.err.printf(
                        "%s %s vhost-user-blk: boot %d ms, total %d ms%n",
                        release, boot, result.bootMillis(), result.totalMillis());
                assertThat(result.status()).isZero();
                assertThat(result.lines().getLast().path("word").asString()).isEqualTo("fairway");
            } finally {
                daemon.destroy();
                daemon.waitFor();
            }
        }
    }

    private Process startDaemon(Testbed testbed, Path disk, Path socket) throws Exception {
        List<String> command = new ArrayList<>(testbed.storageDaemon());
        command.addAll(List.of(
                "--blockdev",
                "driver=file,node-name=d0,filename=" + disk,
                "--export",
                "type=vhost-user-blk,id=e0,node-name=d0,writable=on,num-queues=4,addr.type=unix,addr.path=" + socket));
        Process daemon = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("daemon.log").toFile())
                .start();
        await().atMost(Duration.ofSeconds(30)).until(() -> Files.exists(socket) || !daemon.isAlive());
        assertThat(daemon.isAlive())
                .as(() -> "the daemon runs; its log: " + folder.resolve("daemon.log"))
                .isTrue();
        return daemon;
    }
}
