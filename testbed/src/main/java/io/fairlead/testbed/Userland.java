package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Copies programs of a folder of unpacked packages, with the libraries they need, into a guest's file system. */
final class Userland {
    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final Pattern LIBRARY = Pattern.compile("=> (/[^ ]+) \\(0x|^\\s*(/[^ ]+) \\(0x", Pattern.MULTILINE);

    private final ProgramRoot packages;

    Userland(ProgramRoot packages) {
        this.packages = packages;
    }

    /** The statically linked busybox, which needs no loader. */
    static Path busybox(ProgramRoot packages) throws IOException {
        for (String name : List.of("usr/bin/busybox", "bin/busybox")) {
            Path path = packages.directory().resolve(name);
            if (Files.isRegularFile(path)) {
                return path;
            }
        }
        throw new IOException("The program folder " + packages.directory() + " has no busybox");
    }

    /** Copies busybox to {@code target/bin} and links every applet to it. */
    void copyBusybox(Path target) throws IOException {
        Path bin = Files.createDirectories(target.resolve("bin"));
        Path busybox = busybox(packages);
        Files.copy(busybox, bin.resolve("busybox"), StandardCopyOption.COPY_ATTRIBUTES);
        String applets = Command.of(busybox.toString(), "--list").run(TIMEOUT);
        for (String applet : applets.split("\n", -1)) {
            if (!applet.isEmpty() && !applet.equals("busybox")) {
                Files.createSymbolicLink(bin.resolve(applet), Path.of("busybox"));
            }
        }
    }

    /**
     * Copies programs to {@code target/usr/bin}, where they come before busybox's, and their libraries to where the
     * loader of the guest looks.
     *
     * @param programs their paths without the leading slash
     */
    void copyPrograms(List<String> programs, Path target) throws IOException {
        Path bin = Files.createDirectories(target.resolve("usr/bin"));
        Set<Path> libraries = new TreeSet<>();
        for (String program : programs) {
            Path file = packages.file(program);
            Files.copy(file, bin.resolve(file.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
            libraries.addAll(libraries(file));
        }
        for (Path library : libraries) {
            Path copy = target.resolve(packages.directory().relativize(library).toString());
            Files.createDirectories(copy.getParent());
            Files.copy(library.toRealPath(), copy, StandardCopyOption.COPY_ATTRIBUTES);
        }
        Files.createDirectories(target.resolve("lib64"));
        Files.copy(packages.loader(), target.resolve("lib64/ld-linux-x86-64.so.2"), StandardCopyOption.COPY_ATTRIBUTES);
    }

    private List<Path> libraries(Path program) throws IOException {
        String listing = Command.of(packages.loader().toString(), "--library-path", packages.libraryPath())
                .and("--list", program.toString())
                .run(TIMEOUT);
        List<Path> paths = new ArrayList<>();
        for (String found : librariesIn(listing)) {
            Path path = Path.of(found);
            if (!path.startsWith(packages.directory())) {
                throw new IOException(program + " would use a library of the host: " + path);
            }
            if (!path.getFileName().toString().startsWith("ld-linux")) {
                paths.add(path);
            }
        }
        return paths;
    }

    /**
     * The files named in what the loader prints for {@code --list}.
     *
     * @throws IOException where a library was not found
     */
    static List<String> librariesIn(String listing) throws IOException {
        if (listing.contains("=> not found")) {
            throw new IOException("A library is missing: " + listing.strip());
        }
        List<String> paths = new ArrayList<>();
        Matcher matcher = LIBRARY.matcher(listing);
        while (matcher.find()) {
            paths.add(matcher.group(1) != null ? matcher.group(1) : matcher.group(2));
        }
        return paths;
    }
}
