package io.fairlead.cli;

import io.fairlead.bench.BenchProgress;
import io.fairlead.bench.BenchReport;
import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a benchmark works and where its results go. */
final class BenchOutputMixin {
    @Option(
            names = "--dir",
            paramLabel = "FOLDER",
            defaultValue = "${sys:java.io.tmpdir}",
            description = "Where images and data files are made: a real disk. Default: ${DEFAULT-VALUE}")
    @SuppressWarnings("NullAway.Init") // picocli sets it before the command runs
    private Path folder;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the rows as JSON, too.")
    private @Nullable Path json;

    @Option(names = "--markdown", paramLabel = "FILE", description = "Write table and machine as Markdown, too.")
    private @Nullable Path markdown;

    Path folder() {
        return folder;
    }

    @SuppressWarnings("SystemConsoleNull") // null is still allowed, and NullAway knows it
    static BenchProgress progress() {
        Console console = System.console();
        return BenchProgress.toTerminal(System.err, console != null && console.isTerminal());
    }

    void publish(BenchReport report) throws IOException {
        System.out.print(report.text());
        System.out.flush();
        if (json != null) {
            Files.writeString(json, report.json());
        }
        if (markdown != null) {
            Files.writeString(markdown, report.markdown());
        }
    }
}
