package io.fairlead.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class CleanupTest {
    @Test
    void endsTheLastThingFirst() throws IOException {
        List<String> ended = new ArrayList<>();
        try (Cleanup cleanup = new Cleanup()) {
            cleanup.add(() -> ended.add("first"));
            AutoCloseable second = cleanup.add(() -> ended.add("second"));
            cleanup.add(() -> ended.add("third"));
            cleanup.end(second);
            assertThat(ended).containsExactly("second");
        }
        assertThat(ended).containsExactly("second", "third", "first");
    }

    @Test
    void oneThatFailsDoesNotKeepTheOthers() {
        List<String> ended = new ArrayList<>();
        Cleanup cleanup = new Cleanup();
        cleanup.add(() -> ended.add("first"));
        cleanup.add(() -> {
            throw new IOException("stuck");
        });
        assertThatThrownBy(cleanup::close).isInstanceOf(IOException.class).hasMessage("stuck");
        assertThat(ended).containsExactly("first");
    }

    @Test
    void aSignalToTheProgramEndsItsChildren() throws Exception {
        Process program = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Program.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader reader = program.inputReader()) {
            long child = Long.parseLong(reader.readLine());
            ProcessHandle handle = ProcessHandle.of(child).orElseThrow();
            assertThat(handle.isAlive()).isTrue();
            program.destroy();
            assertThat(program.waitFor(20, TimeUnit.SECONDS)).isTrue();
            Awaitility.await().until(() -> !handle.isAlive());
        } finally {
            program.destroyForcibly();
        }
    }

    /** Starts a child and waits to be ended. */
    static final class Program {
        private Program() {}

        public static void main(String[] arguments) throws Exception {
            try (Cleanup cleanup = new Cleanup()) {
                Process child = new ProcessBuilder("sleep", "600").start();
                cleanup.add(child::destroyForcibly);
                System.out.println(child.pid());
                Thread.sleep(60_000);
            }
        }
    }
}
