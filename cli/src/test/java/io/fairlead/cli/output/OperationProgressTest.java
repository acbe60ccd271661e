package io.fairlead.cli.output;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class OperationProgressTest {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    private static JsonNode json(String text) {
        return JsonMapper.shared().readTree(text.replace('\'', '"'));
    }

    private String shown() {
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Test
    void withoutATerminalEachPhaseAndNoteIsALineOnce() {
        OperationProgress progress = new OperationProgress(out, false);
        progress.show(json("{'state':'running','phase':'check','notes':[]}"));
        progress.show(json("{'state':'running','phase':'precopy','notes':['rng leaves'],'progress':{'totalBytes':4}}"));
        progress.show(json("{'state':'running','phase':'precopy','notes':['rng leaves'],'progress':{'totalBytes':4}}"));
        progress.show(json("{'state':'done','phase':'','notes':['rng leaves','rng \\u001b[H is back']}"));
        progress.end();
        assertThat(shown()).isEqualTo("check\nrng leaves\nprecopy\nrng ?[H is back\n");
    }

    @Test
    void aTerminalHasOneLineThatIsDrawnAgainAndGoneInTheEnd() {
        OperationProgress progress = new OperationProgress(out, true);
        progress.show(
                json("{'state':'running','phase':'precopy','progress':{'totalBytes':1024,'remainingBytes':512}}"));
        progress.show(json("{'state':'done','phase':'precopy'}"));
        progress.end();
        assertThat(shown()).startsWith("\r\033[Kprecopy [###############...............]  50%, 512 B of 1.0 KiB left");
        assertThat(shown()).doesNotContain("\n").endsWith("\r\033[K");
    }

    @Test
    void aBarStandsWhateverTheFiguresAre() {
        assertThat(OperationProgress.bar(json("{}"))).startsWith("[" + ".".repeat(30) + "]   0%");
        assertThat(OperationProgress.bar(json("{'totalBytes':10,'remainingBytes':0}")))
                .startsWith("[" + "#".repeat(30) + "] 100%");
        assertThat(OperationProgress.bar(json("{'totalBytes':10,'remainingBytes':99}")))
                .contains("]   0%");
        assertThat(OperationProgress.bar(json("{'totalBytes':-5,'remainingBytes':-1}")))
                .contains("]   0%");
    }
}
