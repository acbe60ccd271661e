package io.fairlead.bench.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Mapping;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataFileTest {
    private static final int BYTES = 2 << 20;

    @TempDir
    private Path folder;

    @Test
    void cannotBeCompressedAndIsGoneInTheEnd() throws IOException {
        Path path;
        try (DataFile file = DataFile.create(folder, BYTES)) {
            path = file.path();
            byte[] content = Files.readAllBytes(path);
            assertThat(content).hasSize(BYTES);
            ByteArrayOutputStream compressed = new ByteArrayOutputStream();
            try (DeflaterOutputStream deflater = new DeflaterOutputStream(compressed)) {
                deflater.write(content);
            }
            assertThat(compressed.size()).isGreaterThan(BYTES);

            file.warm();
            try (Mapping mapping = map(path)) {
                mapping.populate();
                // What a process has mapped cannot be dropped; a kernel that does not tell says 0.
                assertThat(file.drop()).isIn(0.0, 1.0);
            }
            assertThat(file.drop()).isZero();
            ByteBuffer part = ByteBuffer.allocate(100);
            file.read(BYTES - 100, part);
            assertThat(part.array()).isEqualTo(Arrays.copyOfRange(content, BYTES - 100, BYTES));
            assertThatThrownBy(() -> file.read(BYTES - 10, ByteBuffer.allocate(11)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("shorter");
        }
        assertThat(path).doesNotExist();
    }

    private static Mapping map(Path path) throws IOException {
        try (Fd fd = FileIo.open(path, FileIo.O_RDONLY, 0)) {
            return Mapping.shared(fd, 0, BYTES, false);
        }
    }

    @Test
    void refusesASizeThatIsNoMultipleOfAMebibyte() {
        assertThatThrownBy(() -> DataFile.create(folder, BYTES + 512)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void saysThatThereIsNoRoom() {
        assertThatThrownBy(() -> DataFile.create(folder, 1L << 60))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("choose another folder");
    }
}
