package io.fairlead.testbed;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Runs a helper program to its end. */
final class Command {
    private static final int SHOWN_CHARS = 2000;

    private final List<String> words;
    private final Map<String, String> environment;
    private final @Nullable Path directory;

    private Command(List<String> words, Map<String, String> environment, @Nullable Path directory) {
        this.words = List.copyOf(words);
        this.environment = Map.copyOf(environment);
        this.directory = directory;
    }

    static Command of(String... words) {
        return new Command(List.of(words), Map.of(), null);
    }

    static Command of(List<String> words) {
        return new Command(words, Map.of(), null);
    }

    Command and(String... more) {
        return and(List.of(more));
    }

    Command and(List<String> more) {
        List<String> all = new ArrayList<>(words);
        all.addAll(more);
        return new Command(all, environment, directory);
    }

    Command with(Map<String, String> variables) {
        return new Command(words, variables, directory);
    }

    Command in(Path folder) {
        return new Command(words, environment, folder);
    }

    /**
     * Runs it and returns its standard output.
     *
     * @throws IOException where it cannot start, fails, or runs longer than allowed; the message has its words
     */
    String run(Duration timeout) throws IOException {
        Result result = runAnyway(timeout);
        if (result.exitCode() != 0) {
            throw new IOException("\"" + String.join(" ", words) + "\" failed with exit code " + result.exitCode()
                    + ": " + abbreviated(result.errors().isBlank() ? result.output() : result.errors()));
        }
        return result.output();
    }

    /** Runs it and returns what it printed, also where it failed. */
    Result runAnyway(Duration timeout) throws IOException {
        Path output = Files.createTempFile("fairlead-out", ".txt");
        Path errors = Files.createTempFile("fairlead-err", ".txt");
        Process process = null;
        try {
            process = start(output, errors);
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException("\"" + String.join(" ", words) + "\" did not end within " + timeout);
            }
            return new Result(process.exitValue(), read(output), read(errors));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while \"" + words.getFirst() + "\" ran", e);
        } finally {
            if (process != null) {
                process.destroyForcibly();
            }
            Files.deleteIfExists(output);
            Files.deleteIfExists(errors);
        }
    }

    private Process start(Path output, Path errors) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(words)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(output.toFile())
                .redirectError(errors.toFile());
        // Tools are understood by their English words.
        builder.environment().put("LC_ALL", "C.UTF-8");
        builder.environment().putAll(environment);
        if (directory != null) {
            builder.directory(directory.toFile());
        }
        return builder.start();
    }

    private static String read(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }

    private static String abbreviated(String text) {
        String stripped = text.strip();
        return stripped.length() <= SHOWN_CHARS
                ? stripped
                : "..." + stripped.substring(stripped.length() - SHOWN_CHARS);
    }

    /** How a program ended and what it printed. */
    record Result(int exitCode, String output, String errors) {}
}
