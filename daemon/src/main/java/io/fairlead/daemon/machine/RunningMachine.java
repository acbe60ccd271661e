package io.fairlead.daemon.machine;

import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.QmpEvent;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A machine's QEMU: its process, its monitor, and what it has said of itself. Thread-safe. */
final class RunningMachine {
    private final QemuProcess process;
    private final Qmp qmp;
    private final int consoleCount;
    private final Runnable changed;
    private boolean isRunning;
    private @Nullable String endReason;

    /** @param changed told where processors were stopped or go on; on the monitor's thread */
    private RunningMachine(QemuProcess process, Qmp qmp, int consoleCount, Runnable changed) throws IOException {
        this.process = process;
        this.qmp = qmp;
        this.consoleCount = consoleCount;
        this.changed = changed;
        Runnable _ = qmp.addListener(this::take);
        boolean running = qmp.execute("query-status").path("running").asBoolean(false);
        synchronized (this) {
            isRunning = running;
        }
    }

    /** That of a process whose monitor answers in its time. */
    static RunningMachine attach(QemuProcess process, int consoleCount, Runnable changed) throws IOException {
        Qmp qmp = process.connect();
        try {
            return new RunningMachine(process, qmp, consoleCount, changed);
        } catch (IOException | RuntimeException e) {
            qmp.close();
            throw e;
        }
    }

    private void take(QmpEvent event) {
        synchronized (this) {
            switch (event.name()) {
                case "STOP" -> isRunning = false;
                case "RESUME" -> isRunning = true;
                case "SHUTDOWN" -> endReason = event.data().path("reason").asString("");
                default -> {
                    return;
                }
            }
        }
        changed.run();
    }

    QemuProcess process() {
        return process;
    }

    Qmp qmp() {
        return qmp;
    }

    int consoleCount() {
        return consoleCount;
    }

    synchronized boolean isRunning() {
        return isRunning;
    }

    /** What QEMU said why it ends, such as {@code guest-shutdown}; null where it said nothing. */
    synchronized @Nullable String endReason() {
        return endReason;
    }

    JsonNode execute(String command) throws IOException {
        return qmp.execute(command);
    }

    JsonNode execute(String command, Map<String, ?> arguments) throws IOException {
        return qmp.execute(command, arguments);
    }
}
