package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is refused before the kernel is asked; what the kernel says is tested on a real one. */
class KernelDeviceCommandsTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "dev add name x | 'mgmtdev' is missing",
                "dev add mgmtdev vduse | 'name' is missing",
                "dev add name x mgmtdev | the value of 'mgmtdev' is missing",
                "dev add name x colour red | unknown word 'colour'; there are: name, mgmtdev, mac",
                "dev add name x name y | 'name' is there twice",
                "dev add name x mgmtdev a/b/c | 'a/b/c' is no name of a management device",
                "dev add name x mgmtdev vduse mtu big | mtu: 'big' is not a number",
                "dev add name x mgmtdev vduse mac 52:54 | mac: '52:54' is not an address",
                "dev vstats show x qidx | the value of 'qidx' is missing",
                "dev vstats show x qidx -1 | '-1' is no index of a queue",
                "dev vstats show x qidx 1.5 | '1.5' is no index of a queue",
                "dev stats | Missing required parameter",
                "dev set net0 mtu=1500 | only mac= can be set",
                "dev set net0 mac | 'mac' is not key=value",
                "dev | a command is missing",
                "dev config | a command is missing: show",
                "dev vstats | a command is missing: show",
                "mgmtdev | a command is missing: show, bind or unbind",
                "mgmtdev show / | no name of a management device",
                "mgmtdev bind 5 | '5' is no address of a PCI function"
            })
    void mistakesAreUsageErrors(String words, String message) {
        CommandResult result = CommandResult.run(words.split(" ", -1));
        assertThat(result.err()).contains(message);
        assertThat(result.exitCode()).isEqualTo(ExitCodes.USAGE);
        assertThat(result.out()).isEmpty();
    }

    @Test
    void helpHasExamples() {
        assertThat(CommandResult.run("dev", "add", "--help").out())
                .contains("fairlead dev add name net0 mgmtdev vdpasim_net");
        assertThat(CommandResult.run("mgmtdev", "bind", "--help").out()).contains("modprobe vp_vdpa");
    }

    @Test
    void wordsComeInPairs() {
        Map<String, String> pairs = WordPairs.parse(List.of("b", "1", "a", "2"), List.of("a", "b"));
        assertThat(pairs).containsExactly(Map.entry("b", "1"), Map.entry("a", "2"));
        assertThat(WordPairs.take(pairs, "a")).isEqualTo("2");
        assertThatThrownBy(() -> WordPairs.take(pairs, "a")).isInstanceOf(IllegalArgumentException.class);
    }
}
