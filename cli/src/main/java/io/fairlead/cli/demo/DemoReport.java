package io.fairlead.cli.demo;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import io.fairlead.vdpa.QueueStatistics;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToLongFunction;
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
 * @param served what each device served
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
        List<Served> served,
        String consoleLog) {
    /** What fio writes and verifies in one round while the machine moves. */
    static final int MOVING_MIB = 16;

    /** How the names of checks end whose failure means that something was lost on the way. */
    private static final String DURING_THE_MOVES = " during the moves";

    /** One thing that had to hold. */
    public record Check(String name, boolean held, String detail) {}

    /** I/O a second as fio in the guest measured it. */
    public record Speed(String name, double perSecond) {}

    /**
     * What a device served.
     *
     * @param queues by index; empty where requests go straight to another daemon, so that nobody here counts them
     */
    public record Served(String device, List<QueueStatistics.Snapshot> queues) {
        public Served {
            queues = List.copyOf(queues);
        }

        private String text() {
            if (queues.isEmpty()) {
                return "%-40s handed through, its daemon alone counts".formatted(device);
            }
            return String.format(
                    Locale.ROOT,
                    "%-40s %,d requests on %s, %,d bytes read, %,d written, %d failed",
                    device,
                    sum(QueueStatistics.Snapshot::requests),
                    queues.size() == 1 ? "a queue" : queues.size() + " queues",
                    sum(QueueStatistics.Snapshot::readBytes),
                    sum(QueueStatistics.Snapshot::writtenBytes),
                    sum(QueueStatistics.Snapshot::failedRequests));
        }

        private long sum(ToLongFunction<QueueStatistics.Snapshot> counter) {
            return queues.stream().mapToLong(counter).sum();
        }
    }

    public DemoReport {
        speeds = List.copyOf(speeds);
        moves = List.copyOf(moves);
        checks = List.copyOf(checks);
        served = List.copyOf(served);
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
        List<Served> served = new ArrayList<>();
        for (DemoHost host : hosts) {
            for (DemoDevice device : host.devices()) {
                served.add(new Served(
                        "host %s: %s (%s)".formatted(host.name(), device.name(), device.purpose()),
                        device.handedThrough()
                                ? List.of()
                                : device.device().statistics().queues().stream()
                                        .map(QueueStatistics::snapshot)
                                        .toList()));
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
                        .filter(check -> check.name().endsWith(DURING_THE_MOVES) && !check.held())
                        .count();
        boolean all = hosts.stream().allMatch(DemoHost::isUsed);
        checks.add(new Check("every device", all, all ? "served requests" : "a device served nothing"));
        long faults = served.stream()
                .flatMap(device -> device.queues().stream())
                .mapToLong(QueueStatistics.Snapshot::guestFaults)
                .sum();
        checks.add(new Check("guest faults", faults == 0, faults + " counted"));
        for (DemoMove move : moves) {
            for (DemoMove.Away away : move.away()) {
                checks.add(new Check(
                        "%s -> %s: %s".formatted(move.from(), move.to(), away.device()),
                        away.problem().isEmpty(),
                        away.problem().isEmpty() ? "plugged in again" : away.problem()));
            }
        }
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
                served,
                result.consoleLog().toString());
    }

    /** For a terminal. */
    public String text() {
        List<String> lines = new ArrayList<>();
        lines.add("");
        lines.add(String.format(Locale.ROOT, "boot                %.1f s to the first command", bootSeconds));
        for (Speed speed : speeds) {
            lines.add(String.format(
                    Locale.ROOT, "%-19s %,.0f a second (fio in the guest, depth 32)", speed.name(), speed.perSecond()));
        }
        lines.add(String.format(
                Locale.ROOT, "verified            %,d bytes by fio, and %d checks", verifiedBytes, checks.size()));
        moves.forEach(move -> lines.add(move.text()));
        lines.add(String.format(
                Locale.ROOT, "while it moved      %,d bytes verified, lost: %d", movingVerifiedBytes, lost));
        served.forEach(device -> lines.add(device.text()));
        List<Check> broken = checks.stream().filter(check -> !check.held()).toList();
        lines.add("errors              " + (broken.isEmpty() ? "none" : broken.size()));
        broken.forEach(check -> lines.add("  FAILED " + check.name() + ": " + check.detail()));
        lines.add("serial log          " + consoleLog);
        lines.add(String.format(Locale.ROOT, "%s in %.0f s", held ? "success" : "FAILED", totalSeconds));
        return String.join("\n", lines) + "\n";
    }

    public String json() {
        return JsonMapper.builder().build().writerWithDefaultPrettyPrinter().writeValueAsString(this) + "\n";
    }
}
