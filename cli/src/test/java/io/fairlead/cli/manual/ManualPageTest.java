package io.fairlead.cli.manual;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

class ManualPageTest {
    @Command(
            name = "prog",
            description = "A program's work.",
            subcommands = {Daemon.class, Secret.class},
            mixinStandardHelpOptions = true,
            exitCodeList = {"0:good", "7:bad"})
    static final class Program {
        @Command(name = "look", aliases = "see", description = "Look at it.", mixinStandardHelpOptions = true)
        void look(
                @Parameters(paramLabel = "WHAT", description = "Of ${DEFAULT-VALUE}.", defaultValue = "it")
                        String it) {}
    }

    @Command(
            name = "daemon",
            description = {".starts with a dot", "back\\slash, 'quoted' and ~^`"},
            footerHeading = "%nExample:%n",
            footer = {"  prog daemon --port 7", "", "Then it", "runs."})
    static final class Daemon {
        @Option(
                names = {"-p", "--port"},
                paramLabel = "N",
                description = "Where it listens; 100%% sure.")
        int port;

        @Option(names = "--debug", hidden = true, description = "Not for users.")
        boolean debug;

        @Command(name = "now", description = "At once.", mixinStandardHelpOptions = true)
        void now(@Option(names = "--fast", description = "Quicker.") boolean fast) {}
    }

    @Command(name = "secret", hidden = true)
    static final class Secret {}

    private final Map<String, String> pages =
            ManualPage.of(new CommandLine(new Program()).getCommandSpec(), "prog 1.0", LocalDate.of(2026, 2, 3))
                    .stream()
                    .collect(Collectors.toMap(ManualPage::fileName, ManualPage::roff));

    @Test
    void eachVisibleCommandHasAPageInItsSection() {
        assertThat(pages).containsOnlyKeys("prog.1", "prog-daemon.8", "prog-look.1");
        assertThat(pages.get("prog.1"))
                .startsWith(
                        ".TH \"PROG\" 1 2026-02-03 \"prog 1.0\" Fairlead\n.SH \"NAME\"\nprog \\- A program\\(aqs work\n")
                .contains(".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ngood\n.TP\n\\fB7\\fR\nbad\n")
                .containsOnlyOnce("\\fBlook\\fR\nLook at it.")
                .contains("prog\\-daemon(8), prog\\-look(1)")
                .doesNotContain("secret");
    }

    @Test
    void optionsExamplesAndProseAreSet() {
        assertThat(pages.get("prog-daemon.8"))
                .contains("\\fB\\-p\\fR, \\fB\\-\\-port\\fR\\fI=N\\fR\nWhere it listens; 100% sure.\n")
                .contains(".SH \"EXAMPLE\"\n.RS 4\n.nf\nprog daemon \\-\\-port 7\n.fi\n.RE\n.PP\nThen it runs.\n")
                .doesNotContain("debug");
        assertThat(pages.get("prog-look.1")).contains("\\fIWHAT\\fR\nOf it.\n");
    }

    @Test
    void whatRoffReadsAsItsOwnIsEscaped() {
        assertThat(pages.get("prog-daemon.8"))
                .contains("\n\\&.starts with a dot\n")
                .contains("back\\eslash, \\(aqquoted\\(aq and \\(ti\\(ha\\(ga\n");
    }

    @Test
    void commonOptionsAreExplainedOnceAPage() {
        String page = pages.get("prog-daemon.8");
        assertThat(page.substring(page.indexOf(".SS \"prog daemon now\"")))
                .contains("\\-\\-fast")
                .doesNotContain("\\fB\\-\\-help\\fR");
        assertThat(List.of(pages.get("prog.1").split("\\R")))
                .filteredOn(line -> line.contains("\\fB\\-\\-help\\fR"))
                .hasSize(1);
    }

    @Test
    void proseIsBrokenIntoLinesOfAtMostEightyCharacters() {
        Roff roff = new Roff();
        roff.paragraph("word ".repeat(100) + ".dot ".repeat(50));
        assertThat(roff.toString().lines()).allMatch(line -> line.length() <= 80 && !line.startsWith(".dot"));
    }
}
