package io.fairlead.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code fairlead} command: what a user sees of it all, and what comes of errors. */
@Command(
        name = "fairlead",
        description = "vDPA devices of any virtio type for virtual machines on stock QEMU.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        subcommands = {
            DemoCommand.class,
            ServeCommand.class,
            NodeCommand.class,
            MigrateCommand.class,
            MachineCommand.class,
            ManagementDeviceCommand.class,
            DeviceCommand.class,
            BenchCommand.class,
            StateCommand.class,
            CertificatesCommand.class,
            TestbedCommand.class,
            CommandLine.HelpCommand.class
        },
        synopsisSubcommandLabel = "COMMAND",
        footerHeading = "%nFrom a checkout also:%n",
        footer = {
            "  test     Run every test (fairlead test --help).",
            "",
            "Exit codes: 0 success; 1 the work failed or a check did not hold; 2 wrong usage;",
            "70 an error in Fairlead itself."
        })
public final class Main implements Runnable {
    static final int EXIT_FAILED = 1;
    static final int EXIT_USAGE = 2;
    static final int EXIT_INTERNAL = 70;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Option(
            names = {"-v", "--verbose"},
            description = "Log more; twice for everything. Logs go to standard error.",
            scope = CommandLine.ScopeType.INHERIT)
    private boolean[] verbose = {};

    public static void main(String[] arguments) {
        System.exit(execute(arguments));
    }

    /** Runs one command line and returns the exit code. */
    static int execute(String... arguments) {
        Main main = new Main();
        CommandLine commandLine = new CommandLine(main)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionStrategy(parsed -> {
                    Logging.level(main.verbose.length);
                    return new CommandLine.RunLast().execute(parsed);
                })
                .setParameterExceptionHandler(Main::usageError)
                .setExecutionExceptionHandler((e, failed, parsed) -> failure(e, failed));
        return commandLine.execute(arguments);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private static int usageError(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("fairlead: " + e.getMessage());
        CommandLine.UnmatchedArgumentException.printSuggestions(e, err);
        err.println("Try: " + command.getCommandSpec().qualifiedName() + " --help");
        return EXIT_USAGE;
    }

    private static int failure(Exception e, CommandLine command) {
        PrintWriter err = command.getErr();
        return switch (e) {
            case IOException expected -> say(err, expected, EXIT_FAILED);
            case UncheckedIOException expected -> say(err, expected, EXIT_FAILED);
            case IllegalArgumentException mistake -> say(err, mistake, EXIT_USAGE);
            case InterruptedException interrupted -> say(err, new IOException("interrupted"), EXIT_FAILED);
            default -> {
                err.println("fairlead: an error in Fairlead itself, please report it:");
                e.printStackTrace(err);
                yield EXIT_INTERNAL;
            }
        };
    }

    private static int say(PrintWriter err, Exception e, int exitCode) {
        err.println("fairlead: " + FailureText.of(e));
        return exitCode;
    }
}
