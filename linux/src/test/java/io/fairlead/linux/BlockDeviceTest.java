package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a loop device, which only the superuser may make. */
class BlockDeviceTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    Path folder;

    @Test
    void asksAndCommandsADevice() throws Exception {
        byte[] ones = new byte[SIZE];
        Arrays.fill(ones, (byte) 1);
        Path backing = Files.write(folder.resolve("backing.img"), ones);
        String device = losetup("--find", "--show", backing.toString());
        Assumptions.assumeTrue(device.startsWith("/dev/"), "not run, no loop device: " + device);
        try (Fd fd = FileIo.open(Path.of(device), FileIo.O_RDWR | FileIo.O_DIRECT, 0);
                Mapping buffer = Mapping.anonymous(SIZE)) {
            FileStatus status = FileIo.status(fd);
            assertThat(status.isBlockDevice()).isTrue();
            assertThat(status.ownDeviceMajor()).isEqualTo(7);
            Path queue =
                    Path.of("/sys/class/block", Path.of(device).getFileName().toString(), "queue");
            assertThat(BlockDevice.sizeBytes(fd)).isEqualTo(SIZE);
            assertThat(BlockDevice.logicalBlockBytes(fd)).isEqualTo(number(queue.resolve("logical_block_size")));
            assertThat(BlockDevice.physicalBlockBytes(fd)).isEqualTo(number(queue.resolve("physical_block_size")));
            assertThat(BlockDevice.isReadOnly(fd)).isFalse();

            assertThat(BlockDevice.zeroOut(fd.raw(), 8192, 4096)).isZero();
            assertThat(BlockDevice.discard(fd.raw(), 65536, 65536)).isIn(0, -Errno.EOPNOTSUPP);
            assertThat(BlockDevice.zeroOut(fd.raw(), 1, 4096)).isEqualTo(-Errno.EINVAL);
            assertThat(BlockDevice.zeroOut(fd.raw(), SIZE, 4096)).isEqualTo(-Errno.EINVAL);
            assertThat(FileIo.pread(fd.raw(), buffer.segment().address(), 65536, 0))
                    .isEqualTo(65536);
            for (int i = 0; i < 65536; i++) {
                assertThat(buffer.segment().get(JAVA_BYTE, i)).isEqualTo((byte) (i / 4096 == 2 ? 0 : 1));
            }
        } finally {
            losetup("--detach", device);
        }
    }

    @Test
    void seesAReadOnlyDevice() throws Exception {
        Path backing = Files.write(folder.resolve("backing.img"), new byte[SIZE]);
        String device = losetup("--find", "--show", "--read-only", backing.toString());
        Assumptions.assumeTrue(device.startsWith("/dev/"), "not run, no loop device: " + device);
        try (Fd fd = FileIo.open(Path.of(device), FileIo.O_RDONLY, 0)) {
            assertThat(BlockDevice.isReadOnly(fd)).isTrue();
        } finally {
            losetup("--detach", device);
        }
    }

    private static int number(Path path) throws IOException {
        return Integer.parseInt(Files.readString(path).trim());
    }

    private static String losetup(String... arguments) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(Stream.concat(Stream.of("/usr/sbin/losetup"), Stream.of(arguments))
                            .toList())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            process.waitFor();
            return output.trim();
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        }
    }
}
