package io.fairlead.cli;

import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The commands of {@code fairlead vm} that change whether and where a machine runs. */
final class MachineOperations {
    private MachineOperations() {}

    @Command(name = "start", description = "Start a machine that is shut off.", mixinStandardHelpOptions = true)
    static final class Start extends MachineTask {
        @Option(names = "--paused", description = "Its processors stand until 'resume'.")
        private boolean paused;

        @Option(names = "--console", description = "Connect the terminal to its first serial port then.")
        private boolean console;

        @Override
        int run(ApiClient client) throws IOException, InterruptedException {
            int exitCode = operate(client, "start", object().put("paused", paused), "started");
            return exitCode == 0 && console ? MachineQueries.connect(client, this, 0) : exitCode;
        }
    }

    @Command(
            name = "shutdown",
            description = "Ask a machine's guest to shut down, as by its power button.",
            mixinStandardHelpOptions = true)
    static final class Shutdown extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            return operate(client, "shutdown", null, "is shut off");
        }
    }

    @Command(name = "reboot", description = "Ask a machine's guest to start again.", mixinStandardHelpOptions = true)
    static final class Reboot extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            return operate(client, "reboot", null, "was asked to reboot");
        }
    }

    @Command(name = "reset", description = "Reset a machine as by its reset button.", mixinStandardHelpOptions = true)
    static final class Reset extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            return operate(client, "reset", null, "was reset");
        }
    }

    @Command(
            name = "destroy",
            description = "Switch a machine off, whatever its guest is doing.",
            mixinStandardHelpOptions = true)
    static final class Destroy extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            return operate(client, "destroy", null, "is shut off");
        }
    }

    @Command(
            name = "suspend",
            aliases = "pause",
            description = "Let a machine's processors stand; 'resume' lets them go on.",
            mixinStandardHelpOptions = true)
    static final class Suspend extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            return operate(client, "pause", null, "is paused");
        }
    }

    @Command(name = "resume", description = "Let a paused machine go on.", mixinStandardHelpOptions = true)
    static final class Resume extends MachineTask {
        @Override
        int run(ApiClient client) throws IOException {
            return operate(client, "resume", null, "goes on");
        }
    }

    @Command(
            name = "migrate",
            description = "Move a running machine to another daemon, or check whether it can move.",
            mixinStandardHelpOptions = true,
            footer = {
                "",
                "The machine runs at one side at every instant. Ctrl-C only ends the watching; 'fairlead operation cancel'",
                "takes the move back as long as the destination may not run the machine yet."
            })
    static final class Migrate extends MachineTask {
        @Parameters(index = "1", paramLabel = "HOST:PORT", description = "Where the other daemon listens.")
        private String to = "";

        @Option(names = "--live", hidden = true, description = "As virsh has it; of no effect.")
        void live(boolean given) {
            // A machine always moves live.
        }

        @Option(names = "--check", description = "Only compare both sides; change nothing.")
        private boolean check;

        @Option(
                names = "--max-bandwidth",
                paramLabel = "BYTES",
                defaultValue = "0",
                description = "Bytes a second of memory's way. Default: QEMU's own limit.")
        private long maxBandwidthBytesPerSecond;

        @Option(
                names = "--downtime-limit-millis",
                paramLabel = "MS",
                defaultValue = "0",
                description = "The longest stop that QEMU may aim at. Default: 300.")
        private long downtimeLimitMillis;

        @Option(
                names = "--downtime-budget-millis",
                paramLabel = "MS",
                defaultValue = "0",
                description = "A stop that lasts longer is undone. Default: none.")
        private long downtimeBudgetMillis;

        @Option(
                names = "--multifd",
                paramLabel = "N",
                defaultValue = "0",
                description = "Send memory over N connections.")
        private int multifdChannels;

        @Option(names = "--self-check", description = "Compare every page of memory before the machine runs there.")
        private boolean selfCheck;

        @Override
        int run(ApiClient client) throws IOException {
            return check ? check(client) : operate(client, "migrate", request(), "runs at " + to);
        }

        private ObjectNode request() {
            ObjectNode request = object().put("to", to).put("selfCheck", selfCheck);
            putPositive(request, "maxBandwidthBytesPerSecond", maxBandwidthBytesPerSecond);
            putPositive(request, "downtimeLimitMillis", downtimeLimitMillis);
            putPositive(request, "downtimeBudgetMillis", downtimeBudgetMillis);
            putPositive(request, "multifdChannels", multifdChannels);
            return request;
        }

        private static void putPositive(ObjectNode request, String name, long value) {
            if (value < 0) {
                throw new IllegalArgumentException(name + ": " + value + " is less than 0");
            }
            if (value > 0) {
                request.put(name, value);
            }
        }

        private int check(ApiClient client) throws IOException {
            JsonNode answer = client.post(path("/check"), object().put("to", to));
            Table table = new Table("SEVERITY", "SUBJECT", "FINDING");
            answer.path("lines")
                    .forEach(line -> table.row(
                            line.path("severity").asString(""),
                            line.path("subject").asString(""),
                            line.path("text").asString("")));
            daemon().print(answer, table);
            String refusal = answer.path("refusal").asString("");
            if (!refusal.isEmpty() && !daemon().json()) {
                System.err.println("fairlead: " + Table.printable(refusal));
            }
            return refusal.isEmpty() ? 0 : ExitCodes.FAILED;
        }
    }

    @Command(
            name = "attach-device",
            description = "Plug a device into a running machine, and wait until its guest's driver has taken it.",
            mixinStandardHelpOptions = true)
    static final class AttachDevice extends MachineTask {
        @Parameters(index = "1", paramLabel = "FILE", description = "One device element of libvirt's domain XML.")
        private Path file = Path.of("");

        @Option(
                names = "--timeout",
                paramLabel = "SECONDS",
                defaultValue = "30",
                description = "How long the guest may take. Default: ${DEFAULT-VALUE}.")
        private int timeoutSeconds;

        @Override
        int run(ApiClient client) throws IOException {
            JsonNode started = client.post(
                    path("/devices?guestTimeoutSeconds=" + timeoutSeconds), "application/xml", Files.readString(file));
            return daemon().follow(client, started, "%s has the device".formatted(machine()));
        }
    }

    @Command(
            name = "detach-device",
            aliases = "detach-device-alias",
            description = "Take a device out of a running machine when its guest has let go of it.",
            mixinStandardHelpOptions = true)
    static final class DetachDevice extends MachineTask {
        @Parameters(index = "1", paramLabel = "ALIAS", description = "The device's (fairlead vm dominfo).")
        private String alias = "";

        @Option(
                names = "--timeout",
                paramLabel = "SECONDS",
                defaultValue = "30",
                description = "How long the guest may take. Default: ${DEFAULT-VALUE}.")
        private int timeoutSeconds;

        @Override
        int run(ApiClient client) throws IOException {
            JsonNode started = client.delete(
                    path(DaemonMixin.path("/devices/%s", alias) + "?guestTimeoutSeconds=" + timeoutSeconds));
            return daemon().follow(client, started, "%s has no %s any more".formatted(machine(), alias));
        }
    }
}
