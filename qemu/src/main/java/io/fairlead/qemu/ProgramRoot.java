package io.fairlead.qemu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A folder into which packages were unpacked, and how to start their programs without installing them: through the
 * folder's own dynamic loader, with the folder's own libraries. Immutable; any thread.
 *
 * @param directory the folder that stands for "/"
 */
public record ProgramRoot(Path directory) {
    private static final String MULTIARCH = "x86_64-linux-gnu";
    private static final String LOADER = "ld-linux-x86-64.so.2";

    public ProgramRoot {
        directory = directory.toAbsolutePath().normalize();
    }

    /**
     * A file of the folder.
     *
     * @param relative its path without the leading slash
     * @throws IOException where it is missing
     */
    public Path file(String relative) throws IOException {
        Path path = directory.resolve(relative);
        if (!Files.exists(path)) {
            throw new IOException("The program folder " + directory + " has no " + relative);
        }
        return path;
    }

    /**
     * The command line that starts a program of the folder, to which its arguments are to be added.
     *
     * @param program its path without the leading slash, such as {@code usr/bin/fio}
     * @throws IOException where the program or the loader is missing
     */
    public List<String> command(String program) throws IOException {
        Path path = file(program);
        return List.of(loader().toString(), "--library-path", libraryPath(), path.toString());
    }

    /**
     * The command line that starts a program which decides what to do by the name it is called by.
     *
     * @param name the program's first word
     * @param program its path without the leading slash
     */
    public List<String> commandAs(String name, String program) throws IOException {
        Path path = file(program);
        return List.of(loader().toString(), "--library-path", libraryPath(), "--argv0", name, path.toString());
    }

    /**
     * The dynamic loader. The usual name /lib64/ld-linux-x86-64.so.2 may be an absolute link, which would lead out of
     * the folder; so the loader is taken where it really lies.
     */
    public Path loader() throws IOException {
        for (String folder : List.of("lib/" + MULTIARCH, "usr/lib/" + MULTIARCH)) {
            Path path = directory.resolve(folder).resolve(LOADER);
            if (Files.isRegularFile(path)) {
                return path;
            }
        }
        throw new IOException("The program folder " + directory + " has no dynamic loader " + LOADER);
    }

    /** The folders of libraries, separated by colons. */
    public String libraryPath() throws IOException {
        List<String> folders = new ArrayList<>();
        for (String folder : List.of("lib/" + MULTIARCH, "usr/lib/" + MULTIARCH)) {
            Path path = directory.resolve(folder);
            if (Files.isDirectory(path)) {
                folders.add(path.toString());
                addFoldersOfLibraries(path, folders);
            }
        }
        return String.join(":", folders);
    }

    /** Some packages keep private libraries one folder down and find them by an absolute path, which is not ours. */
    private static void addFoldersOfLibraries(Path parent, List<String> folders) throws IOException {
        try (Stream<Path> children = Files.list(parent)) {
            for (Path child : children.filter(Files::isDirectory).sorted().toList()) {
                try (Stream<Path> files = Files.list(child)) {
                    if (files.anyMatch(file -> isLibrary(file.getFileName().toString()))) {
                        folders.add(child.toString());
                    }
                }
            }
        }
    }

    private static boolean isLibrary(String name) {
        return name.startsWith("lib") && name.contains(".so");
    }
}
