package io.fairlead.node;

import io.fairlead.linux.Fd;
import io.fairlead.linux.UnixSocket;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.migration.Phase;
import io.fairlead.node.migration.StreamProgress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * One command: a line of JSON comes, lines of JSON go back, the last one with {@code done}. A client that says {@code
 * {"cancel":true}} or goes away takes its migration back, as long as that is possible.
 */
final class ControlConnection implements MigrationWatcher {
    private static final Logger LOG = LoggerFactory.getLogger(ControlConnection.class);
    private static final int MAX_LINE_BYTES = 64 << 10;
    private static final int BUFFER_BYTES = 4096;
    private static final int SEND_TIMEOUT_MILLIS = 1000;
    private static final int DEFAULT_GUEST_SECONDS = 30;
    private static final int MAX_GUEST_SECONDS = 3600;
    private static final JsonMapper JSON = new JsonMapper();

    private final Node node;
    private final UnixSocket socket;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private volatile @Nullable String migrating;

    ControlConnection(Node node, UnixSocket socket) {
        this.node = node;
        this.socket = socket;
    }

    void shutdown() {
        socket.shutdown();
    }

    /** Serves the connection until the client goes. */
    void run() {
        try (Arena arena = Arena.ofConfined()) {
            // A client that does not read must not hold up a migration.
            socket.sendTimeout(SEND_TIMEOUT_MILLIS);
            MemorySegment buffer = arena.allocate(BUFFER_BYTES);
            int count = receive(buffer);
            while (count > 0) {
                for (int i = 0; i < count; i++) {
                    byte value = buffer.get(ValueLayout.JAVA_BYTE, i);
                    if (value == '\n') {
                        take(line.toString(StandardCharsets.UTF_8));
                        line.reset();
                    } else if (line.size() == MAX_LINE_BYTES) {
                        throw new IOException("a line of more than " + MAX_LINE_BYTES + " bytes");
                    } else {
                        line.write(value);
                    }
                }
                count = receive(buffer);
            }
        } catch (IOException e) {
            LOG.debug("a control connection ended", e);
        } finally {
            cancel("the command that asked for it has ended");
            socket.close();
        }
    }

    private int receive(MemorySegment buffer) throws IOException {
        List<Fd> strays = new ArrayList<>();
        int count = socket.receive(buffer, 0, BUFFER_BYTES, strays);
        strays.forEach(Fd::close);
        return count;
    }

    private void cancel(String reason) {
        String machine = migrating;
        if (machine != null && !node.cancel(machine, reason)) {
            LOG.warn("{}: too late to cancel", machine);
            note("too late to cancel: the destination may run the machine already");
        }
    }

    private void take(String text) {
        JsonNode command;
        try {
            command = JSON.readTree(text);
        } catch (JacksonException | StackOverflowError e) {
            done(2, "not JSON: " + e.getMessage());
            return;
        }
        if (command.path("cancel").asBoolean(false)) {
            cancel("cancelled by the user");
        } else if (migrating != null) {
            note("a command is running");
        } else {
            // The reader goes on, for a cancel or the end of the client.
            String machine = command.path("machine").asString("");
            boolean migrates = command.path("command").asString("").equals("migrate");
            migrating = migrates ? machine : null;
            Thread _ = Thread.ofPlatform().daemon().name("fairlead-command").start(() -> execute(command, machine));
        }
    }

    private void execute(JsonNode command, String machine) {
        try {
            switch (command.path("command").asString("")) {
                case "status" -> {
                    ObjectNode line = JSON.createObjectNode();
                    line.set("status", node.status());
                    send(line);
                    done(0, "");
                }
                case "mgmtdevs" -> {
                    list(node.managementDevices());
                    done(0, "");
                }
                case "devices" -> {
                    list(node.devices());
                    done(0, "");
                }
                case "check" -> {
                    MachineCheck check = node.check(machine, to(command));
                    checked(check);
                    done(check.refusal().isEmpty() ? 0 : 1, "");
                }
                case "migrate" -> {
                    MigrationReport report = node.migrate(machine, to(command), MigrationJson.plan(command), this);
                    migrating = null;
                    report(report);
                    done(
                            switch (report.result()) {
                                case MOVED -> 0;
                                case STAYED -> 1;
                                case LOST -> 3;
                            },
                            report.reason());
                }
                case "attach" -> {
                    node.attach(machine, DeviceOption.of(command.path("device")), guestTimeout(command));
                    done(0, "");
                }
                case "detach" -> {
                    node.detach(machine, command.path("device").asString(""), guestTimeout(command));
                    done(0, "");
                }
                case "set" -> {
                    node.change(
                            command.path("device").asString(""),
                            DeviceOption.attributes(command),
                            command.path("force").asBoolean(false));
                    done(0, "");
                }
                default ->
                    done(
                            2,
                            "no such command; there are: status, mgmtdevs, devices, check, migrate, attach, detach, set");
            }
        } catch (IOException e) {
            done(1, String.valueOf(e.getMessage()));
        } catch (IllegalArgumentException e) {
            done(2, String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            LOG.error("a command failed", e);
            done(70, "an error in Fairlead itself: " + e);
        } finally {
            migrating = null;
        }
    }

    private void list(List<HostObject> objects) {
        for (HostObject object : objects) {
            ObjectNode line = JSON.createObjectNode();
            line.putObject("object").put("name", object.name()).set("fields", JSON.valueToTree(object.fields()));
            send(line);
        }
    }

    private static Duration guestTimeout(JsonNode command) {
        return Duration.ofSeconds(
                Math.clamp(command.path("guestTimeoutSeconds").asInt(DEFAULT_GUEST_SECONDS), 1, MAX_GUEST_SECONDS));
    }

    private static HostPort to(JsonNode command) {
        return HostPort.parse(command.path("to").asString(""));
    }

    private void done(int exitCode, String error) {
        ObjectNode last = JSON.createObjectNode();
        last.put("done", exitCode);
        last.put("error", error);
        send(last);
    }

    @Override
    public void checked(MachineCheck check) {
        for (MachineCheck.Line verdict : check.lines()) {
            ObjectNode node = JSON.createObjectNode();
            verdict.into(node.putObject("verdict"));
            send(node);
        }
    }

    @Override
    public void phase(Phase phase) {
        send(JSON.createObjectNode().put("phase", phase.toString()));
    }

    @Override
    public void note(String text) {
        send(JSON.createObjectNode().put("note", text));
    }

    @Override
    public void progress(StreamProgress progress) {
        ObjectNode node = JSON.createObjectNode();
        node.set("progress", MigrationJson.of(progress));
        send(node);
    }

    private void report(MigrationReport report) {
        ObjectNode node = JSON.createObjectNode();
        node.set("report", MigrationJson.of(report));
        send(node);
    }

    /** A client that has gone is noticed by the reader. */
    private void send(ObjectNode node) {
        byte[] bytes = (JSON.writeValueAsString(node) + "\n").getBytes(StandardCharsets.UTF_8);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(bytes.length);
            MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, bytes.length);
            synchronized (this) {
                socket.sendAll(buffer, 0, bytes.length, List.of());
            }
        } catch (IOException | IllegalStateException e) {
            LOG.debug("a control client does not hear", e);
        }
    }
}
