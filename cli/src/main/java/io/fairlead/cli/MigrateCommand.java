package io.fairlead.cli;

import java.io.Console;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead migrate}: moves a running machine to another host, or says what is against it. */
@Command(
        name = "migrate",
        description = "Move a running machine to another node, or check whether it can move.",
        mixinStandardHelpOptions = true,
        exitCodeListHeading = ExitCodes.HEADING,
        exitCodeList = {
            "0:it runs at the destination, or the check found nothing against it",
            ExitCodes.FAILED + ":it stays where it was",
            ExitCodes.USAGE_TEXT,
            ExitCodes.LOST + ":it was lost with a QEMU that ended",
            ExitCodes.UNKNOWN + ":it is not known yet, as the source's node ended: started again it sees to it",
            ExitCodes.INTERNAL_TEXT
        },
        footerHeading = "%n",
        footer = {
            "Ctrl-C takes the migration back as long as the destination may not run the machine yet; after that",
            "it is too late, and the command goes on to the end."
        })
final class MigrateCommand implements Callable<Integer> {
    @Parameters(paramLabel = "MACHINE", description = "Its name at the source's node.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private String machine;

    @Option(
            names = "--to",
            required = true,
            paramLabel = "HOST:PORT",
            description = "Where the destination's node listens; the host as in its certificate.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private String to;

    @Option(
            names = "--control",
            required = true,
            paramLabel = "SOCKET",
            description = "The control socket of the source's node.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private Path control;

    @Option(names = "--check", description = "Only compare both sides; change nothing.")
    private boolean check;

    @Option(
            names = "--max-bandwidth",
            defaultValue = "0",
            paramLabel = "BYTES",
            description = "Bytes a second of memory's way. Default: QEMU's own limit.")
    private long maxBandwidth;

    @Option(
            names = "--downtime-limit-millis",
            defaultValue = "0",
            paramLabel = "MS",
            description = {
                "The longest stop that QEMU may aim at. It looks for 30 ms first, and for more with each pass over memory"
                        + " beyond the fourth. Default: 300."
            })
    private long downtimeLimitMillis;

    @Option(
            names = "--downtime-budget-millis",
            defaultValue = "0",
            paramLabel = "MS",
            description = "A stop that lasts longer is undone: the machine goes on at the source. Default: none.")
    private long downtimeBudgetMillis;

    @Option(
            names = "--multifd",
            defaultValue = "0",
            paramLabel = "N",
            description = "Send memory over N connections. Default: one.")
    private int multifd;

    @Option(
            names = "--self-check",
            description = {
                "Compare every page of memory before the machine runs at the destination; it goes on at the source where",
                "one differs. For devices that you do not trust. The machine stands still meanwhile: the longer, the",
                "more memory it has."
            })
    private boolean selfCheck;

    @Option(names = "--keep-source", description = "Leave the source's QEMU there, stopped, when the machine has left.")
    private boolean keepSource;

    @Option(names = "--json", description = "Print JSON, one object a line.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        ObjectNode command = new JsonMapper().createObjectNode();
        command.put("command", check ? "check" : "migrate");
        command.put("machine", machine);
        command.put("to", to);
        command.put("maxBandwidthBytesPerSecond", maxBandwidth);
        command.put("downtimeLimitMillis", downtimeLimitMillis);
        command.put("downtimeBudgetMillis", downtimeBudgetMillis);
        command.put("multifdChannels", multifd);
        command.put("selfCheck", selfCheck);
        command.put("keepSource", keepSource);
        PrintStream out = System.out;
        MigrationText text = new MigrationText(out, check, isTerminal());
        try (ControlClient client = new ControlClient(control)) {
            CountDownLatch finished = new CountDownLatch(1);
            int[] exitCode = {ExitCodes.FAILED};
            Thread cancel = new Thread(() -> cancel(client, finished, exitCode), "fairlead-cancel");
            Runtime.getRuntime().addShutdownHook(cancel);
            try {
                JsonNode done = client.execute(command, line -> {
                    if (json) {
                        out.println(line);
                        out.flush();
                    } else {
                        text.show(line);
                    }
                });
                exitCode[0] = done.path("done").asInt(ExitCodes.INTERNAL);
                String error = done.path("error").asString("");
                if (json) {
                    out.println(done);
                } else if (!error.isEmpty()) {
                    System.err.println("fairlead: " + error);
                }
            } catch (EOFException e) {
                exitCode[0] = ExitCodes.UNKNOWN;
                if (json) {
                    out.println(new JsonMapper()
                            .createObjectNode()
                            .put("done", ExitCodes.UNKNOWN)
                            .put("error", e.getMessage()));
                } else {
                    System.err.println("fairlead: " + e.getMessage());
                }
            } finally {
                out.flush();
                System.err.flush();
                finished.countDown();
                removeHook(cancel);
            }
            return exitCode[0];
        }
    }

    @SuppressWarnings("SystemConsoleNull") // its annotation says that it may be null
    private static boolean isTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    /** Ctrl-C: asks for it to be taken back, and waits for what comes of it. */
    private static void cancel(ControlClient client, CountDownLatch finished, int[] exitCode) {
        try {
            client.cancel();
            finished.await();
        } catch (IOException | InterruptedException e) {
            // The node takes it back when the connection ends.
        }
        Runtime.getRuntime().halt(exitCode[0]);
    }

    private static void removeHook(Thread hook) {
        try {
            boolean _ = Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The end has begun: the hook itself ends the process.
        }
    }
}
