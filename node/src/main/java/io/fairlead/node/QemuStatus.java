package io.fairlead.node;

import io.fairlead.qemu.Qmp;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Short questions to a QEMU. */
final class QemuStatus {
    static final String RUNNING = "running";
    static final String INCOMING = "inmigrate";

    private QemuStatus() {}

    /** As query-status says: running, paused, inmigrate, postmigrate, finish-migrate and others. */
    static String of(Qmp qmp) throws IOException {
        return qmp.execute("query-status").path("status").asString("");
    }

    /** The same with less or more patience. */
    static String of(Qmp qmp, Duration timeout) throws IOException {
        return qmp.execute("query-status", Map.of(), timeout).path("status").asString("");
    }

    /** The status of a migration; empty where there was none. */
    static String migration(Qmp qmp) throws IOException {
        return qmp.execute("query-migrate").path("status").asString("");
    }

    static void command(Qmp qmp, String command) throws IOException {
        JsonNode _ = qmp.execute(command);
    }
}
