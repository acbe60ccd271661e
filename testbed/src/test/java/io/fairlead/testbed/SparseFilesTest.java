package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SparseFilesTest {
    @TempDir
    Path folder;

    @Test
    void copiesEqualTheOriginalAlsoWithZerosAtTheEnd() throws Exception {
        long seed = 4711;
        Random random = new Random(seed);
        Path original = folder.resolve("original");
        byte[] bytes = new byte[700_001];
        byte[] piece = new byte[10_000];
        random.nextBytes(piece);
        System.arraycopy(piece, 0, bytes, 250_000, piece.length);
        bytes[0] = 1;
        Files.write(original, bytes);
        Path copy = folder.resolve("copy");
        Files.writeString(copy, "what was there before");
        SparseFiles.copy(original, copy);
        assertThat(Files.mismatch(original, copy)).as("seed %d", seed).isEqualTo(-1);
    }

    @Test
    void copiesIntoAPlace() throws Exception {
        Path original = folder.resolve("original");
        Files.write(original, new byte[] {1, 2, 3, 0});
        Path target = folder.resolve("target");
        try (FileChannel out = FileChannel.open(target, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            SparseFiles.write(out, 0, ByteBuffer.wrap(new byte[] {9, 9}));
            SparseFiles.copyInto(original, out, 4);
        }
        assertThat(Files.readAllBytes(target)).containsExactly(9, 9, 0, 0, 1, 2, 3, 0);
    }
}
