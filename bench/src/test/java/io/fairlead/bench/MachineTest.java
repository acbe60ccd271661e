package io.fairlead.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineTest {
    @TempDir
    private Path folder;

    @Test
    void describesWhatTheFiguresDependOn() {
        assertThat(Machine.describe(folder))
                .containsKeys("processor", "memory", "kernel", "disk", "JDK")
                .allSatisfy((name, value) -> assertThat(value).as(name).isNotBlank());
        assertThat(Machine.describe(folder).get("memory")).matches("\\d+(\\.\\d+)? GiB");
    }

    @Test
    void knowsAFolderInMemory() throws IOException {
        assertThat(Machine.isInMemory(Path.of("/dev/shm"))).isTrue();
        assertThat(Machine.isInMemory(Path.of("/proc"))).isFalse();
    }
}
