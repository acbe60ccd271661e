package io.fairlead.bench.migrate;

import io.fairlead.bench.Cleanup;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Whose disk the guest has, at two hosts that share the image, and who moves it.
 *
 * @param kind which one
 * @param image the disk's file
 * @param sockets of the two hosts' daemons; none where QEMU serves the disk itself
 * @param mover who moves its guests
 * @param daemons which serve it, over all rounds as in production
 */
record Contender(Kind kind, Path image, List<Path> sockets, Mover mover, List<ServerProcess> daemons) {
    static final int HOSTS = 2;
    private static final String DISK = "disk";

    /** How long each I/O of the slow disk takes at least. */
    static final int SLOW_MILLIS = 30;

    /** Whose disk, and who moves it. */
    enum Kind {
        /** A daemon at each host, and plain QMP. */
        FAIRLEAD("fairlead"),
        /** A node at each host, which serve the disk and move the guest. */
        NODES("nodes"),
        /** The same with a slow disk. */
        SLOW("nodes, slow disk"),
        /** QEMU's own virtio-blk, in its process, and plain QMP. */
        QEMU("qemu"),
        /** The same with TLS on its stream. */
        QEMU_TLS("qemu, TLS");

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
    static Contender start(Kind kind, MigrateBenchOptions options, Path image, Path folder, Cleanup cleanup)
            throws IOException {
        String disk = "path=%s,queues=1,direct=on,locked=off".formatted(escaped(image));
        return switch (kind) {
            case QEMU -> new Contender(kind, image, List.of(), new PlainMover(null), List.of());
            case QEMU_TLS ->
                new Contender(
                        kind,
                        image,
                        List.of(),
                        new PlainMover(FairleadCommand.createCertificates(options.fairlead(), folder)),
                        List.of());
            case FAIRLEAD -> serve(options, image, folder, disk, cleanup);
            case NODES -> nodes(kind, options, image, folder, disk, cleanup);
            case SLOW -> nodes(kind, options, image, folder, disk + ",delay-millis=" + SLOW_MILLIS, cleanup);
        };
    }

    private static Contender serve(MigrateBenchOptions options, Path image, Path folder, String disk, Cleanup cleanup)
            throws IOException {
        List<Path> sockets = new ArrayList<>();
        List<ServerProcess> daemons = new ArrayList<>();
        for (int host = 0; host < HOSTS; host++) {
            Path socket = folder.resolve("host" + host + ".sock");
            sockets.add(socket);
            daemons.add(cleanup.add(FairleadCommand.serve(
                    options.fairlead(),
                    List.of("name=disk,type=blk,socket=%s,%s".formatted(escaped(socket), disk)),
                    Files.createTempFile(folder, "fairlead", ".log"))));
        }
        return new Contender(Kind.FAIRLEAD, image, List.copyOf(sockets), new PlainMover(null), List.copyOf(daemons));
    }

    private static Contender nodes(
            Kind kind, MigrateBenchOptions options, Path image, Path folder, String disk, Cleanup cleanup)
            throws IOException {
        Path own = Files.createTempDirectory(folder, "nodes");
        SequencedMap<String, String> devices = new LinkedHashMap<>(Map.of(DISK, "type=blk,volume=bench," + disk));
        NodeMover mover = NodeMover.start(options.fairlead(), own, _ -> devices, cleanup);
        return new Contender(kind, image, List.of(mover.socket(0, DISK), mover.socket(1, DISK)), mover, List.of());
    }

    /**
     * Gives a machine its disk.
     *
     * @param host 0 or 1
     * @param isDestination a copy of the source's specification, which has QEMU's own disk already
     */
    void attach(GuestSpec spec, int host, boolean isDestination) {
        if (!sockets.isEmpty()) {
            spec.device(VhostUserDevice.blk(DISK, sockets.get(host)).with("num-queues", 1));
        } else if (!isDestination) {
            spec.arguments(
                    "-blockdev",
                    "driver=raw,node-name=image,cache.direct=on,file.driver=file,file.aio=io_uring,"
                            + "file.cache.direct=on,file.filename=" + escaped(image),
                    "-device",
                    "virtio-blk-pci,id=disk,drive=image,num-queues=1");
        }
    }

    /** In an option of QEMU and of ours a comma is written twice. */
    static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }
}
