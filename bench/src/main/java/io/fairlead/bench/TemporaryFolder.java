package io.fairlead.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A folder for one benchmark, deleted with all that is in it. */
public record TemporaryFolder(Path path) implements AutoCloseable {
    /** Makes one in a folder. */
    public static TemporaryFolder create(Path parent) throws IOException {
        return new TemporaryFolder(Files.createTempDirectory(parent, "fairlead-bench"));
    }

    @Override
    public void close() throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(path)) {
            paths = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path each : paths) {
            Files.deleteIfExists(each);
        }
    }
}
