package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderWatchTest {
    @TempDir
    Path folder;

    @Test
    void namesThatComeAndGoAreTold() throws Exception {
        try (FolderWatch watch = FolderWatch.open(folder)) {
            assertThat(watch.read()).isEmpty();
            Path file = Files.writeString(folder.resolve("größe"), "x");
            Files.delete(file);
            assertThat(watch.read())
                    .containsExactly(new FolderWatch.Event("größe", true), new FolderWatch.Event("größe", false));
            assertThat(watch.read()).isEmpty();
        }
    }

    @Test
    void aFileThatIsOpenIsGoneAllTheSame() throws Exception {
        Path file = Files.writeString(folder.resolve("a"), "x");
        try (FolderWatch watch = FolderWatch.open(folder);
                Fd _ = FileIo.open(file, FileIo.O_RDWR, 0)) {
            Files.delete(file);
            assertThat(watch.read()).contains(new FolderWatch.Event("a", false));
        }
    }
}
