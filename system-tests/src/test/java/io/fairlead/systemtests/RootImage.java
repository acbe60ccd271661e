package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.FileIo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** What a guest left in the root file system of its disk image, seen from the host. */
final class RootImage {
    private static final int SECTOR_BYTES = 512;
    private static final int SECOND_PARTITION_START = 446 + 16 + 8;
    private static final HexFormat HEX = HexFormat.of();

    private final String fileSystem;
    private final Path image;

    RootImage(Path image) throws IOException {
        this.image = image;
        try (FileChannel in = FileChannel.open(image)) {
            ByteBuffer sector = ByteBuffer.allocate(SECTOR_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            in.read(sector);
            long offset = Integer.toUnsignedLong(sector.getInt(SECOND_PARTITION_START)) * SECTOR_BYTES;
            fileSystem = image + "?offset=" + offset;
        }
    }

    /** Has the file system checked in full, and changes nothing. */
    void check() throws IOException, InterruptedException {
        HostCommand check = HostCommand.userland("usr/sbin/e2fsck", List.of("-f", "-n", fileSystem));
        assertThat(check.exitCode()).as(check.output()).isZero();
    }

    /** The SHA-256 sums of the files in a folder, by name. */
    Map<String, String> sums(String folder, Path scratch) throws IOException, InterruptedException {
        Path copies = Files.createDirectories(scratch);
        HostCommand dump =
                HostCommand.userland("usr/sbin/debugfs", List.of("-R", "rdump " + folder + " " + copies, fileSystem));
        assertThat(dump.exitCode()).as(dump.output()).isZero();
        Map<String, String> sums = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(copies)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                sums.put(file.getFileName().toString(), sha256(Files.readAllBytes(file)));
            }
        }
        return sums;
    }

    /** Space that the image takes. */
    long allocatedBytes() throws IOException {
        return FileIo.status(image).blocks512() * SECTOR_BYTES;
    }

    static String sha256(byte[] bytes) {
        try {
            return HEX.formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
