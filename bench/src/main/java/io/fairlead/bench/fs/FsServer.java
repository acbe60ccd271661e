package io.fairlead.bench.fs;

import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A running server of one shared file system.
 *
 * @param socket its vhost-user socket
 */
record FsServer(Kind kind, Path socket, ServerProcess process) implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(2);

    /** Which server; its label is also the tag that the guest mounts. */
    enum Kind {
        FAIRLEAD("fairlead"),
        VIRTIOFSD("virtiofsd");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }

    /** Starts one on a folder of its own. Both as they are by default, but for virtiofsd's sandbox. */
    static FsServer start(Kind kind, FsBenchOptions options, Path folder) throws IOException {
        Path export = Files.createDirectory(folder.resolve(kind.label()));
        Path socket = folder.resolve(kind.label() + ".sock");
        boolean ours = kind == Kind.FAIRLEAD;
        List<String> words = new ArrayList<>(ours ? options.fairlead() : options.virtiofsd());
        words.addAll(
                ours
                        ? List.of(
                                "serve",
                                "--device",
                                "name=fs,type=fs,socket=%s,path=%s,tag=%s"
                                        .formatted(escaped(socket), escaped(export), kind.label()))
                        : List.of(
                                "--shared-dir",
                                export.toString(),
                                "--socket-path",
                                socket.toString(),
                                "--tag",
                                kind.label(),
                                "--sandbox",
                                "none"));
        ServerProcess process =
                ServerProcess.start(kind.label(), new ProcessBuilder(words), folder.resolve(kind.label() + ".log"));
        process.awaitReady(
                written -> ours ? written.lines().anyMatch("ready"::equals) : Files.exists(socket), START_TIMEOUT);
        return new FsServer(kind, socket, process);
    }

    /** In a device's option a comma is written twice. */
    private static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }

    @Override
    public void close() throws IOException {
        process.close();
    }
}
