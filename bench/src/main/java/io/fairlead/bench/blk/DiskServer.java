package io.fairlead.bench.blk;

import io.fairlead.testbed.blkio.ServerProcess;
import io.fairlead.testbed.blkio.StorageDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A running server of disks.
 *
 * @param kind which one
 * @param pid the process's number
 * @param image the file of the disk, or the first one's
 * @param sockets one for each disk
 * @param process what ends it
 */
record DiskServer(Kind kind, long pid, Path image, List<Path> sockets, AutoCloseable process) implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(3);

    /** Which server. */
    enum Kind {
        FAIRLEAD("fairlead"),
        QSD_IO_URING("qsd-io_uring"),
        QSD_THREADS("qsd-threads");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        /** Short name, also part of file names. */
        String label() {
            return label;
        }
    }

    /**
     * Starts a server of one disk or more, all of the same file, with one queue each.
     *
     * @param folder for its sockets and its log
     * @param disks how many
     */
    static DiskServer start(Kind kind, BlkBenchOptions options, Path folder, Path file, boolean direct, int disks)
            throws IOException {
        List<Path> sockets = new ArrayList<>();
        for (int i = 0; i < disks; i++) {
            sockets.add(folder.resolve("%s-%d.sock".formatted(kind.label(), i)));
        }
        return switch (kind) {
            case FAIRLEAD -> fairlead(options, folder, file, direct, sockets);
            case QSD_IO_URING -> storageDaemon(kind, StorageDaemon.Aio.IO_URING, options, file, direct, sockets);
            case QSD_THREADS -> storageDaemon(kind, StorageDaemon.Aio.THREADS, options, file, direct, sockets);
        };
    }

    private static DiskServer storageDaemon(
            Kind kind, StorageDaemon.Aio aio, BlkBenchOptions options, Path file, boolean direct, List<Path> sockets)
            throws IOException {
        StorageDaemon daemon = StorageDaemon.start(
                new StorageDaemon.Spec(options.storageDaemon(), file, aio, direct, true, false, 1, sockets));
        return new DiskServer(kind, daemon.pid(), file, sockets, daemon);
    }

    private static DiskServer fairlead(
            BlkBenchOptions options, Path folder, Path file, boolean direct, List<Path> sockets) throws IOException {
        List<String> words = new ArrayList<>(options.fairlead());
        words.add("serve");
        for (int i = 0; i < sockets.size(); i++) {
            words.add("--device");
            words.add("name=disk%d,type=blk,socket=%s,path=%s,queues=1,direct=%s,locked=off"
                    .formatted(i, escaped(sockets.get(i)), escaped(file), direct ? "on" : "off"));
        }
        ServerProcess process = ServerProcess.start(
                "fairlead serve", new ProcessBuilder(words), Files.createTempFile(folder, "fairlead", ".log"));
        process.awaitReady(written -> written.lines().anyMatch("ready"::equals), START_TIMEOUT);
        return new DiskServer(Kind.FAIRLEAD, process.pid(), file, sockets, process);
    }

    /** In a device's option a comma is written twice. */
    private static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }

    Path socket() {
        return sockets.getFirst();
    }

    @Override
    public void close() throws IOException {
        try {
            process.close();
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }
}
