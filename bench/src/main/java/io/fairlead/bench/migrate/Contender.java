package io.fairlead.bench.migrate;

import io.fairlead.bench.Cleanup;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Whose disk the guest has, at two hosts that share the image.
 *
 * @param kind which one
 * @param image the disk's file
 * @param sockets of the two hosts' daemons; none where QEMU serves the disk itself
 * @param mover who moves its guests
 */
record Contender(Kind kind, Path image, List<Path> sockets, Mover mover) {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(3);
    private static final int HOSTS = 2;

    /** Whose disk. */
    enum Kind {
        /** A daemon at each host, which stays over all rounds, as in production. */
        FAIRLEAD("fairlead"),
        /** QEMU's own virtio-blk, in its process. */
        QEMU("qemu");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }

    /**
     * Prepares a disk, and starts what serves it.
     *
     * @param image a file of its own
     * @param folder for sockets and logs
     */
    static Contender start(
            Kind kind, MigrateBenchOptions options, Path image, Path folder, Mover mover, Cleanup cleanup)
            throws IOException {
        List<Path> sockets = new ArrayList<>();
        if (kind == Kind.FAIRLEAD) {
            for (int host = 0; host < HOSTS; host++) {
                Path socket = folder.resolve("host" + host + ".sock");
                List<String> words = new ArrayList<>(options.fairlead());
                words.addAll(List.of(
                        "serve",
                        "--device",
                        "name=disk,type=blk,socket=%s,path=%s,queues=1,direct=on,locked=off"
                                .formatted(escaped(socket), escaped(image))));
                ServerProcess process = cleanup.add(ServerProcess.start(
                        "fairlead serve", new ProcessBuilder(words), Files.createTempFile(folder, "fairlead", ".log")));
                process.awaitReady(written -> written.lines().anyMatch("ready"::equals), START_TIMEOUT);
                sockets.add(socket);
            }
        }
        return new Contender(kind, image, List.copyOf(sockets), mover);
    }

    /**
     * Gives a machine its disk.
     *
     * @param host 0 or 1
     * @param isDestination a copy of the source's specification, which has QEMU's own disk already
     */
    void attach(GuestSpec spec, int host, boolean isDestination) {
        switch (kind) {
            case FAIRLEAD ->
                spec.device(VhostUserDevice.blk("disk", sockets.get(host)).with("num-queues", 1));
            case QEMU -> {
                if (!isDestination) {
                    spec.arguments(
                            "-blockdev",
                            "driver=raw,node-name=image,cache.direct=on,file.driver=file,file.aio=io_uring,"
                                    + "file.cache.direct=on,file.filename=" + escaped(image),
                            "-device",
                            "virtio-blk-pci,id=disk,drive=image,num-queues=1");
                }
            }
        }
    }

    /** In an option of QEMU and of ours a comma is written twice. */
    private static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }
}
