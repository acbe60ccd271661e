package io.fairlead.daemon.machine;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** Where a machine's sockets and logs are. Immutable. */
record MachineFolder(Path path) {
    private static final int NAME_CHARS = 12;

    /** Of a machine, in the run-folder. */
    static MachineFolder of(Path machines, UUID uuid) {
        // Short, since sockets lie in it, and still no other machine's.
        return new MachineFolder(
                machines.resolve(uuid.toString().replace("-", "").substring(0, NAME_CHARS)));
    }

    /** Makes it, for its owner alone, without sockets of a QEMU that has ended. */
    void prepare() throws IOException {
        Files.createDirectories(
                path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        try (DirectoryStream<Path> old = Files.newDirectoryStream(path, "*.sock")) {
            for (Path socket : old) {
                Files.deleteIfExists(socket);
            }
        }
    }

    /** Removes it with all that is in it. */
    void remove() throws IOException {
        if (!Files.isDirectory(path)) {
            return;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(path)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
        }
        Files.deleteIfExists(path);
    }

    /** The daemon's. */
    Path monitor() {
        return path.resolve("qmp.sock");
    }

    /** That of migrations, which come and go. */
    Path migrationMonitor() {
        return path.resolve("migration.sock");
    }

    Path errorLog() {
        return path.resolve("qemu-stderr.log");
    }

    Path commandFile() {
        return path.resolve("qemu-command.txt");
    }

    List<Path> consoles(int count) {
        List<Path> sockets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sockets.add(path.resolve("serial" + i + ".sock"));
        }
        return sockets;
    }

    Path channel(String id) {
        return path.resolve(id + ".sock");
    }

    Path variables() {
        return path.resolve("nvram.fd");
    }
}
