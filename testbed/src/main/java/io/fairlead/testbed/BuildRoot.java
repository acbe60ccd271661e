package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/**
 * A folder that stands for "/" while something is built: files of unpacked packages, linked and not copied, in which
 * programs see nothing else of this machine. It needs no rights but those of a user namespace. What a build writes goes
 * to new files; the packages' own are shared with the cache and never written to.
 */
final class BuildRoot implements AutoCloseable {
    /** Makes the devices and processes of this machine visible, then goes in. */
    private static final String ENTER = """
            mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" &&
            exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/ LC_ALL=C.UTF-8 /bin/sh -ec "$2"
            """;

    private final Path directory;

    /** @param directory the folder to make; it may not be there yet */
    BuildRoot(Path directory) throws IOException {
        this.directory = Files.createDirectories(directory);
    }

    /** Links a folder's contents, or a part of it, into the same place here. */
    void add(Path packages, String part) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(packages.resolve(part))) {
            paths = walk.toList();
        }
        for (Path path : paths) {
            Path here = directory.resolve(packages.relativize(path).toString());
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                Files.createDirectories(here);
            } else {
                link(path, here);
            }
        }
    }

    /** A name that a package would have made when it was installed. */
    void alternative(String name, String target) throws IOException {
        Path _ = Files.createSymbolicLink(directory.resolve(name), Path.of(target));
    }

    /** Where a path of the inside lies. */
    Path resolve(String inside) {
        return directory.resolve(inside);
    }

    /**
     * Runs a shell script inside.
     *
     * @throws IOException where it fails, with the end of what it said
     */
    void run(String script, Duration timeout) throws IOException {
        Command.Result result = Command.of("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "sh")
                .and(directory.toString(), script)
                .runAnyway(timeout);
        if (result.exitCode() != 0) {
            throw new IOException("Building failed with exit code " + result.exitCode()
                    + " (where it says that an operation is not permitted, this machine allows no user namespaces:"
                    + " sysctl kernel.unprivileged_userns_clone=1): " + end(result.errors() + result.output()));
        }
    }

    private static String end(String text) {
        String stripped = text.strip();
        return stripped.substring(Math.max(0, stripped.length() - 2000));
    }

    private static void link(Path path, Path here) throws IOException {
        try {
            if (Files.isSymbolicLink(path)) {
                Path _ = Files.createSymbolicLink(here, Files.readSymbolicLink(path));
            } else {
                Path _ = Files.createLink(here, path);
            }
        } catch (FileAlreadyExistsException e) {
            // Sets have packages in common, such as the C library.
        }
    }

    @Override
    public void close() throws IOException {
        Cache.deleteTree(directory);
    }
}
