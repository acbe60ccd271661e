package io.fairlead.cli.demo;

import io.fairlead.devices.blk.BlkManagement;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Testbed;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A stock guest whose root file system is on a Fairlead disk, with two more: one of several queues in packed rings, one
 * read-only. It writes, reads back and verifies; then the images are checked from the host.
 */
public final class Demo {
    private static final int PROCESSORS = 2;
    private static final long DATA_BYTES = 256L << 20;
    private static final long VERIFY_BYTES = 64L << 20;
    private static final int FIXED_BYTES = 8 << 20;
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
        testbed.copyRootImage(folder.resolve("root.img"));
        try (RandomAccessFile data =
                new RandomAccessFile(folder.resolve("data.img").toFile(), "rw")) {
            data.setLength(DATA_BYTES);
        }
        byte[] fixed = new byte[FIXED_BYTES];
        new Random().nextBytes(fixed);
        Files.write(folder.resolve("fixed.img"), fixed);
        String fixedSum = HostChecks.sha256(fixed);

        try (EventLoopGroup loops = new EventLoopGroup(Runtime.getRuntime().availableProcessors());
                Registry registry = new Registry();
                VhostUserServer server = new VhostUserServer()) {
            BlkManagement management = new BlkManagement("software", loops);
            registry.register(management);
            List<DemoDisk> disks = List.of(
                    DemoDisk.create(registry, server, management, folder, "root", "root, split ring", 1, false, false),
                    DemoDisk.create(
                            registry,
                            server,
                            management,
                            folder,
                            "data",
                            "data, packed rings",
                            PROCESSORS,
                            false,
                            true),
                    DemoDisk.create(registry, server, management, folder, "fixed", "read-only", 1, true, false));
            return runGuest(folder, disks, fixedSum);
        }
    }

    private DemoReport runGuest(Path folder, List<DemoDisk> disks, String fixedSum)
            throws IOException, InterruptedException {
        GuestSpec spec = GuestSpec.job(job(fixedSum))
                .name("demo")
                .release(options.release())
                .boot(options.boot())
                .processors(PROCESSORS)
                .memoryMib(512)
                .workDirectory(folder);
        for (DemoDisk disk : disks) {
            boolean isRoot = disk.device().name().equals("root");
            spec.device(
                    isRoot && options.boot() != GuestSpec.Boot.KERNEL
                            ? disk.machineDevice().with("bootindex", 1)
                            : disk.machineDevice());
        }
        progress.stage("guest starts under " + testbed.accelerator(options.release()) + " on QEMU "
                + testbed.qemu(options.release()).version());
        try (Guest guest = testbed.start(spec)) {
            DemoProgress.Following following = progress.follow(guest, disks);
            GuestResult result;
            try {
                guest.awaitBoot();
                result = guest.awaitResult(GUEST_TIMEOUT);
            } finally {
                following.end();
            }
            List<DemoReport.Check> checks = new ArrayList<>(DemoReport.checks(result.lines()));
            progress.stage("host checks the images");
            checks.addAll(new HostChecks(testbed, folder).run(fixedSum, result.lines()));
            return DemoReport.of(result, checks, disks, VERIFY_BYTES);
        }
    }

    private static String job(String fixedSum) throws IOException {
        try (InputStream stream = Demo.class.getResourceAsStream("job.sh")) {
            if (stream == null) {
                throw new IllegalStateException("job.sh is not in the module");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8)
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
