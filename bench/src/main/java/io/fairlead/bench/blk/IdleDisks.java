package io.fairlead.bench.blk;

import io.fairlead.bench.Bar;
import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchRow;
import io.fairlead.bench.BenchTable;
import io.fairlead.bench.Cleanup;
import io.fairlead.bench.Figures;
import io.fairlead.bench.ProcessUsage;
import io.fairlead.bench.Samples;
import io.fairlead.testbed.blkio.BlkioCompletions;
import io.fairlead.testbed.blkio.BlkioDevice;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.BlkioMemory;
import io.fairlead.testbed.blkio.BlkioQueue;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What idle disks cost: a server of one disk is held against one of many more, all connected, started and read once, then
 * left alone.
 */
final class IdleDisks {
    /** What the rows are called, for the selection. */
    static final String NAME = "idle";

    private static final Duration SETTLING = Duration.ofSeconds(2);
    private static final Duration WATCHED = Duration.ofSeconds(10);

    /** Runs shorter than this ask for a smoke test, which does not wait as long. */
    private static final Duration FULL_RUN = Duration.ofMillis(500);

    private static final Duration QUICK = Duration.ofMillis(200);
    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final long FILE_BYTES = 1 << 20;
    private static final int BLOCK_BYTES = 4096;
    private static final double BYTES_PER_MIB = 1 << 20;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double MILLIS_PER_SECOND = 1e3;
    private static final double MAX_MIB_EACH = 1;

    /** The step in which /proc tells processor time: what is less cannot be seen. */
    private static final double MAX_CPU_MILLIS = 10;

    private final BlkBenchOptions options;
    private final BenchProgress progress;
    private final BlkioLibrary library;
    private final boolean quick;

    IdleDisks(BlkBenchOptions options, BenchProgress progress, BlkioLibrary library) {
        this.options = options;
        this.progress = progress;
        this.library = library;
        quick = options.runTime().compareTo(FULL_RUN) < 0;
    }

    /** What was found. */
    record Result(List<BenchRow> rows, BenchTable table) {}

    /** What one server used. */
    private record Usage(double residentMib, double cpuMillis) {}

    Result measure(Cleanup cleanup, Path folder) throws IOException, InterruptedException {
        DataFile file = cleanup.add(DataFile.create(folder, FILE_BYTES));
        int more = options.idleDisks();
        Usage ours = usage(cleanup, folder, file, DiskServer.Kind.FAIRLEAD, 1);
        Usage oursMore = usage(cleanup, folder, file, DiskServer.Kind.FAIRLEAD, 1 + more);
        Usage peer = usage(cleanup, folder, file, DiskServer.Kind.QSD_IO_URING, 1);
        Usage peerMore = usage(cleanup, folder, file, DiskServer.Kind.QSD_IO_URING, 1 + more);
        cleanup.end(file);
        List<BenchRow> rows = List.of(
                row(
                        "resident memory of one more disk of %d".formatted(more),
                        "MiB",
                        (oursMore.residentMib() - ours.residentMib()) / more,
                        (peerMore.residentMib() - peer.residentMib()) / more,
                        Bar.oursAtMost(MAX_MIB_EACH)),
                row(
                        "processor time of %d disks".formatted(more),
                        "ms in %s s".formatted(watched().toMillis() / MILLIS_PER_SECOND),
                        Math.max(0, oursMore.cpuMillis() - ours.cpuMillis()),
                        Math.max(0, peerMore.cpuMillis() - peer.cpuMillis()),
                        Bar.oursAtMost(MAX_CPU_MILLIS)),
                row("resident memory with one disk", "MiB", ours.residentMib(), peer.residentMib(), null));
        BenchTable table = new BenchTable(
                "Idle disks: connected, read once, then left alone",
                List.of("", "fairlead", "qsd io_uring", "bar"),
                rows.stream().map(IdleDisks::line).toList());
        return new Result(rows, table);
    }

    private static BenchRow row(String what, String unit, double ours, double peer, @Nullable Bar bar) {
        return new BenchRow(NAME + "/" + what, unit, Samples.of(ours), Samples.of(peer), bar);
    }

    private static List<String> line(BenchRow row) {
        Bar bar = row.bar();
        Samples peer = row.peer();
        return List.of(
                row.name() + ", " + row.unit(),
                Figures.of(row.ours().median()),
                peer == null ? "-" : Figures.of(peer.median()),
                bar == null ? "" : bar.text() + (Boolean.TRUE.equals(row.held()) ? ": held" : ": NOT held"));
    }

    private Usage usage(Cleanup cleanup, Path folder, DataFile file, DiskServer.Kind kind, int disks)
            throws IOException, InterruptedException {
        progress.step("Idle: %s with %d disk%s".formatted(kind.label(), disks, disks == 1 ? "" : "s"));
        DiskServer server = cleanup.add(DiskServer.start(kind, options, folder, file.path(), false, disks));
        try (Cleanup connections = new Cleanup()) {
            for (Path socket : server.sockets()) {
                readOnce(connections.add(library.startVhostUser(socket, 1, true)));
            }
            Thread.sleep(quick ? QUICK : SETTLING);
            ProcessUsage start = ProcessUsage.of(server.pid());
            Thread.sleep(watched());
            ProcessUsage end = ProcessUsage.of(server.pid());
            return new Usage(
                    end.ownResidentBytes() / BYTES_PER_MIB, (end.cpuNanos() - start.cpuNanos()) / NANOS_PER_MILLI);
        } finally {
            cleanup.end(server);
        }
    }

    private Duration watched() {
        return quick ? QUICK : WATCHED;
    }

    private static void readOnce(BlkioDevice device) throws IOException {
        BlkioMemory memory = device.allocate(BLOCK_BYTES);
        BlkioCompletions completions = new BlkioCompletions(1);
        BlkioQueue queue = device.queue(0);
        queue.read(0, memory.segment().asSlice(0, BLOCK_BYTES), 0);
        if (queue.await(completions, 1, TIMEOUT) == 0) {
            throw new IOException("a disk did not answer within " + TIMEOUT.toSeconds() + " s");
        }
        completions.check();
    }
}
