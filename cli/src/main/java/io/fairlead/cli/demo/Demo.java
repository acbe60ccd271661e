package io.fairlead.cli.demo;

import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A stock guest whose root file system is on a Fairlead disk, with two more: one of several queues in packed rings, one
 * read-only. It writes, reads back and verifies; under load it moves to another host, where two of the disks are another
 * vendor's, and back; then the images are checked from the host.
 */
public final class Demo {
    private static final int PROCESSORS = 2;
    private static final long DATA_BYTES = 256L << 20;
    private static final long VERIFY_BYTES = 64L << 20;
    private static final int FIXED_BYTES = 16 << 20;

    /** Reads the read-only disk, which is the third, while the machine moves. */
    private static final DeviceWrittenReads READS =
            new DeviceWrittenReads("fixed", "/dev/vdc", 0, FIXED_BYTES >> 20, 4);

    private static final Duration CERTIFICATES = Duration.ofDays(1);
    private static final int SPEED_SECONDS = 3;
    private static final Duration GUEST_TIMEOUT = Duration.ofMinutes(10);

    private final Testbed testbed;
    private final DemoOptions options;
    private final DemoProgress progress;

    /** @param out where progress is shown while it runs */
    public Demo(Testbed testbed, DemoOptions options, PrintStream out) {
        this.testbed = testbed;
        this.options = options;
        progress = new DemoProgress(out);
    }

    /** Runs it all and tells what came of it; the guest's failures are in the report, not thrown. */
    public DemoReport run() throws IOException, InterruptedException {
        testbed.prepare(options.release());
        Path chosen = options.work();
        Path folder = chosen != null ? Files.createDirectories(chosen) : Files.createTempDirectory("fairlead-demo");
        try {
            return run(folder);
        } finally {
            if (chosen == null) {
                deleteAllButLogs(folder);
            }
        }
    }

    private DemoReport run(Path folder) throws IOException, InterruptedException {
        progress.stage("disk images in " + folder);
        testbed.copyRootImage(image(folder, "root"));
        try (RandomAccessFile data = new RandomAccessFile(image(folder, "data").toFile(), "rw")) {
            data.setLength(DATA_BYTES);
        }
        byte[] fixed = new byte[FIXED_BYTES];
        new Random().nextBytes(fixed);
        Files.write(image(folder, "fixed"), fixed);
        String fixedSum = HostChecks.sha256(fixed);

        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder.resolve("ca"), CERTIFICATES);
        try (DemoHost here = host("A", folder, authority);
                DemoHost there = host("B", folder, authority)) {
            addSoftware(here, folder, "root", "root, split ring", 1, false);
            addSoftware(here, folder, "data", "data, packed rings", PROCESSORS, true);
            addSoftware(here, folder, "fixed", "read-only", 1, false);
            here.start();
            return runGuest(folder, here, there, fixedSum);
        }
    }

    private static Path image(Path folder, String disk) {
        return folder.resolve(disk + ".img");
    }

    private DemoHost host(String name, Path folder, CertificateAuthority authority) throws IOException {
        String address = InetAddress.getLoopbackAddress().getHostAddress();
        Path certificates = authority.createHost(List.of("host-" + name, address), CERTIFICATES);
        return new DemoHost(name, folder.resolve(name), certificates, options.boot() != GuestSpec.Boot.KERNEL);
    }

    /** A disk of Fairlead's own, without what the guest would not find again at the other vendor's. */
    private static void addSoftware(
            DemoHost host, Path folder, String disk, String purpose, int queueCount, boolean packed)
            throws IOException {
        long unused = Feature.RING_RESET | (packed ? 0 : Feature.RING_PACKED);
        host.addDisk(
                disk,
                purpose,
                queueCount,
                packed,
                Map.of(
                        "features",
                        "0x" + Long.toHexString(~unused),
                        "path",
                        image(folder, disk).toString(),
                        "locked",
                        "off",
                        "physical-block-size",
                        "512",
                        "volume",
                        disk,
                        "serial",
                        "fairlead-" + disk,
                        "queues",
                        Integer.toString(queueCount),
                        "read-only",
                        disk.equals("fixed") ? "on" : "off"));
    }

    /** The same disk behind another vendor's daemon. */
    private void addDaemons(DemoHost host, Path folder, String disk, String purpose) throws IOException {
        Path socket = host.folder().resolve(disk + "-daemon.sock");
        host.owns(StorageDaemon.start(new StorageDaemon.Spec(
                testbed.storageDaemon(),
                image(folder, disk),
                StorageDaemon.Aio.IO_URING,
                false,
                !disk.equals("fixed"),
                false,
                1,
                List.of(socket))));
        host.addDisk(
                disk,
                purpose,
                1,
                false,
                Map.of("backend", socket.toString(), "volume", disk, "serial", "fairlead-" + disk));
    }

    private DemoReport runGuest(Path folder, DemoHost here, DemoHost there, String fixedSum)
            throws IOException, InterruptedException {
        GuestSpec spec = GuestSpec.job(job(fixedSum))
                .name("demo")
                .release(options.release())
                .boot(options.boot())
                .processors(PROCESSORS)
                .memoryMib(512)
                .nodeMonitor()
                .heartbeats(1)
                .workDirectory(folder);
        here.addDevices(spec);
        progress.stage("guest starts under " + testbed.accelerator(options.release()) + " on QEMU "
                + testbed.qemu(options.release()).version());
        long startNanos = System.nanoTime();
        try (MigratingGuest guest = MigratingGuest.start(testbed, spec)) {
            DemoProgress.Following following = progress.follow(guest, List.of(here, there));
            GuestResult result;
            List<DemoMove> moves = new ArrayList<>();
            double bootSeconds;
            try {
                guest.awaitBoot();
                bootSeconds = (System.nanoTime() - startNanos) / 1e9;
                guest.awaitLine(line -> line.path("at").asString("").equals("loaded"), GUEST_TIMEOUT);
                progress.stage(
                        "host B: qemu-storage-daemon has the root and the read-only disk, Fairlead the data disk");
                addDaemons(there, folder, "root", "root, qemu-storage-daemon");
                addSoftware(there, folder, "data", "data, packed rings", PROCESSORS, true);
                addDaemons(there, folder, "fixed", "read-only, qemu-storage-daemon");
                there.start();
                try (DemoMover mover = new DemoMover(guest, spec, progress)) {
                    moves.add(mover.move(here, there));
                    moves.add(mover.move(there, here));
                }
                guest.send("back");
                result = guest.awaitResult(GUEST_TIMEOUT);
            } finally {
                following.end();
            }
            List<DemoReport.Check> checks = new ArrayList<>(DemoReport.checks(result.lines()));
            progress.stage("host checks the images");
            checks.addAll(new HostChecks(testbed, folder).run(fixedSum, result.lines()));
            return DemoReport.of(
                    result,
                    bootSeconds,
                    (System.nanoTime() - startNanos) / 1e9,
                    checks,
                    List.of(here, there),
                    moves,
                    VERIFY_BYTES);
        }
    }

    private static String job(String fixedSum) throws IOException {
        try (InputStream stream = Demo.class.getResourceAsStream("job.sh")) {
            if (stream == null) {
                throw new IllegalStateException("job.sh is not in the module");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8)
                    .replace("@FUNCTIONS@", DeviceWrittenReads.FUNCTIONS + Heartbeat.FUNCTIONS)
                    .replace("@READS_EXPECT@", READS.expect())
                    .replace("@READS_START@", READS.start())
                    .replace("@READS_STOP@", DeviceWrittenReads.STOP)
                    .replace("@MOVING_MIB@", Integer.toString(DemoReport.MOVING_MIB))
                    .replace("@QUEUES@", Integer.toString(PROCESSORS))
                    .replace("@FIXED_SHA256@", fixedSum)
                    .replace("@VERIFY_BYTES@", Long.toString(VERIFY_BYTES))
                    .replace("@SPEED_SECONDS@", Integer.toString(SPEED_SECONDS));
        }
    }

    /** What is left of a temporary folder is small and tells what went wrong. */
    private static void deleteAllButLogs(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                if (Files.isRegularFile(file) && !file.toString().endsWith(".log")) {
                    Files.delete(file);
                }
            }
        }
    }
}
