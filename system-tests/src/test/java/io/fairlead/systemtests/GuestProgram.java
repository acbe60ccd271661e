package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** A C program of the tests' resources, built on the host so that it needs nothing of the guest. */
final class GuestProgram {
    private GuestProgram() {}

    /** Builds a program, or skips the test where there is no compiler. */
    static void build(String name, Path program) throws IOException, InterruptedException {
        Path source = Files.createTempFile("fairlead", ".c");
        try (InputStream in = GuestProgram.class.getResourceAsStream("/" + name + ".c")) {
            assertThat(in).as(name).isNotNull();
            Files.write(source, in.readAllBytes());
            Process gcc = new ProcessBuilder("gcc", "-static", "-O1", "-o", program.toString(), source.toString())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(gcc.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(gcc.waitFor()).as(output).isZero();
        } catch (IOException e) {
            Assumptions.abort("there is no gcc to build %s: %s".formatted(name, e.getMessage()));
        } finally {
            Files.delete(source);
        }
    }
}
