package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpioArchiveTest {
    @TempDir
    Path folder;

    @Test
    void writesFoldersFilesAndLinksAligned() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (CpioArchive archive = new CpioArchive(bytes)) {
            archive.file("bin/a", "hello".getBytes(StandardCharsets.UTF_8), 0755);
            archive.link("bin/b", "a");
            archive.file("bin/empty", new byte[0], 0644);
            archive.folder("bin");
        }
        List<Entry> entries = read(bytes.toByteArray());
        assertThat(entries)
                .containsExactly(
                        new Entry("bin", 0040755, ""),
                        new Entry("bin/a", 0100755, "hello"),
                        new Entry("bin/b", 0120777, "a"),
                        new Entry("bin/empty", 0100644, ""),
                        new Entry("TRAILER!!!", 0, ""));
        assertThat(bytes.size() % 4).isZero();
    }

    @Test
    void equalTreesGiveEqualArchives() throws Exception {
        assertThat(archiveOf("one")).isEqualTo(archiveOf("two"));
    }

    @Test
    void refusesAbsoluteNames() throws Exception {
        try (CpioArchive archive = new CpioArchive(new ByteArrayOutputStream())) {
            assertThatIllegalArgumentException().isThrownBy(() -> archive.link("/etc/x", "y"));
        }
    }

    private byte[] archiveOf(String name) throws IOException {
        Path tree = Files.createDirectories(folder.resolve(name));
        // Made in another order and at another time.
        List<String> files = name.equals("one") ? List.of("b", "a", "d/c") : List.of("d/c", "a", "b");
        for (String file : files) {
            Path path = tree.resolve(file);
            Files.createDirectories(path.getParent());
            Files.writeString(path, file);
        }
        Files.createSymbolicLink(tree.resolve("link"), Path.of("d/c"));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (CpioArchive archive = new CpioArchive(bytes)) {
            archive.tree(tree);
        }
        assertThat(read(bytes.toByteArray()))
                .contains(new Entry("link", 0120777, "d/c"), new Entry("d/c", 0100644, "d/c"));
        return bytes.toByteArray();
    }

    private static List<Entry> read(byte[] archive) {
        List<Entry> entries = new ArrayList<>();
        int at = 0;
        while (at < archive.length) {
            assertThat(text(archive, at, 6)).isEqualTo("070701");
            int mode = field(archive, at, 1);
            int size = field(archive, at, 6);
            int nameSize = field(archive, at, 11);
            assertThat(archive[at + 110 + nameSize - 1]).isZero();
            String name = text(archive, at + 110, nameSize - 1);
            int content = aligned(at + 110 + nameSize);
            entries.add(new Entry(name, mode, text(archive, content, size)));
            at = aligned(content + size);
        }
        return entries;
    }

    private static int aligned(int offset) {
        return (offset + 3) & ~3;
    }

    private static int field(byte[] archive, int at, int index) {
        return Integer.parseInt(text(archive, at + 6 + 8 * index, 8), 16);
    }

    private static String text(byte[] bytes, int at, int length) {
        return new String(bytes, at, length, StandardCharsets.UTF_8);
    }

    private record Entry(String name, int mode, String content) {}
}
