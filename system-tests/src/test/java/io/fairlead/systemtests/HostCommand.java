package io.fairlead.systemtests;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A program that ran on the host.
 *
 * @param output what it wrote to standard output and standard error
 */
record HostCommand(int exitCode, String output) {
    private static final Duration TIMEOUT = Duration.ofMinutes(3);

    /** Runs a program of the guests' user land on the host. */
    static HostCommand userland(String program, List<String> arguments) throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(Lab.TESTBED.hostCommand(program));
        words.addAll(arguments);
        return run(words);
    }

    static HostCommand run(List<String> words) throws IOException, InterruptedException {
        Path output = Files.createTempFile("fairlead-host", ".txt");
        Process process = new ProcessBuilder(words)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            if (!process.waitFor(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException(words + " did not end within " + TIMEOUT);
            }
            return new HostCommand(
                    process.exitValue(), new String(Files.readAllBytes(output), StandardCharsets.UTF_8).strip());
        } finally {
            process.destroyForcibly();
            Files.delete(output);
        }
    }
}
