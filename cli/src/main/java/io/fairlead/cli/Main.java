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
            DaemonCommand.class,
            DemoCommand.class,
            ServeCommand.class,
            NodeCommand.class,
            MigrateCommand.class,
            HostCommand.class,
            MachineCommand.class,
            ManagementDeviceCommand.class,
            DeviceCommand.class,
            OperationCommand.class,
            EventsCommand.class,
            TopCommand.class,
            BenchCommand.class,
            LibvirtCommand.class,
            StateCommand.class,
            CertificatesCommand.class,
            TestbedCommand.class,
            CompletionCommand.class,
            ManualCommand.class,
            CommandLine.HelpCommand.class
        },
        synopsisSubcommandLabel = "COMMAND",
        footerHeading = "%nFrom a checkout also:%n",
        footer = {
            "  test     Run every test (fairlead test --help).",
            "  dist     Make an image that needs no JDK, and a Debian package."
        },
        exitCodeListHeading = ExitCodes.HEADING,
        exitCodeList = {ExitCodes.SUCCESS_TEXT, ExitCodes.FAILED_TEXT, ExitCodes.USAGE_TEXT, ExitCodes.INTERNAL_TEXT})
public final class Main implements Runnable {
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
        CommandLine commandLine = commandLine(main)
                .setExecutionStrategy(parsed -> {
                    Logging.level(main.verbose.length);
                    return new CommandLine.RunLast().execute(parsed);
                })
                .setParameterExceptionHandler(Main::usageError)
                .setExecutionExceptionHandler((e, failed, parsed) -> failure(e, failed));
        return commandLine.execute(arguments);
    }

    /** The commands, as the program has them. */
    static CommandLine commandLine(Main main) {
        return new CommandLine(main).setCaseInsensitiveEnumValuesAllowed(true);
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
        return ExitCodes.USAGE;
    }

    private static int failure(Exception e, CommandLine command) {
        PrintWriter err = command.getErr();
        return switch (e) {
            case IOException expected -> say(err, expected, ExitCodes.FAILED);
            case UncheckedIOException expected -> say(err, expected, ExitCodes.FAILED);
            case IllegalArgumentException mistake -> say(err, mistake, ExitCodes.USAGE);
            case InterruptedException interrupted -> say(err, new IOException("interrupted"), ExitCodes.FAILED);
            default -> {
                err.println("fairlead: an error in Fairlead itself, please report it:");
                e.printStackTrace(err);
                yield ExitCodes.INTERNAL;
            }
        };
    }

    private static int say(PrintWriter err, Exception e, int exitCode) {
        err.println("fairlead: " + FailureText.of(e));
        return exitCode;
    }
}
