package io.fairlead.cli;

import io.fairlead.cli.output.Quantity;
import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** The commands of {@code fairlead vm} that define machines, and show them and what they show. */
final class MachineQueries {
    private MachineQueries() {}

    /** Connects the terminal to a machine's serial port. */
    static int connect(ApiClient client, MachineTask task, int port) throws IOException, InterruptedException {
        if (!task.daemon().isLocal()) {
            throw new IllegalArgumentException(
                    "a console is a socket of the daemon's host: connect there, by the daemon's own socket");
        }
        JsonNode consoles = client.get(task.path("")).path("consoles");
        if (port < 0 || port >= consoles.size()) {
            throw new IOException("machine %s: there is no serial port %d; it has %d, counted from 0, while it runs"
                    .formatted(task.machine(), port, consoles.size()));
        }
        boolean isTerminal = DaemonMixin.isTerminal();
        if (isTerminal) {
            System.err.println("Connected to %s. Ctrl and ] to leave.".formatted(task.machine()));
        }
        SerialConsole.run(Path.of(consoles.path(port).asString("")), isTerminal);
        return 0;
    }

    @Command(name = "list", description = "List machines that run, or all.", mixinStandardHelpOptions = true)
    static final class ListMachines implements Callable<Integer> {
        @Mixin
        @SuppressWarnings("NullAway.Init") // picocli sets it before call
        private DaemonMixin daemon;

        @Option(names = "--all", description = "Those that are shut off, too.")
        private boolean all;

        @Option(names = "--name", description = "Only names, a line each.")
        private boolean name;

        @Override
        public Integer call() throws IOException {
            try (ApiClient client = daemon.open()) {
                JsonNode answer = client.get("/v1/machines");
                Table table = new Table("NAME", "STATE", "VCPUS", "MEMORY", "DEVICES", "PROCESS");
                StringBuilder names = new StringBuilder();
                for (JsonNode machine : answer.path("machines")) {
                    String state = machine.path("state").asString("");
                    if (!all && (state.equals("shut off") || state.equals("crashed"))) {
                        continue;
                    }
                    String called = machine.path("name").asString("");
                    names.append(names.isEmpty() ? "" : "\n").append(Table.printable(called));
                    table.row(
                            called,
                            state,
                            machine.path("vcpus").asLong(0),
                            Quantity.bytes(machine.path("memoryBytes").asLong(0)),
                            machine.path("devices").size(),
                            machine.path("pid").isNumber() ? machine.path("pid").asLong() : Quantity.UNKNOWN);
                }
                if (name) {
                    daemon.print(answer, names.toString());
                } else {
                    daemon.print(answer, table);
                }
            }
            return 0;
        }
    }

    @Command(
            name = "define",
            description = "Define a machine by libvirt's domain XML, or define it anew.",
            mixinStandardHelpOptions = true)
    static final class Define implements Callable<Integer> {
        @Mixin
        @SuppressWarnings("NullAway.Init") // picocli sets it before call
        private DaemonMixin daemon;

        @Parameters(paramLabel = "FILE", description = "The domain's XML.")
        private Path file = Path.of("");

        @Override
        public Integer call() throws IOException {
            try (ApiClient client = daemon.open()) {
                JsonNode answer = client.post("/v1/machines", "application/xml", Files.readString(file));
                if (!daemon.json()) {
                    answer.path("notices")
                            .forEach(notice -> System.err.println(Table.printable("%s:%s: %s: %s"
                                    .formatted(
                                            file,
                                            notice.path("line").asString("?"),
                                            notice.path("place").asString(""),
                                            notice.path("meaning").asString("")))));
                }
                daemon.print(
                        answer,
                        "%s is defined"
                                .formatted(Table.printable(
                                        answer.path("machine").path("name").asString(""))));
            }
            return 0;
        }
    }

    @Command(
            name = "undefine",
            description = "Forget a machine that is shut off; what it stored stays.",
            mixinStandardHelpOptions = true)
    static final class Undefine extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            daemon().print(client.delete(path("")), machine() + " is not defined any more");
            return 0;
        }
    }

    @Command(
            name = "autostart",
            description = "Have a machine start with the daemon, or not any more.",
            mixinStandardHelpOptions = true)
    static final class Autostart extends MachineTask {
        @Option(names = "--disable", description = "Not any more.")
        private boolean disable;

        @Override
        int run(ApiClient client) throws IOException {
            JsonNode machine = client.put(path("/autostart"), object().put("enabled", !disable));
            daemon().print(
                            machine,
                            "%s %s with the daemon".formatted(machine(), disable ? "does not start" : "starts"));
            return 0;
        }
    }

    @Command(name = "domstate", description = "Print a machine's state.", mixinStandardHelpOptions = true)
    static final class DomState extends MachineTask {
        @Option(names = "--reason", description = "With how it came to it.")
        private boolean reason;

        @Override
        int run(ApiClient client) throws IOException {
            JsonNode machine = client.get(path(""));
            String state = machine.path("state").asString("");
            String why = machine.path("reason").asString("");
            daemon().print(
                            machine,
                            Table.printable(reason && !why.isEmpty() ? "%s (%s)".formatted(state, why) : state));
            return 0;
        }
    }

    @Command(name = "dominfo", description = "Show a machine and its devices.", mixinStandardHelpOptions = true)
    static final class DomInfo extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            JsonNode machine = client.get(path(""));
            Table fields = new Table("FIELD", "VALUE");
            for (String field : new String[] {"name", "uuid", "state", "reason", "autostart", "vcpus", "pid", "vnc"}) {
                JsonNode value = machine.path(field);
                if (!value.isNull()
                        && !value.isMissingNode()
                        && !value.asString("").isEmpty()) {
                    fields.row(field, value.asString());
                }
            }
            fields.row("memory", Quantity.bytes((double)
                    machine.path("memoryBytes").asLong(0)));
            machine.path("consoles").forEach(console -> fields.row("console", console.asString("")));
            daemon().print(machine, fields);
            if (!daemon().json() && !machine.path("devices").isEmpty()) {
                Table devices = new Table("ALIAS", "ELEMENT", "DEVICE");
                machine.path("devices")
                        .forEach(device -> devices.row(
                                device.path("alias").asString("-"),
                                device.path("element").asString(""),
                                device.path("device").asString("-")));
                System.out.println();
                daemon().print(machine, devices);
            }
            return 0;
        }
    }

    @Command(name = "dumpxml", description = "Print a machine's domain XML.", mixinStandardHelpOptions = true)
    static final class DumpXml extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            String xml = new String(client.getBytes(path("/xml")), StandardCharsets.UTF_8);
            daemon().print(object().put("xml", xml), xml.stripTrailing());
            return 0;
        }
    }

    @Command(
            name = "domstats",
            description = "Print what a machine uses, and what its devices count, a line each.",
            mixinStandardHelpOptions = true)
    static final class DomStats extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            JsonNode statistics = client.get(path("/statistics"));
            StringBuilder text =
                    new StringBuilder("Domain: '").append(machine()).append('\'');
            flatten("", statistics, text);
            daemon().print(statistics, text.toString());
            return 0;
        }

        /** As virsh prints them: a name with dots, a count for each list. */
        private static void flatten(String name, JsonNode value, StringBuilder text) {
            if (value.isObject()) {
                value.properties()
                        .forEach(field -> flatten(
                                name.isEmpty() ? field.getKey() : name + "." + field.getKey(), field.getValue(), text));
            } else if (value.isArray()) {
                text.append("\n  ")
                        .append(Table.printable(name))
                        .append(".count=")
                        .append(value.size());
                for (int i = 0; i < value.size(); i++) {
                    flatten(name + "." + i, value.path(i), text);
                }
            } else if (!value.isNull()) {
                text.append("\n  ").append(Table.printable(name + "=" + value.asString()));
            }
        }
    }

    @Command(
            name = "screenshot",
            description = "Save a picture of a machine's screen, as PNG.",
            mixinStandardHelpOptions = true)
    static final class Screenshot extends MachineTask {
        @Parameters(index = "1", arity = "0..1", paramLabel = "FILE", description = "Default: MACHINE.png.")
        private @Nullable Path file;

        @Override
        int run(ApiClient client) throws IOException {
            Path target = file != null ? file : Path.of(machine() + ".png");
            Files.write(target, client.getBytes(path("/screenshot")));
            daemon().print(object().put("file", target.toString()), "saved as " + target);
            return 0;
        }
    }

    @Command(
            name = "console",
            description = "Connect the terminal to a machine's serial port; Ctrl and ] to leave.",
            mixinStandardHelpOptions = true)
    static final class Console extends MachineTask {
        @Option(names = "--port", paramLabel = "N", defaultValue = "0", description = "Which, from 0. Default: 0.")
        private int port;

        @Override
        int run(ApiClient client) throws IOException, InterruptedException {
            return connect(client, this, port);
        }
    }
}
