package io.fairlead.kernel.management;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.LinuxException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Reads and writes attributes of the kernel's objects in {@code /sys}. */
final class Sysfs {
    private Sysfs() {}

    /**
     * Writes an attribute in one call.
     *
     * @throws LinuxException with what the kernel makes of it
     */
    static void write(Path attribute, String value) throws LinuxException {
        try (Arena arena = Arena.ofConfined();
                Fd fd = FileIo.open(attribute, FileIo.O_WRONLY, 0)) {
            byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
            MemorySegment memory = arena.allocate(Math.max(1, bytes.length));
            memory.copyFrom(MemorySegment.ofArray(bytes));
            long result = FileIo.pwrite(fd.raw(), memory.address(), bytes.length, 0);
            if (result < 0) {
                throw new LinuxException(
                        "write of '%s' to".formatted(value.strip()), attribute.toString(), (int) -result);
            }
        }
    }

    /** An attribute without the line's end; empty where there is none. */
    static Optional<String> read(Path attribute) throws IOException {
        try {
            return Optional.of(Files.readString(attribute).strip());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /** The last name of what a symbolic link points to; empty where there is none. */
    static Optional<String> link(Path link) throws IOException {
        try {
            return Optional.of(Files.readSymbolicLink(link).getFileName().toString());
        } catch (NoSuchFileException | NotLinkException e) {
            return Optional.empty();
        }
    }

    /** The names in a folder, sorted; none where there is no folder. */
    static List<String> names(Path folder) throws IOException {
        try (Stream<Path> found = Files.list(folder)) {
            return found.map(path -> path.getFileName().toString()).sorted().toList();
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }
}
