package io.fairlead.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What the kernel says of this process's descriptors. */
final class OpenFiles {
    private static final long CLOEXEC = 02000000;

    private OpenFiles() {}

    static long count() {
        try (Stream<Path> entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static boolean isCloseOnExec(Fd fd) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd.raw())).stream()
                .filter(line -> line.startsWith("flags:"))
                .allMatch(line -> (Long.parseLong(line.substring(6).trim(), 8) & CLOEXEC) != 0);
    }
}
