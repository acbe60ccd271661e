package io.fairlead.daemon.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ConfigurationTest {
    private static Map<Key, String> parse(String... lines) throws ConfigurationException {
        return ConfigurationFile.parse(List.of(lines), "daemon.conf");
    }

    @Test
    void readsKeysCommentsAndBlanks() throws ConfigurationException {
        assertThat(parse("# a comment", "", "  name =  alpha beta ", "api-listen=[::1]:7400", "socket-group ="))
                .containsOnly(
                        Map.entry(Key.NAME, "alpha beta"),
                        Map.entry(Key.API_LISTEN, "[::1]:7400"),
                        Map.entry(Key.SOCKET_GROUP, ""));
    }

    @ParameterizedTest
    @CsvSource({
        "nonsense, is not key = value",
        "= x, is not key = value",
        "nmae = x, there is no key 'nmae'",
    })
    void saysTheLineThatIsWrong(String line, String reason) {
        assertThatThrownBy(() -> parse("name = a", line))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("daemon.conf, line 2: ")
                .hasMessageContaining(reason);
    }

    @Test
    void refusesWhatIsSaidTwice() {
        assertThatThrownBy(() -> parse("name = a", "name = a")).hasMessageContaining("line 2: name is given twice");
    }

    /** Every key is in it, and with each uncommented it reads. */
    @Test
    void theDocumentedFileReadsAsNothing() throws ConfigurationException {
        List<String> lines = ConfigurationFile.documented().lines().toList();
        assertThat(ConfigurationFile.parse(lines, "x")).isEmpty();
        List<String> said = lines.stream()
                .map(line -> line.matches("#[a-z-]+ =.*") ? line.substring(1) : line)
                .toList();
        assertThat(ConfigurationFile.parse(said, "x")).containsOnlyKeys(Key.values());
        assertThat(lines).allMatch(line -> line.length() <= 110);
    }

    /** The package's file: every key, and the run-folder that its systemd unit keeps. */
    @Test
    void thePackagesFileIsTheDocumentedOne() throws IOException {
        Path file = Path.of(System.getProperty("fairlead.root"), "packaging", "daemon.conf");
        assertThat(file).hasContent(ConfigurationFile.documented(Map.of(Key.RUN_FOLDER, "/run/fairlead")));
    }

    @Test
    void completesWhatIsNotSaid() throws Exception {
        Configuration configuration =
                Configuration.of(Map.of(Key.STATE_FOLDER, "/tmp/s", Key.QEMU, "/bin/true", Key.THREADS, "3"));
        assertThat(configuration.runFolder()).isEqualTo(Path.of("/tmp/s/run"));
        assertThat(configuration.socket()).isEqualTo(Path.of("/tmp/s/run/fairlead.sock"));
        assertThat(configuration.threads()).isEqualTo(3);
        assertThat(configuration.name()).isNotEmpty();
        assertThat(configuration.apiListen()).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "THREADS, -1, threads:",
        "THREADS, 1000, threads:",
        "THREADS, many, threads:",
        "API_LISTEN, nowhere, api-listen:",
        "API_LISTEN, localhost:1, certificates:",
        "CERTIFICATES, /no/such/folder, certificates:",
        "QEMU, /no/such/program, qemu:",
        "RUN_FOLDER, /tmp/01234567890123456789012345678901234567890123456789, run-folder:",
    })
    void refusesValues(Key key, String value, String message) {
        Map<Key, String> values = new java.util.HashMap<>(Map.of(Key.STATE_FOLDER, "/tmp/s", Key.QEMU, "/bin/true"));
        values.put(key, value);
        assertThatThrownBy(() -> Configuration.of(values))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void machinesMoveOnlyFromAnAddressThatStays() {
        assertThatThrownBy(() -> Configuration.of(Map.of(Key.LISTEN, "127.0.0.1:7300")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("certificates: listen needs them");
        assertThatThrownBy(() -> Configuration.of(Map.of(Key.LISTEN, "127.0.0.1:0")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("listen: port 0");
    }
}
