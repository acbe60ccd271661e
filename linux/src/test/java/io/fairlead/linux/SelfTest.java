package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class SelfTest {
    @Test
    void countsTheProcessorTimeOfThread() {
        long thread = Self.threadCpuNanos();
        long process = Self.processCpuNanos();
        assertThat(thread).isPositive();
        assertThat(process).isGreaterThanOrEqualTo(thread);
        while (Self.threadCpuNanos() == thread) {
            // The clock goes on while this thread runs.
        }
        assertThat(Self.processCpuNanos()).isGreaterThan(process);
    }

    @Test
    void readsTheLimitsThatTheKernelShows() throws IOException {
        assertThat(Self.lockedMemoryLimitBytes()).isEqualTo(limit("Max locked memory"));
        assertThat(Self.openFilesLimit()).isEqualTo(limit("Max open files"));
    }

    private static long limit(String name) throws IOException {
        String line = Files.readAllLines(Path.of("/proc/self/limits")).stream()
                .filter(candidate -> candidate.startsWith(name))
                .findFirst()
                .orElseThrow();
        String soft = line.substring(26, 47).trim();
        return soft.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(soft);
    }
}
