package io.fairlead.node;

import io.fairlead.node.migration.DeviceAway;
import io.fairlead.node.migration.DeviceMarks;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.migration.StreamProgress;
import io.fairlead.vdpa.SharedDirtyLog;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A migration as clients of a node and of a daemon ask for it and see it. */
public final class MigrationJson {
    private MigrationJson() {}

    /**
     * What a user asked for; what is not said is as in {@link MigrationPlan#plain}.
     *
     * @throws IllegalArgumentException where a number is negative or too large
     */
    public static MigrationPlan plan(JsonNode asked) {
        return new MigrationPlan(
                asked.path("maxBandwidthBytesPerSecond").asLong(0),
                asked.path("downtimeLimitMillis").asLong(0),
                asked.path("downtimeBudgetMillis").asLong(0),
                asked.path("multifdChannels").asInt(0),
                asked.path("selfCheck").asBoolean(false),
                asked.path("keepSource").asBoolean(false));
    }

    /** How far memory is. */
    public static ObjectNode of(StreamProgress progress) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("transferredBytes", progress.transferredBytes())
                .put("remainingBytes", progress.remainingBytes())
                .put("totalBytes", progress.totalBytes())
                .put("rateBytesPerSecond", progress.rateBytesPerSecond())
                .put("dirtyBytesPerSecond", progress.dirtyBytesPerSecond())
                .put("passes", progress.passes());
    }

    /** What came of it. */
    public static ObjectNode of(MigrationReport report) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("result", report.result().name());
        body.put("reason", report.reason());
        body.put("totalMillis", report.totalMillis());
        ObjectNode phases = body.putObject("phaseMillis");
        report.phaseMillis().forEach((phase, millis) -> phases.put(phase.toString(), millis));
        body.put("qemuDowntimeMillis", report.stream().downtimeMillis());
        body.put("stoppedMillis", report.stoppedMillis());
        body.put("stopMillis", report.stopMillis());
        body.put("loadedMillis", report.loadedMillis());
        body.put("startedMillis", report.startedMillis());
        body.put("stateBytes", report.stateBytes());
        body.put("transferredBytes", report.stream().transferredBytes());
        body.put("passes", report.stream().passes());
        body.put("checkedBytes", report.checkedBytes());
        body.put("checkMillis", report.checkMillis());
        body.put("markedPageBytes", SharedDirtyLog.PAGE_BYTES);
        for (DeviceMarks marks : report.deviceMarks()) {
            ObjectNode device = body.withArray("marked").addObject().put("device", marks.device());
            // Null: not known.
            device.put("pages", marks.pages().isEmpty() ? null : marks.pages().getAsLong());
            device.put("bytes", marks.bytes().isEmpty() ? null : marks.bytes().getAsLong());
        }
        for (DeviceAway away : report.away()) {
            body.withArray("away")
                    .addObject()
                    .put("device", away.device())
                    .put("awayMillis", away.awayMillis())
                    .put("problem", away.problem());
        }
        return body;
    }
}
