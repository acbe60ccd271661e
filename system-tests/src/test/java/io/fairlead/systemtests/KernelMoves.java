package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Runs in an L1 host: a guest under KVM ("L2") moves under verified load between disks of the kernel and others, there and
 * back, between two nodes of this process. Prints a row of the matrix for each pair.
 */
final class KernelMoves {
    /** What a line starts with that is a row. */
    static final String ROW = "ROW ";

    private static final String LOCAL_SIMULATOR = "/sys/bus/vdpa/devices/local";
    private static final int MAX_CONTROL_MIGRATIONS = 20;

    private final VendorHosts.Guests guests;
    private final Path folder;

    private KernelMoves(Testbed testbed, Path folder) {
        guests = VendorHosts.Guests.inL1(testbed);
        this.folder = folder;
    }

    /** @param arguments {@code rows} or {@code control}; then pairs such as {@code sim,fairlead}, each its own guest */
    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createTempDirectory("moves");
        try (Testbed testbed = Lab.TESTBED.forL2Guests()) {
            for (int i = 1; i < arguments.length; i++) {
                KernelMoves moves =
                        new KernelMoves(testbed, Files.createDirectory(folder.resolve(Integer.toString(i))));
                if (arguments[0].equals("control")) {
                    moves.control(arguments[i]);
                } else {
                    moves.thereAndBack(arguments[i]);
                }
            }
        }
        System.out.println("DONE");
        // Nothing is to be waited for.
        System.exit(0);
    }

    /** The rows among what such a program printed. */
    static List<String> rows(String printed) {
        return printed.lines()
                .filter(line -> line.startsWith(ROW))
                .map(line -> line.substring(ROW.length()))
                .toList();
    }

    private void thereAndBack(String pair) throws Exception {
        VendorCell cell = cell(pair);
        List<VendorHosts.Move> moves = new ArrayList<>();
        Lab.report("%s: starts", cell);
        try (DiskHosts hosts = hosts(pair, cell, UnaryOperator.identity())) {
            Lab.report("the guest is under load");
            hosts.load();
            assertThat(hosts.relayedRequests())
                    .as("requests that were not the device's alone, before any migration")
                    .isZero();
            for (int i = 0; i < 2; i++) {
                moves.add(hosts.move());
                hosts.load();
            }
            GuestLoad.Outcome outcome = hosts.end();
            System.out.println(ROW + MatrixTable.pair(cell.here(), cell.there(), MatrixTable.figures(moves, outcome)));
        }
    }

    /** The relay's marks go where nobody looks: the load has to find what the destination did not get. */
    private void control(String pair) throws Exception {
        try (SharedDirtyLog elsewhere = SharedDirtyLog.create("elsewhere", 1L << 40);
                DiskHosts hosts = hosts(pair, cell(pair), disk -> ObservedDevice.withLogElsewhere(disk, elsewhere))) {
            hosts.load();
            assertThat(hosts.differences()).as("before the first migration").isEmpty();
            int migrations = 0;
            while (migrations < MAX_CONTROL_MIGRATIONS && hosts.differences().isEmpty()) {
                VendorHosts.Move _ = hosts.move();
                migrations++;
                hosts.load();
            }
            System.out.printf("LOST after %d migrations: %s%n", migrations, hosts.differences());
        }
    }

    private DiskHosts hosts(String pair, VendorCell cell, UnaryOperator<VdpaDevice> shown)
            throws IOException, InterruptedException {
        GuestLoad load = GuestLoad.light("/dev/vda");
        Path simulated = disk(Path.of(LOCAL_SIMULATOR));
        Path file = disk(function(KernelLab.LOCAL_SLOT));
        UnaryOperator<VdpaDevice> all = shown;
        if (pair.equals("sim,vp")) {
            UnaryOperator<VdpaDevice> copied = new CopiedDisks(List.of(simulated, file), load.mib());
            all = device -> shown.apply(copied.apply(device));
        }
        // What both disks store: the simulator's memory, which all its devices share, or the outer machine's file.
        return new DiskHosts(folder, pair.contains("sim") ? simulated : file, cell, guests, load, all);
    }

    /** The block device that this host's own driver has of a device. */
    private static Path disk(Path device) throws IOException {
        for (Path virtio : list(device)) {
            if (virtio.getFileName().toString().startsWith("virtio") && Files.exists(virtio.resolve("block"))) {
                return Path.of(
                        "/dev",
                        list(virtio.resolve("block")).getFirst().getFileName().toString());
            }
        }
        throw new IOException(device + " is no disk of this host");
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.sorted().toList();
        }
    }

    private static Path function(int slot) {
        return Path.of("/sys/bus/pci/devices/0000:00:%02x.0".formatted(slot));
    }

    private static VendorCell cell(String pair) {
        String[] words = pair.split(",", -1);
        DiskKind here = kind(words[0], 0);
        DiskKind there = kind(words[1], 1);
        long features = here.features() & there.features();
        VendorCell.Rings rings = new VendorCell.Rings(
                false, Feature.has(features, Feature.INDIRECT_DESC), Feature.has(features, Feature.EVENT_IDX));
        return new VendorCell(here, there, QemuRelease.V11, QemuRelease.V11, rings);
    }

    private static DiskKind kind(String word, int host) {
        return switch (word) {
            case "fairlead" -> VendorDisk.FAIRLEAD;
            case "sim" -> KernelDisk.simulator();
            case "vduse" -> KernelDisk.vduse();
            case "vp" ->
                KernelDisk.virtioPci(
                        function(KernelLab.FILE_SLOT + host).getFileName().toString());
            default -> throw new IllegalArgumentException(word + " is no disk");
        };
    }
}
