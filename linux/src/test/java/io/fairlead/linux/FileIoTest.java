package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileIoTest {
    @TempDir
    Path folder;

    private Path path;
    private Fd file;
    private Mapping memory;
    private MemorySegment buffer;

    @BeforeEach
    void open() throws IOException {
        path = folder.resolve("data.img");
        file = FileIo.open(path, FileIo.O_RDWR | FileIo.O_CREAT | FileIo.O_EXCL, 0600);
        memory = Mapping.anonymous(64 * 1024);
        buffer = memory.segment();
    }

    @AfterEach
    void close() {
        file.close();
        memory.close();
    }

    @Test
    void writesAndReadsAtOffsets() throws IOException {
        buffer.setString(0, "fairlead");
        assertThat(FileIo.pwrite(file.raw(), buffer.address(), 8, 5_000_000_000L))
                .isEqualTo(8);
        assertThat(Files.size(path)).isEqualTo(5_000_000_008L);
        assertThat(FileIo.pread(file.raw(), buffer.address() + 100, 100, 5_000_000_004L))
                .isEqualTo(4);
        assertThat(buffer.getString(100)).isEqualTo("lead");
        assertThat(FileIo.pread(file.raw(), buffer.address(), 100, 5_000_000_008L))
                .isZero();
    }

    @Test
    void returnsErrorsAsNegativeNumbers() throws IOException {
        long address = buffer.address();
        assertThat(FileIo.pread(-1, address, 1, 0)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.pwrite(-1, address, 1, 0)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.preadv2(-1, address, 1, 0, 0)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.pwritev2(-1, address, 1, 0, 0)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.fdatasync(-1)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.fsync(-1)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.fallocate(-1, 0, 0, 1)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.ftruncate(-1, 1)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.sizeBytes(-1)).isEqualTo(-Errno.EBADF);
        assertThat(FileIo.pread(file.raw(), address, 1, -1)).isEqualTo(-Errno.EINVAL);
        assertThat(FileIo.pwrite(file.raw(), 8, 1, 0)).isEqualTo(-Errno.EFAULT);
        try (Fd readOnly = FileIo.open(path, FileIo.O_RDONLY, 0)) {
            assertThat(FileIo.pwrite(readOnly.raw(), address, 1, 0)).isEqualTo(-Errno.EBADF);
        }
    }

    @Test
    void writesAndReadsScatteredMemory() {
        for (int i = 0; i < 4096; i++) {
            buffer.set(JAVA_BYTE, i, (byte) (i * 31));
        }
        long vectors = 60 * 1024;
        vector(vectors, 0, buffer.address() + 96, 4000);
        vector(vectors, 1, buffer.address(), 96);
        assertThat(FileIo.pwritev2(file.raw(), buffer.address() + vectors, 2, 10, FileIo.RWF_DSYNC))
                .isEqualTo(4096);
        vector(vectors, 0, buffer.address() + 8192, 1);
        vector(vectors, 1, buffer.address() + 16384, 5000);
        assertThat(FileIo.preadv2(file.raw(), buffer.address() + vectors, 2, 10, 0))
                .isEqualTo(4096);
        assertThat(buffer.get(JAVA_BYTE, 8192)).isEqualTo(buffer.get(JAVA_BYTE, 96));
        assertThat(buffer.asSlice(16384, 3999).mismatch(buffer.asSlice(97, 3999)))
                .isEqualTo(-1);
        assertThat(buffer.asSlice(16384 + 3999, 96).mismatch(buffer.asSlice(0, 96)))
                .isEqualTo(-1);
    }

    @Test
    void handsFlagsOfAReadThrough() {
        vector(0, 0, buffer.address() + 4096, 16);
        assertThat(FileIo.preadv2(file.raw(), buffer.address(), 1, 0, 1 << 30)).isEqualTo(-Errno.EOPNOTSUPP);
    }

    private void vector(long at, int index, long address, long byteCount) {
        buffer.set(JAVA_LONG, at + index * 16L, address);
        buffer.set(JAVA_LONG, at + index * 16L + 8, byteCount);
    }

    @Test
    void allocatesAndFreesRanges() throws IOException {
        assertThat(FileIo.fallocate(file.raw(), 0, 0, 1 << 20)).isZero();
        FileStatus full = FileIo.status(file);
        assertThat(full.sizeBytes()).isEqualTo(1 << 20);
        assertThat(full.blocks512()).isGreaterThanOrEqualTo((1 << 20) / 512);
        int punch = FileIo.FALLOC_FL_PUNCH_HOLE | FileIo.FALLOC_FL_KEEP_SIZE;
        assertThat(FileIo.fallocate(file.raw(), punch, 0, 1 << 20)).isZero();
        assertThat(FileIo.status(file).blocks512()).isLessThan(full.blocks512());
        assertThat(FileIo.fallocate(file.raw(), FileIo.FALLOC_FL_PUNCH_HOLE, 0, 1))
                .isEqualTo(-Errno.EOPNOTSUPP);
        assertThat(FileIo.ftruncate(file.raw(), 77)).isZero();
        assertThat(FileIo.status(file).sizeBytes()).isEqualTo(77);
        assertThat(FileIo.sizeBytes(file.raw())).isEqualTo(77);
        assertThat(FileIo.fdatasync(file.raw())).isZero();
        assertThat(FileIo.fsync(file.raw())).isZero();
    }

    @Test
    void tellsWhatAFileIs() throws IOException {
        Files.write(path, new byte[12345]);
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-r-----"));
        FileStatus status = FileIo.status(file);
        assertThat(status.isRegular()).isTrue();
        assertThat(status.sizeBytes()).isEqualTo(12345);
        assertThat(status.permissions()).isEqualTo(0640);
        assertThat(status.mode()).isEqualTo(Files.getAttribute(path, "unix:mode"));
        assertThat(status.inode()).isEqualTo(Files.getAttribute(path, "unix:ino"));
        assertThat(status.blockSizeBytes()).isPositive();
        assertThat(status.isBlockDevice() || status.isFolder() || status.isSocket() || status.isCharacterDevice())
                .isFalse();
        assertThat(FileIo.status(path)).isEqualTo(status);
        assertThat(FileIo.status(folder).isFolder()).isTrue();
        assertThat(FileIo.status(folder).isSameFile(status)).isFalse();
        Path link = Files.createSymbolicLink(folder.resolve("link"), path);
        assertThat(FileIo.status(link).isRegular()).isFalse();
        try (Fd zero = FileIo.open(Path.of("/dev/zero"), FileIo.O_RDONLY, 0)) {
            FileStatus device = FileIo.status(zero);
            assertThat(device.isCharacterDevice()).isTrue();
            assertThat(device.ownDeviceMajor()).isEqualTo(1);
            assertThat(device.ownDeviceMinor()).isEqualTo(5);
        }
    }

    @Test
    void locksConflictBetweenOpensAndEndWithThem() throws IOException {
        try (Fd other = FileIo.open(path, FileIo.O_RDWR, 0)) {
            assertThat(FileIo.tryLock(file, false)).isTrue();
            assertThat(FileIo.tryLock(other, false)).isTrue();
            assertThat(FileIo.tryLock(other, true)).isFalse();
            FileIo.unlock(file);
            assertThat(FileIo.tryLock(other, true)).isTrue();
            assertThat(FileIo.tryLock(file, false)).isFalse();
            assertThat(FileIo.tryLock(other, true)).isTrue();
        }
        assertThat(FileIo.tryLock(file, true)).isTrue();
    }

    @Test
    void anExclusiveLockNeedsTheRightToWrite() throws IOException {
        try (Fd readOnly = FileIo.open(path, FileIo.O_RDONLY, 0)) {
            assertThatExceptionOfType(LinuxException.class)
                    .isThrownBy(() -> FileIo.tryLock(readOnly, true))
                    .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
        }
    }

    @Test
    void requestsToBlockDevicesFailOnFiles() {
        assertThatThrownBy(() -> BlockDevice.sizeBytes(file))
                .hasMessage("ioctl(BLKGETSIZE64) " + path + ": ENOTTY (Inappropriate ioctl for device)");
        assertThatThrownBy(() -> BlockDevice.logicalBlockBytes(file)).isInstanceOf(LinuxException.class);
        assertThatThrownBy(() -> BlockDevice.physicalBlockBytes(file)).isInstanceOf(LinuxException.class);
        assertThatThrownBy(() -> BlockDevice.isReadOnly(file)).isInstanceOf(LinuxException.class);
        assertThat(BlockDevice.discard(file.raw(), 0, 4096)).isEqualTo(-Errno.ENOTTY);
        assertThat(BlockDevice.zeroOut(file.raw(), 0, 4096)).isEqualTo(-Errno.ENOTTY);
    }
}
