package io.fairlead.cli.demo;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import io.fairlead.vdpa.QueueStatistics;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What came of the demo.
 *
 * @param held whether every check held and nothing failed
 * @param bootSeconds from QEMU's start to the guest's first command
 * @param verifiedBytes bytes that fio verified before the machine moved
 * @param moves of the machine
 * @param movingVerifiedBytes bytes that were verified while the machine moved: written and read back by fio, and read into
 *     memory that a device alone writes
 * @param lost how many of the checks during the moves found a byte that was not as expected
 */
public record DemoReport(
        boolean held,
        double bootSeconds,
        double totalSeconds,
        List<Speed> speeds,
        long verifiedBytes,
        List<DemoMove> moves,
        long movingVerifiedBytes,
        long lost,
        List<Check> checks,
        List<Queue> queues,
        String consoleLog) {
    /** What fio writes and verifies in one round while the machine moves. */
    static final int MOVING_MIB = 16;

    /** One thing that had to hold. */
    public record Check(String name, boolean held, String detail) {}

    /** I/O a second as fio in the guest measured it. */
    public record Speed(String name, double perSecond) {}

    /**
     * What one queue of one disk served.
     *
     * @param counts null where requests go straight to another daemon, so that nobody here counts them
     */
    public record Queue(String disk, int queue, QueueStatistics.@Nullable Snapshot counts) {}

    public DemoReport {
        speeds = List.copyOf(speeds);
        moves = List.copyOf(moves);
        checks = List.copyOf(checks);
        queues = List.copyOf(queues);
    }

    static List<Check> checks(List<JsonNode> lines) {
        return lines.stream()
                .filter(line -> line.has("check"))
                .map(line -> new Check(
                        line.path("check").asString(),
                        line.path("held").asBoolean(),
                        line.path("detail").asString()))
                .toList();
    }

    static DemoReport of(
            GuestResult result,
            double bootSeconds,
            double totalSeconds,
            List<Check> guestAndHost,
            List<DemoHost> hosts,
            List<DemoMove> moves,
            long verifyBytes) {
        List<Check> checks = new ArrayList<>(guestAndHost);
        List<Queue> queues = new ArrayList<>();
        for (DemoHost host : hosts) {
            for (DemoDisk disk : host.disks()) {
                List<QueueStatistics> counters = disk.device().statistics().queues();
                for (int i = 0; i < counters.size(); i++) {
                    queues.add(new Queue(
                            "host %s: %s (%s)".formatted(host.name(), disk.name(), disk.purpose()),
                            i,
                            disk.handedThrough() ? null : counters.get(i).snapshot()));
                }
            }
        }
        DeviceWrittenReads.Totals reads = DeviceWrittenReads.totals(result.lines());
        checks.add(new Check(
                "device-written reads",
                reads.readers() == 1 && reads.rounds() > 0 && reads.wrongRounds() == 0,
                "%d rounds, %d wrong %s".formatted(reads.rounds(), reads.wrongRounds(), reads.differences())));
        long fioRounds = result.lines().stream()
                .mapToLong(line -> line.path("movingRounds").asLong(0))
                .sum();
        long lost = reads.wrongRounds()
                + checks.stream()
                        .filter(check -> check.name().equals("fio during the moves") && !check.held())
                        .count();
        List<QueueStatistics.Snapshot> served =
                queues.stream().map(Queue::counts).filter(Objects::nonNull).toList();
        // Of a disk's queues: where the machine is only for a while it may leave one alone.
        boolean all = hosts.stream()
                .flatMap(host -> host.disks().stream())
                .filter(disk -> !disk.handedThrough())
                .allMatch(disk -> disk.device().statistics().total().requests() > 0);
        checks.add(new Check("every disk", all, all ? "served requests" : "a disk served nothing"));
        long faults =
                served.stream().mapToLong(QueueStatistics.Snapshot::guestFaults).sum();
        checks.add(new Check("guest faults", faults == 0, faults + " counted"));
        boolean verified = checks.stream().anyMatch(check -> check.name().equals("fio verify") && check.held());
        List<Speed> speeds = result.lines().stream()
                .filter(line -> line.has("speed"))
                .map(line -> new Speed(
                        line.path("speed").asString(), line.path("perSecond").asDouble()))
                .toList();
        return new DemoReport(
                result.status() == 0 && checks.stream().allMatch(Check::held),
                bootSeconds,
                totalSeconds,
                speeds,
                verified ? verifyBytes : 0,
                moves,
                reads.verifiedBytes() + fioRounds * ((long) MOVING_MIB << 20),
                lost,
                checks,
                queues,
                result.consoleLog().toString());
    }

    /** For a terminal. */
    public String text() {
        List<String> lines = new ArrayList<>();
        lines.add("");
        lines.add(String.format(Locale.ROOT, "boot            %.1f s to the first command", bootSeconds));
        for (Speed speed : speeds) {
            lines.add(String.format(
                    Locale.ROOT, "%-19s %,.0f a second (fio in the guest, depth 32)", speed.name(), speed.perSecond()));
        }
        lines.add(String.format(
                Locale.ROOT, "verified        %,d bytes by fio, and %d checks", verifiedBytes, checks.size()));
        moves.forEach(move -> lines.add(move.text()));
        lines.add(
                String.format(Locale.ROOT, "while it moved  %,d bytes verified, lost: %d", movingVerifiedBytes, lost));
        for (Queue queue : queues) {
            QueueStatistics.Snapshot counts = queue.counts();
            if (counts == null) {
                lines.add("%-40s queue %d: handed through, its daemon alone counts"
                        .formatted(queue.disk(), queue.queue()));
                continue;
            }
            lines.add(String.format(
                    Locale.ROOT,
                    "%-40s queue %d: %,d requests, %,d bytes read, %,d written, %d failed",
                    queue.disk(),
                    queue.queue(),
                    counts.requests(),
                    counts.readBytes(),
                    counts.writtenBytes(),
                    counts.failedRequests()));
        }
        List<Check> broken = checks.stream().filter(check -> !check.held()).toList();
        lines.add("errors          " + (broken.isEmpty() ? "none" : broken.size()));
        broken.forEach(check -> lines.add("  FAILED " + check.name() + ": " + check.detail()));
        lines.add("serial log      " + consoleLog);
        lines.add(String.format(Locale.ROOT, "%s in %.0f s", held ? "success" : "FAILED", totalSeconds));
        return String.join("\n", lines) + "\n";
    }

    public String json() {
        return JsonMapper.builder().build().writerWithDefaultPrettyPrinter().writeValueAsString(this) + "\n";
    }
}
