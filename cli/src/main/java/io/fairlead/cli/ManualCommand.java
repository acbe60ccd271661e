package io.fairlead.cli;

import io.fairlead.cli.manual.ManualPage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code fairlead man}: the manual pages, made of the commands' own help. Packaging calls it. */
@Command(
        name = "man",
        hidden = true,
        description = "Write the manual pages, one a command, into a folder.",
        mixinStandardHelpOptions = true)
final class ManualCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private CommandSpec spec;

    @Option(names = "--into", required = true, paramLabel = "FOLDER", description = "Made where it is missing.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private Path folder;

    @Option(names = "--date", paramLabel = "YYYY-MM-DD", description = "The date in the pages. Default: today.")
    private @Nullable LocalDate date;

    @Override
    public Integer call() throws IOException {
        Files.createDirectories(folder);
        LocalDate day = date != null ? date : LocalDate.now(ZoneOffset.UTC);
        String version = String.join(" ", new Version().getVersion());
        for (ManualPage page : ManualPage.of(spec.root(), version, day)) {
            Files.writeString(folder.resolve(page.fileName()), page.roff());
        }
        return 0;
    }
}
