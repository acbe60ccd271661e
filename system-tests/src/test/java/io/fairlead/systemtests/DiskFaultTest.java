package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of a disk whose file is not there, not allowed, cut short or without room: a word, an error, never a wrong block. */
@Timeout(600)
class DiskFaultTest {
    private static final int MIB = 1 << 20;

    /** Root's rights to pass over file permissions are taken away, so that a file can be unreadable for root too. */
    private static final List<String> WITHOUT_CAPABILITIES =
            List.of("setpriv", "--bounding-set=-all", "--inh-caps=-all");

    @Test
    void missingFile(@TempDir Path folder) throws Exception {
        Path image = folder.resolve("missing.img");
        refused(List.of(), folder, image, image.toString(), "ENOENT");
    }

    @Test
    void directory(@TempDir Path folder) throws Exception {
        Path image = Files.createDirectory(folder.resolve("directory.img"));
        refused(List.of(), folder, image, image.toString(), "is a directory");
    }

    @Test
    void sizeThatIsNoDisks(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("odd.img"), new byte[1000]);
        refused(List.of(), folder, image, image.toString(), "1000 bytes", "multiple");
    }

    @Test
    void unreadableFile(@TempDir Path folder) throws Exception {
        List<String> prefix = List.of();
        if (System.getProperty("user.name").equals("root")) {
            assumeTrue(
                    Files.isExecutable(Path.of("/usr/bin/setpriv")), "root reads everything, and setpriv is missing");
            prefix = WITHOUT_CAPABILITIES;
        }
        Path image = SoftwareDisks.emptyImage(folder.resolve("secret.img"), MIB);
        Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("---------"));
        refused(prefix, folder, image, image.toString(), "EACCES");
    }

    @Test
    void fileThatAnotherProcessServes(@TempDir Path folder) throws Exception {
        Path image = SoftwareDisks.emptyImage(folder.resolve("shared.img"), MIB);
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk _ = disks.serve("first", BlkSettings.of(image));
            refused(List.of(), folder, image, image.toString(), "in use");
        }
    }

    private static void refused(List<String> prefix, Path folder, Path image, String... words) throws Exception {
        Path socket = folder.resolve("refused.sock");
        try (ServeProcess process =
                ServeProcess.startBy(prefix, "name=disk0,type=blk,socket=%s,path=%s".formatted(socket, image))) {
            assertThat(process.awaitEnd()).as(process.output()).isEqualTo(1);
            Lab.report("%s", process.output());
            assertThat(process.output()).contains(words).doesNotContain("ready").doesNotContain("\tat ");
            assertThat(socket).doesNotExist();
        }
    }

    @Test
    void fileCutShortWhileInUse(@TempDir Path folder) throws Exception {
        byte[] content = new byte[8 * MIB];
        new Random(11).nextBytes(content);
        byte[] kept = Arrays.copyOf(content, 4 * MIB);
        try (SoftwareDisks disks = new SoftwareDisks(folder)) {
            SoftwareDisks.Disk disk =
                    disks.serve("cut", BlkSettings.of(Files.write(folder.resolve("cut.img"), content)));
            GuestSpec spec = GuestSpec.job("""
                            emit "{\\"before\\":\\"$(dd if=/dev/vda bs=64k iflag=direct 2>/dev/null | sha256sum | cut -c1-64)\\"}"
                            emit '{"at":"cut"}'
                            receive >/dev/null
                            # The write comes first, so that nothing warned the device.
                            dd if=/dev/zero of=/dev/vda bs=64k seek=80 count=1 oflag=direct 2>/dev/null; w=$?
                            dd if=/dev/vda of=/dev/null bs=64k skip=70 count=1 iflag=direct 2>/dev/null; r=$?
                            dd if=/dev/vda of=/dev/null bs=64k skip=127 count=1 iflag=direct 2>/dev/null; l=$?
                            emit "{\\"write\\":$w,\\"read\\":$r,\\"last\\":$l}"
                            emit "{\\"kept\\":\\"$(dd if=/dev/vda bs=64k count=64 iflag=direct 2>/dev/null | sha256sum | cut -c1-64)\\"}"
                            emit "{\\"bytes\\":$(blockdev --getsize64 /dev/vda)}"
                            """).name("cut").device(disk.forMachine());
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "cut");
                try (FileChannel file = FileChannel.open(disk.image(), StandardOpenOption.WRITE)) {
                    file.truncate(kept.length);
                }
                guest.send("on");
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                Lab.report("cut short: %s", result.lines());
                assertThat(Lab.line(result, "before").path("before").asString()).isEqualTo(RootImage.sha256(content));
                assertThat(Lab.line(result, "write").path("write").asInt()).isNotZero();
                assertThat(Lab.line(result, "write").path("read").asInt()).isNotZero();
                assertThat(Lab.line(result, "write").path("last").asInt()).isNotZero();
                assertThat(Lab.line(result, "kept").path("kept").asString()).isEqualTo(RootImage.sha256(kept));
                assertThat(Lab.line(result, "bytes").path("bytes").asLong()).isEqualTo(content.length);
            }
            assertThat(Files.readAllBytes(disk.image())).isEqualTo(kept);
        }
    }

    @Test
    void fullFileSystem(@TempDir Path folder) throws Exception {
        assumeTrue(canMount(), "a small file system needs the right to mount");
        Path mount = Files.createDirectory(folder.resolve("small"));
        Path socket = folder.resolve("full.sock");
        // The file system is seen by the serving process alone and goes with it.
        List<String> prefix = List.of(
                "unshare",
                "-m",
                "sh",
                "-ec",
                "mount -t tmpfs -o size=8m tmpfs %1$s; truncate -s 32m %1$s/full.img; exec \"$@\"".formatted(mount),
                "sh");
        String device = "name=full,type=blk,socket=%s,path=%s/full.img".formatted(socket, mount);
        GuestSpec spec = GuestSpec.job("""
                        written=0
                        failed=0
                        for i in $(seq 0 15); do
                            yes "block $i" | head -c 1048576 >/tmp/b$i
                            if dd if=/tmp/b$i of=/dev/vda bs=64k seek=$((i * 16)) oflag=direct conv=fsync 2>/dev/null; then
                                written=$((written + 1)); echo $i >>/tmp/written
                            else
                                failed=$((failed + 1))
                            fi
                        done
                        wrong=0
                        for i in $(cat /tmp/written); do
                            dd if=/dev/vda of=/tmp/back bs=64k skip=$((i * 16)) count=16 iflag=direct 2>/dev/null
                            cmp -s /tmp/b$i /tmp/back || wrong=$((wrong + 1))
                        done
                        # What was there may be written again: it has its room.
                        dd if=/tmp/b1 of=/dev/vda bs=64k oflag=direct conv=fsync 2>/dev/null; again=$?
                        zeros=$(dd if=/dev/vda bs=64k skip=300 count=16 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c)
                        emit "{\\"written\\":$written,\\"failed\\":$failed,\\"wrong\\":$wrong,\\"again\\":$again,\\"zeros\\":$zeros}"
                        """).name("full").device(VhostUserDevice.blk("full", socket));
        try (ServeProcess process = ServeProcess.startBy(prefix, device)) {
            long _ = process.awaitReady();
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            assertThat(process.terminate()).isZero();
            Lab.report("full file system: %s%n%s", result.lines(), process.output());
            var counts = Lab.line(result, "written");
            assertThat(counts.path("written").asInt()).isBetween(6, 8);
            assertThat(counts.path("failed").asInt())
                    .isEqualTo(16 - counts.path("written").asInt());
            assertThat(counts.path("wrong").asInt()).isZero();
            assertThat(counts.path("again").asInt()).isZero();
            assertThat(counts.path("zeros").asInt(-1)).isZero();
            assertThat(process.output()).contains("ENOSPC");
        }
    }

    private static boolean canMount() throws IOException, InterruptedException {
        return Files.isExecutable(Path.of("/usr/bin/unshare"))
                && HostCommand.run(List.of("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"))
                                .exitCode()
                        == 0;
    }
}
