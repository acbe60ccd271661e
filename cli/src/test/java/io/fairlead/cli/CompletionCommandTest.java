package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CompletionCommandTest {
    @Test
    void bothShellsGetEveryCommandButHiddenOnes() {
        for (String shell : new String[] {"bash", "zsh"}) {
            CommandResult result = CommandResult.run("completion", shell);
            assertThat(result.exitCode()).as(result.err()).isZero();
            assertThat(result.out())
                    .contains("_picocli_fairlead_migrate()", "--multifd")
                    .doesNotContain("fairlead_man");
            assertThat(result.out().startsWith("#compdef fairlead\n")).isEqualTo(shell.equals("zsh"));
        }
    }

    @Test
    void anotherShellIsWrongUsage() {
        CommandResult result = CommandResult.run("completion", "fish");
        assertThat(result.exitCode()).isEqualTo(ExitCodes.USAGE);
        assertThat(result.err()).contains("bash, zsh");
    }
}
