package io.fairlead.cli;

import io.fairlead.bench.BenchReport;
import io.fairlead.bench.blk.BlkBench;
import io.fairlead.bench.blk.BlkBenchOptions;
import io.fairlead.bench.blk.RelayBench;
import io.fairlead.bench.fs.FsBench;
import io.fairlead.bench.fs.FsBenchOptions;
import io.fairlead.bench.migrate.MigrateBench;
import io.fairlead.bench.migrate.MigrateBenchOptions;
import io.fairlead.bench.net.NetBench;
import io.fairlead.bench.net.NetBenchOptions;
import io.fairlead.bench.scsi.ScsiBench;
import io.fairlead.bench.scsi.ScsiBenchOptions;
import io.fairlead.bench.vduse.VduseBench;
import io.fairlead.bench.vduse.VduseBenchOptions;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code fairlead bench}: measured beside the peers, in the same run. */
@Command(
        name = "bench",
        description = "Measure beside other implementations, in alternating runs of one session.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND")
final class BenchCommand implements Runnable {
    private static final long RELAY_FILE_BYTES = 256 << 20;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(), "what to measure is missing: blk, fs, migrate, net, relay, scsi or vduse");
    }

    @Command(
            name = "blk",
            description =
                    "Disks: I/O a second and processor time per I/O through libblkio, beside qemu-storage-daemon.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Rows are medians of alternating runs. 'held' says whether the design's bar is met; the exit code",
                "does not depend on it. All rows take about half an hour; --only cached/poll a few minutes."
            })
    int blk(
            @Mixin BenchRunMixin run,
            @Option(names = "--seconds", paramLabel = "S", description = "Length of one run.") @Nullable Double seconds,
            @Option(
                            names = "--only",
                            paramLabel = "REGEX",
                            defaultValue = "",
                            description = "Rows whose name has this in it, such as cached/poll/randread or idle.")
                    String only,
            @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            List<String> self = OwnCommand.line();
            Path library = testbed.libblkio().library();
            BlkBenchOptions options = run.apply(
                    run.isQuick()
                            ? BlkBenchOptions.quick(output.folder(), self, testbed.storageDaemon(), library)
                            : BlkBenchOptions.full(output.folder(), self, testbed.storageDaemon(), library),
                    BlkBenchOptions::withRounds);
            if (seconds != null) {
                options = options.withRunTime(Duration.ofMillis(Math.round(seconds * 1000)));
            }
            BenchReport report = BlkBench.run(options.withSelect(Pattern.compile(only)), BenchOutputMixin.progress());
            output.publish(report);
        }
        return 0;
    }

    @Command(
            name = "migrate",
            description =
                    "Migrations of a busy guest with one disk, and of one with four devices, by plain QMP and by nodes: downtime, beside QEMU's own devices.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Rows are medians of moves in turn. 'held' says whether the design's bar is met; the exit code does not",
                "depend on it. All rounds take about half an hour where guests are emulated; 'devices' needs root."
            })
    int migrate(
            @Mixin TestbedMixin guests,
            @Mixin BenchRunMixin run,
            @Option(
                            names = "--only",
                            paramLabel = "PART",
                            split = ",",
                            description = "Of ${COMPLETION-CANDIDATES} these; all by default.")
                    @Nullable
                    Set<MigrateBenchOptions.Part> only,
            @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = guests.open(Progress.toStandardError())) {
            List<String> self = OwnCommand.line();
            MigrateBenchOptions options = run.apply(
                    run.isQuick()
                            ? MigrateBenchOptions.quick(output.folder(), guests.release(), self)
                            : MigrateBenchOptions.full(output.folder(), guests.release(), self),
                    MigrateBenchOptions::withRounds);
            if (only != null) {
                options = options.only(only);
            }
            output.publish(MigrateBench.run(options, testbed, BenchOutputMixin.progress()));
        }
        return 0;
    }

    @Command(
            name = "fs",
            description =
                    "Shared file systems: data, names and attributes by one guest, beside virtiofsd in the same guest.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Rows are medians of alternating runs. 'held' says whether the design's bar is met; the exit code does not",
                "depend on it. All rounds take about seven minutes where guests are emulated."
            })
    int fs(@Mixin TestbedMixin guests, @Mixin BenchRunMixin run, @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = guests.open(Progress.toStandardError())) {
            List<String> self = OwnCommand.line();
            FsBenchOptions options = run.apply(
                    run.isQuick()
                            ? FsBenchOptions.quick(output.folder(), self, testbed.virtiofsd())
                            : FsBenchOptions.full(output.folder(), self, testbed.virtiofsd()),
                    FsBenchOptions::withRounds);
            output.publish(FsBench.run(options, guests.release(), testbed, BenchOutputMixin.progress()));
        }
        return 0;
    }

    @Command(
            name = "net",
            description =
                    "Network cards: packets a second through the switch with DPDK's virtio_user, beside DPDK's vhost; host and guest by TAP, beside QEMU's own card.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Rows are medians of alternating runs. 'held' says whether the design's bar is met; the exit code",
                "does not depend on it. All rows take about nine minutes. 'forward' needs a processor each for server and",
                "client. 'guest' needs root and /dev/net/tun, and is left out without."
            })
    int net(
            @Mixin TestbedMixin guests,
            @Mixin BenchRunMixin run,
            @Option(names = "--seconds", paramLabel = "S", description = "Length of one run.") @Nullable Double seconds,
            @Option(
                            names = "--only",
                            paramLabel = "REGEX",
                            defaultValue = "",
                            description = "Rows whose name has this in it, such as split/64 or guest.")
                    String only,
            @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = guests.open(Progress.toStandardError())) {
            List<String> self = OwnCommand.line();
            NetBenchOptions options = run.apply(
                    run.isQuick()
                            ? NetBenchOptions.quick(output.folder(), self, testbed.testpmd())
                            : NetBenchOptions.full(output.folder(), self, testbed.testpmd()),
                    NetBenchOptions::withRounds);
            if (seconds != null) {
                options = options.withRunTime(Duration.ofMillis(Math.round(seconds * 1000)));
            }
            output.publish(NetBench.run(
                    options.withSelect(Pattern.compile(only)), guests.release(), testbed, BenchOutputMixin.progress()));
        }
        return 0;
    }

    @Command(
            name = "relay",
            description = "The relay: I/O a second and processor time per I/O of a disk with and without it.",
            mixinStandardHelpOptions = true,
            footer = {"", "Rows are medians of alternating runs; the peer is the same disk without a log."})
    int relay(
            @Option(
                            names = "--rounds",
                            paramLabel = "N",
                            defaultValue = "5",
                            description = "Runs of each row. Default: ${DEFAULT-VALUE}")
                    int rounds,
            @Option(
                            names = "--seconds",
                            paramLabel = "S",
                            defaultValue = "2",
                            description = "Length of one run. Default: ${DEFAULT-VALUE}")
                    double seconds,
            @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            RelayBench.Options options = new RelayBench.Options(
                    rounds,
                    Duration.ofMillis(Math.round(seconds * 1000)),
                    output.folder(),
                    RELAY_FILE_BYTES,
                    testbed.libblkio().library());
            output.publish(RelayBench.run(options, BenchOutputMixin.progress()));
        }
        return 0;
    }

    @Command(
            name = "scsi",
            description =
                    "SCSI hosts: I/O a second in a guest and processor time per I/O, beside QEMU's own virtio-scsi; and the device by itself beside our disk.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Rows are medians of alternating runs. 'held' says whether the design's bar is met; the exit code",
                "does not depend on it. All rounds take about six minutes."
            })
    int scsi(
            @Mixin TestbedMixin guests,
            @Mixin BenchRunMixin run,
            @Option(names = "--seconds", paramLabel = "S", description = "Length of one run in the guest.") @Nullable
                    Integer seconds,
            @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = guests.open(Progress.toStandardError())) {
            List<String> self = OwnCommand.line();
            ScsiBenchOptions options = run.apply(
                    run.isQuick()
                            ? ScsiBenchOptions.quick(output.folder(), guests.release(), self)
                            : ScsiBenchOptions.full(output.folder(), guests.release(), self),
                    ScsiBenchOptions::withRounds);
            if (seconds != null) {
                options = options.withRunTime(Duration.ofSeconds(seconds));
            }
            output.publish(ScsiBench.run(options, testbed, BenchOutputMixin.progress()));
        }
        return 0;
    }

    @Command(
            name = "vduse",
            description =
                    "Disks by VDUSE, used by a host's own kernel: I/O a second and processor time per I/O, beside qemu-storage-daemon.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "Rows are medians of alternating runs in one L1 host, which is emulated: ratios count. 'held' says whether",
                "ours is as good; the exit code does not depend on it. All rounds take about five minutes."
            })
    int vduse(
            @Option(
                            names = "--kernel",
                            paramLabel = "VERSION",
                            defaultValue = "6.12",
                            converter = TestbedL1Command.KernelConverter.class,
                            description = "The host's: 6.12 or 7.3; by default ${DEFAULT-VALUE}.")
                    L1Kernel kernel,
            @Mixin BenchRunMixin run,
            @Option(names = "--seconds", paramLabel = "S", description = "Length of one run.") @Nullable
                    Integer seconds,
            @Mixin BenchOutputMixin output)
            throws IOException, InterruptedException {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            List<String> self = OwnCommand.line();
            VduseBenchOptions options = run.apply(
                    run.isQuick() ? VduseBenchOptions.quick(kernel, self) : VduseBenchOptions.full(kernel, self),
                    VduseBenchOptions::withRounds);
            if (seconds != null) {
                options = options.withRunTime(Duration.ofSeconds(seconds));
            }
            output.publish(VduseBench.run(options, output.folder(), testbed, BenchOutputMixin.progress()));
        }
        return 0;
    }
}
