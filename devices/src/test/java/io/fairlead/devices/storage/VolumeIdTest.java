package io.fairlead.devices.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FileStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VolumeIdTest {
    private static final int BLOCK_DEVICE = 0x6000;

    @TempDir
    Path folder;

    private static FileStatus device(int major, int minor) {
        return new FileStatus(0, BLOCK_DEVICE, 0, 6, 99, major, minor, 4096, 0);
    }

    private Path sysfs(String device, String... filesAndTexts) throws IOException {
        Path at = Files.createDirectories(folder.resolve("sys/devices").resolve(device));
        for (int i = 0; i < filesAndTexts.length; i += 2) {
            Path file = at.resolve(filesAndTexts[i]);
            Files.createDirectories(file.getParent());
            Files.writeString(file, filesAndTexts[i + 1]);
        }
        return at;
    }

    private void number(int major, int minor, Path device) throws IOException {
        Path numbers = Files.createDirectories(folder.resolve("sys/dev/block"));
        Files.createSymbolicLink(numbers.resolve(major + ":" + minor), device);
    }

    private String id(int major, int minor) {
        return VolumeId.of(Path.of("/dev/some"), device(major, minor), folder);
    }

    @Test
    void aBlockDeviceGoesByTheIdThatTheKernelKnows() throws IOException {
        number(8, 0, sysfs("sda", "device/wwid", "t10.ATA     Disk 7  \n", "serial", "other"));
        number(8, 2, sysfs("sda/sda2", "partition", "2\n"));
        number(259, 0, sysfs("nvme0n1", "wwid", "eui.0025388b01\n"));
        number(253, 1, sysfs("dm-1", "dm/uuid", "LVM-abc\n"));
        number(254, 0, sysfs("vda", "serial", "\n"));
        number(254, 16, sysfs("vdb", "serial", "root-1"));
        number(254, 1, sysfs("vda/vda1", "partition", "1\n"));
        assertThat(id(8, 0)).isEqualTo("disk:t10.ATA Disk 7");
        assertThat(id(8, 2)).isEqualTo("disk:t10.ATA Disk 7-part2");
        assertThat(id(259, 0)).isEqualTo("disk:eui.0025388b01");
        assertThat(id(253, 1)).isEqualTo("disk:LVM-abc");
        assertThat(id(254, 0)).as("nothing is known").isEmpty();
        assertThat(id(254, 1)).isEmpty();
        assertThat(id(254, 16)).isEqualTo("disk:root-1");
        assertThat(id(7, 7)).as("no such device").isEmpty();
    }

    private static FileStatus status(Path file) throws IOException {
        try (Fd fd = FileIo.open(file, FileIo.O_RDONLY, 0)) {
            return FileIo.status(fd);
        }
    }

    @Test
    void aFileIsItselfByAnyNameAndNoOther() throws IOException {
        Path file = Files.write(folder.resolve("a"), new byte[512]);
        Path link = Files.createLink(folder.resolve("b"), file);
        Path symbolic = Files.createSymbolicLink(folder.resolve("c"), file);
        Path other = Files.write(folder.resolve("d"), new byte[512]);
        String id = VolumeId.of(file, status(file));
        assertThat(id).isNotEmpty();
        assertThat(VolumeId.of(link, status(link))).isEqualTo(id);
        assertThat(VolumeId.of(symbolic, status(symbolic))).isEqualTo(id);
        assertThat(VolumeId.of(other, status(other))).isNotEmpty().isNotEqualTo(id);
    }

    @Test
    void aFileOfAnotherKernelIsAnother() throws IOException {
        Path file = Files.write(folder.resolve("a"), new byte[512]);
        assertThat(VolumeId.of(file, status(file), folder)).as("no boot id").isEmpty();
        Path boot = folder.resolve("proc/sys/kernel/random/boot_id");
        Files.createDirectories(boot.getParent());
        Files.writeString(boot, "one\n");
        String one = VolumeId.of(file, status(file), folder);
        Files.writeString(boot, "two\n");
        assertThat(VolumeId.of(file, status(file), folder)).isNotEmpty().isNotEqualTo(one);
    }
}
