package io.fairlead.cli.demo;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.Testbed;
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
import java.util.Random;

/**
 * A stock guest with a device of each type: its root file system and two more disks, one of several queues in packed rings,
 * one read-only; a NIC to another guest, a unit of a SCSI host, a folder of the host, random numbers, sockets to the host, a
 * console. It writes,
 * reads back and verifies; under load it moves to another host, where two of the disks are another vendor's, and back; then
 * images and files are checked from the host.
 */
public final class Demo {
    private static final int PROCESSORS = 2;
    private static final long DATA_BYTES = 256L << 20;
    private static final long UNIT_BYTES = 64L << 20;
    private static final long VERIFY_BYTES = 64L << 20;
    private static final int FIXED_BYTES = 16 << 20;

    /** Reads the read-only disk, which is the third, while the machine moves. */
    private static final DeviceWrittenReads READS =
            new DeviceWrittenReads("fixed", "/dev/vdc", 0, FIXED_BYTES >> 20, 4);

    private static final Duration CERTIFICATES = Duration.ofDays(1);
    private static final int SPEED_SECONDS = 3;
    private static final Duration USE_TIMEOUT = Duration.ofSeconds(30);
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
        testbed.copyRootImage(DemoDevices.image(folder, "root"));
        makeEmpty(DemoDevices.image(folder, "data"), DATA_BYTES);
        makeEmpty(DemoDevices.image(folder, "unit"), UNIT_BYTES);
        Files.createDirectories(DemoDevices.share(folder));
        byte[] fixed = new byte[FIXED_BYTES];
        new Random().nextBytes(fixed);
        Files.write(DemoDevices.image(folder, "fixed"), fixed);
        String fixedSum = HostChecks.sha256(fixed);

        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder.resolve("ca"), CERTIFICATES);
        DemoDevices devices = new DemoDevices(testbed, folder, options.release(), PROCESSORS);
        ServedDevices first = new ServedDevices(Runtime.getRuntime().availableProcessors());
        try (DemoHost here = host("A", folder, authority, first);
                DemoHost there = host("B", folder, authority, first.beside())) {
            devices.addOurs(here);
            here.start();
            return runGuest(folder, devices, here, there, fixedSum);
        }
    }

    private static void makeEmpty(Path image, long byteCount) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(byteCount);
        }
    }

    private DemoHost host(String name, Path folder, CertificateAuthority authority, ServedDevices served)
            throws IOException {
        String address = InetAddress.getLoopbackAddress().getHostAddress();
        Path certificates = authority.createHost(List.of("host-" + name, address), CERTIFICATES);
        return new DemoHost(name, folder.resolve(name), certificates, options.boot() != GuestSpec.Boot.KERNEL, served);
    }

    private DemoReport runGuest(Path folder, DemoDevices devices, DemoHost here, DemoHost there, String fixedSum)
            throws IOException, InterruptedException {
        GuestSpec spec = GuestSpec.job(job(fixedSum, devices.hasConsole()))
                .name("demo")
                .release(options.release())
                .boot(options.boot())
                .processors(PROCESSORS)
                .memoryMib(512)
                .nodeMonitor()
                .heartbeats(1)
                .workDirectory(folder);
        here.addDevices(spec, true);
        progress.stage("guest starts under " + testbed.accelerator(options.release()) + " on QEMU "
                + testbed.qemu(options.release()).version());
        long startNanos = System.nanoTime();
        try (MigratingGuest guest = MigratingGuest.start(testbed, spec);
                DemoPeer peer = DemoPeer.start(testbed, options.release(), here, folder);
                HostProgram program = new HostProgram(DemoDevices.hostSockets(here))) {
            DemoProgress.Following following = progress.follow(guest, List.of(here, there));
            GuestResult result;
            List<DemoMove> moves = new ArrayList<>();
            double bootSeconds;
            try {
                guest.awaitBoot();
                bootSeconds = (System.nanoTime() - startNanos) / 1e9;
                guest.awaitLine(line -> line.path("at").asString("").equals("loaded"), GUEST_TIMEOUT);
                progress.stage("host B: qemu-storage-daemon has the root and the read-only disk, Fairlead the others");
                devices.addOthers(there);
                there.start();
                try (DemoMover mover = new DemoMover(guest, spec, progress)) {
                    moves.add(mover.move(here, there));
                    there.awaitUse(USE_TIMEOUT);
                    moves.add(mover.move(there, here));
                }
                guest.send("back");
                result = guest.awaitResult(GUEST_TIMEOUT);
            } finally {
                following.end();
            }
            List<DemoReport.Check> checks = new ArrayList<>(DemoReport.checks(result.lines()));
            progress.stage("host checks the images");
            checks.add(peer.check(result.lines()));
            checks.add(program.check());
            checks.addAll(new HostChecks(testbed, folder).run(fixedSum, devices.hasConsole(), result.lines()));
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

    private static String job(String fixedSum, boolean hasConsole) throws IOException {
        return script("job.sh")
                .replace("@FUNCTIONS@", DeviceWrittenReads.FUNCTIONS + Heartbeat.FUNCTIONS)
                .replace("@READS_EXPECT@", READS.expect())
                .replace("@READS_START@", READS.start())
                .replace("@READS_STOP@", DeviceWrittenReads.STOP)
                .replace("@MOVING_MIB@", Integer.toString(DemoReport.MOVING_MIB))
                .replace("@QUEUES@", Integer.toString(PROCESSORS))
                .replace("@FIXED_SHA256@", fixedSum)
                .replace("@VERIFY_BYTES@", Long.toString(VERIFY_BYTES))
                .replace("@SPEED_SECONDS@", Integer.toString(SPEED_SECONDS))
                .replace("@ADDRESS@", DemoPeer.MACHINE_ADDRESS)
                .replace("@PEER@", DemoPeer.ADDRESS)
                .replace("@PORT@", Integer.toString(DemoPeer.PORT))
                .replace("@HOST_PORT@", Integer.toString(HostProgram.PORT))
                .replace("@CONSOLE@", hasConsole ? "yes" : "no");
    }

    /** A guest's job, with what is to be replaced in it. */
    static String script(String name) throws IOException {
        try (InputStream stream = Demo.class.getResourceAsStream(name)) {
            if (stream == null) {
                throw new IllegalStateException(name + " is not in the module");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
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
