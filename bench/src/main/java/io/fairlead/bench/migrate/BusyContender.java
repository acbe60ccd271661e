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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/** Whose devices the busy guest has, at two hosts that share images and folder, and who moves it. One thread. */
abstract class BusyContender {
    static final int HOSTS = 2;

    /** Whose devices, and who moves them. */
    enum Kind {
        /** A daemon at each host, and plain QMP. */
        FAIRLEAD("four devices"),
        /** A node at each host, which serve the devices and move the guest. */
        NODES("four devices, nodes"),
        /** QEMU's own devices, in its process, with virtiofsd, and plain QMP. */
        QEMU("four devices, qemu"),
        /** The same with TLS on its stream. */
        QEMU_TLS("four devices, qemu, TLS");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }

    /**
     * What a contender works with.
     *
     * @param disk an image with the root file system
     * @param unit another image
     * @param share a folder
     * @param fairlead how to start the fairlead command in the network
     * @param virtiofsd how to start virtiofsd
     * @param folder for sockets and logs
     */
    record Place(
            Path disk,
            Path unit,
            Path share,
            List<String> fairlead,
            List<String> virtiofsd,
            Path folder,
            PingedNetwork network) {
        Place {
            fairlead = List.copyOf(fairlead);
            virtiofsd = List.copyOf(virtiofsd);
        }
    }

    private final Kind kind;
    private final Mover mover;

    private BusyContender(Kind kind, Mover mover) {
        this.kind = kind;
        this.mover = mover;
    }

    static BusyContender start(Kind kind, Place place, Cleanup cleanup) throws IOException {
        List<String> taps = List.of(place.network().makeTap(), place.network().makeTap());
        return switch (kind) {
            case FAIRLEAD -> Ours.served(kind, place, taps, cleanup);
            case NODES -> Ours.byNodes(kind, place, taps, cleanup);
            case QEMU -> new Qemus(kind, new PlainMover(null), place, taps, cleanup);
            case QEMU_TLS ->
                new Qemus(
                        kind,
                        new PlainMover(FairleadCommand.createCertificates(place.fairlead(), place.folder())),
                        place,
                        taps,
                        cleanup);
        };
    }

    Kind kind() {
        return kind;
    }

    Mover mover() {
        return mover;
    }

    /** Those that say at their end how long their rings took; none where nobody does. */
    List<ServerProcess> daemons() {
        return List.of();
    }

    /** Gives a QEMU its devices; what it needs of daemons runs then. */
    abstract void attach(GuestSpec spec, int host) throws IOException;

    /** Devices of Fairlead, over all moves as in production. */
    private static final class Ours extends BusyContender {
        private final Sockets sockets;
        private final List<ServerProcess> daemons;

        private Ours(Kind kind, Mover mover, Sockets sockets, List<ServerProcess> daemons) {
            super(kind, mover);
            this.sockets = sockets;
            this.daemons = List.copyOf(daemons);
        }

        /** Where the devices are. */
        interface Sockets {
            Path of(int host, String device);
        }

        static Ours served(Kind kind, Place place, List<String> taps, Cleanup cleanup) throws IOException {
            Sockets sockets = (host, device) -> place.folder().resolve(device + host + ".sock");
            List<ServerProcess> daemons = new ArrayList<>();
            for (int host = 0; host < HOSTS; host++) {
                List<String> devices = new ArrayList<>();
                for (var device : devices(place, taps.get(host)).entrySet()) {
                    devices.add("name=%s,socket=%s,%s"
                            .formatted(
                                    device.getKey(),
                                    Contender.escaped(sockets.of(host, device.getKey())),
                                    device.getValue()));
                }
                daemons.add(cleanup.add(FairleadCommand.serve(
                        place.fairlead(), devices, Files.createTempFile(place.folder(), "fairlead", ".log"))));
            }
            return new Ours(kind, new PlainMover(null), sockets, daemons);
        }

        static Ours byNodes(Kind kind, Place place, List<String> taps, Cleanup cleanup) throws IOException {
            Path own = Files.createTempDirectory(place.folder(), "nodes");
            NodeMover mover = NodeMover.start(place.fairlead(), own, host -> devices(place, taps.get(host)), cleanup);
            return new Ours(kind, mover, mover::socket, List.of());
        }

        private static SequencedMap<String, String> devices(Place place, String tap) {
            SequencedMap<String, String> devices = new LinkedHashMap<>();
            devices.put(
                    "disk",
                    "type=blk,path=%s,direct=on,locked=off,volume=bench".formatted(Contender.escaped(place.disk())));
            devices.put("nic", "type=net,tap=%s,mac=%s".formatted(tap, BusyGuest.MAC));
            devices.put(
                    "scsi",
                    "type=scsi,lun0=%s,lun0.direct=on,lun0.locked=off,lun0.volume=unit,lun0.serial=unit"
                            .formatted(Contender.escaped(place.unit())));
            devices.put("fs", "type=fs,path=%s,tag=%s".formatted(Contender.escaped(place.share()), BusyGuest.TAG));
            return devices;
        }

        @Override
        List<ServerProcess> daemons() {
            return daemons;
        }

        @Override
        void attach(GuestSpec spec, int host) {
            spec.device(VhostUserDevice.blk("disk", sockets.of(host, "disk")).with("num-queues", 1))
                    .device(VhostUserDevice.net("nic", sockets.of(host, "nic")).with("mac", BusyGuest.MAC))
                    .device(VhostUserDevice.scsi("scsi", sockets.of(host, "scsi"))
                            .with("num_queues", 1))
                    .device(VhostUserDevice.fs("fs", sockets.of(host, "fs"), BusyGuest.TAG));
        }
    }

    /** QEMU's own devices, and for the folder, for which it has none, virtiofsd, which ends with each QEMU. */
    private static final class Qemus extends BusyContender {
        private static final Duration START_TIMEOUT = Duration.ofMinutes(1);

        private final Place place;
        private final List<String> taps;
        private final Cleanup cleanup;

        private Qemus(Kind kind, Mover mover, Place place, List<String> taps, Cleanup cleanup) {
            super(kind, mover);
            this.place = place;
            this.taps = taps;
            this.cleanup = cleanup;
        }

        @Override
        void attach(GuestSpec spec, int host) throws IOException {
            blockdev(spec, "disk", place.disk());
            spec.arguments("-device", "virtio-blk-pci,id=disk,drive=disk-file,num-queues=1");
            spec.arguments(
                    "-netdev",
                    "tap,id=net-nic,ifname=%s,script=no,downscript=no,vhost=off".formatted(taps.get(host)),
                    "-device",
                    "virtio-net-pci,id=nic,netdev=net-nic,mac=" + BusyGuest.MAC);
            blockdev(spec, "unit", place.unit());
            spec.arguments(
                    "-device",
                    "virtio-scsi-pci,id=scsi,num_queues=1",
                    "-device",
                    "scsi-hd,id=unit,bus=scsi.0,drive=unit-file");
            spec.device(VhostUserDevice.fs("fs", startVirtiofsd(), BusyGuest.TAG));
        }

        private static void blockdev(GuestSpec spec, String id, Path image) {
            spec.arguments(
                    "-blockdev",
                    "driver=raw,node-name=%s-file,cache.direct=on,file.driver=file,file.aio=io_uring,file.cache.direct=on,file.filename=%s"
                            .formatted(id, Contender.escaped(image)));
        }

        private Path startVirtiofsd() throws IOException {
            Path folder = Files.createTempDirectory(place.folder(), "fs");
            Path socket = folder.resolve("fs.sock");
            List<String> words = new ArrayList<>(place.virtiofsd());
            words.addAll(List.of(
                    "--shared-dir",
                    place.share().toString(),
                    "--socket-path",
                    socket.toString(),
                    "--tag",
                    BusyGuest.TAG,
                    "--sandbox",
                    "none"));
            ServerProcess process = cleanup.add(
                    ServerProcess.start("virtiofsd", new ProcessBuilder(words), folder.resolve("virtiofsd.log")));
            process.awaitReady(_ -> Files.exists(socket), START_TIMEOUT);
            return socket;
        }
    }
}
