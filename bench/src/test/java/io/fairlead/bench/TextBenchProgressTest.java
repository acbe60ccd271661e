package io.fairlead.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class TextBenchProgressTest {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    @Test
    void writesALineForEachRun() {
        BenchProgress progress = BenchProgress.toTerminal(out, false);
        progress.step("Starting");
        progress.run(1, 2, "reads", Duration.ofSeconds(65));
        assertThat(written()).isEqualTo("Starting\n[1/2] reads, about 1:05 left\n");
    }

    @Test
    void onATerminalOneLineIsWrittenOverAndOver() {
        BenchProgress progress = BenchProgress.toTerminal(out, true);
        progress.run(1, 2, "reads", Duration.ofSeconds(5));
        progress.step("Next");
        progress.run(2, 2, "writes", Duration.ZERO);
        assertThat(written())
                .isEqualTo("\r[1/2] reads, about 0:05 left\033[K\nNext\n\r[2/2] writes, about 0:00 left\033[K\n");
    }

    private String written() {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
