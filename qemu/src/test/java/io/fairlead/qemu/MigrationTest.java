package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class MigrationTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final Set<MigrationStatus> COMPLETED = EnumSet.of(MigrationStatus.COMPLETED);
    private static final JsonMapper JSON = new JsonMapper();

    @TempDir
    Path folder;

    private static String event(String status) {
        return "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" + status + "\"}, \"timestamp\": {\"seconds\": 1,"
                + " \"microseconds\": 2}}\r\n";
    }

    @Test
    void aStatusIsSeenThroughAFloodOfEvents() throws Exception {
        String pass = "{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": 1}}\r\n";
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    var command = session.command();
                    session.send(event("setup") + event("active") + pass.repeat(20_000) + event("completed"));
                    session.send(pass.repeat(20_000));
                    session.answer(command, "\"return\": {\"status\": \"completed\", \"downtime\": 7}");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT);
                MigrationWatch watch = new MigrationWatch(qmp)) {
            assertThat(watch.query().downtimeMillis()).isEqualTo(7);
            assertThat(watch.await(COMPLETED, TIMEOUT)).isEqualTo(MigrationStatus.COMPLETED);
            assertThat(watch.firstNanos(MigrationStatus.SETUP)).isPresent();
            assertThat(watch.firstNanos(MigrationStatus.FAILED)).isEmpty();
            assertThat(watch.firstNanos(MigrationStatus.ACTIVE).getAsLong()
                            - watch.firstNanos(MigrationStatus.COMPLETED).getAsLong())
                    .isNegative();
        }
    }

    /** A process that was killed in a migration leaves its limits in QEMU: they are not the next migration's. */
    @Test
    void whatAKilledProcessLeftIsClearedAway() throws Exception {
        Map<String, Object> values = new ConcurrentHashMap<>(Map.of("max-bandwidth", 2000, "downtime-limit", 7));
        AtomicBoolean left = new AtomicBoolean(true);
        AtomicReference<Object> pauses = new AtomicReference<>(true);
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    while (true) {
                        JsonNode command = session.command();
                        JsonNode arguments = command.path("arguments");
                        String answer = "{}";
                        switch (command.path("execute").asString("")) {
                            case "qom-list" ->
                                answer =
                                        left.get() ? "[{\"name\": \"fairlead-migration-tls\", \"type\": \"x\"}]" : "[]";
                            case "object-del" -> left.set(false);
                            case "migrate-set-parameters" ->
                                arguments
                                        .properties()
                                        .forEach(entry -> values.put(
                                                entry.getKey(), entry.getValue().asString()));
                            case "migrate-set-capabilities" ->
                                arguments.path("capabilities").forEach(one -> {
                                    if (one.path("capability").asString("").equals("pause-before-switchover")) {
                                        pauses.set(one.path("state").asBoolean(true));
                                    }
                                });
                            case "query-migrate-parameters" -> answer = JSON.writeValueAsString(values);
                            case "query-migrate-capabilities" ->
                                answer = JSON.writeValueAsString(
                                        MigrationOptions.plain().capabilities().keySet().stream()
                                                .map(name -> Map.of("capability", name, "state", left.get()))
                                                .toList());
                            default -> throw new IOException("not expected: " + command);
                        }
                        session.answer(command, "\"return\": " + answer);
                    }
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            MigrationSettings settings = MigrationSettings.apply(qmp, MigrationOptions.plain(), "client");
            assertThat(left).isFalse();
            assertThat(values).containsEntry("max-bandwidth", "134217728").containsEntry("downtime-limit", "300");
            settings.undo();
            assertThat(pauses).hasValue(false);
        }
    }

    @Test
    void aQemuThatGoesAwayEndsTheWait() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    session.send(event("active"));
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT);
                MigrationWatch watch = new MigrationWatch(qmp)) {
            assertThatThrownBy(() -> watch.await(COMPLETED, TIMEOUT))
                    .isInstanceOf(IOException.class)
                    .isNotInstanceOf(MigrationException.class)
                    .hasMessageContaining("ended");
        }
    }

    @Test
    void aWaitThatRunsOutSaysHowFarItCame() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    session.answer(session.command(), "\"return\": {}");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT);
                MigrationWatch watch = new MigrationWatch(qmp)) {
            assertThat(watch.query().status()).isEqualTo(MigrationStatus.NONE);
            assertThatThrownBy(() -> watch.await(COMPLETED, Duration.ZERO))
                    .isInstanceOfSatisfying(
                            MigrationException.class,
                            e -> assertThat(e.status()).isEqualTo(MigrationStatus.NONE));
        }
    }

    @ParameterizedTest
    @EnumSource(MigrationStatus.class)
    void aStatusHasQemusName(MigrationStatus status) {
        assertThat(MigrationStatus.of(status.qemuName())).isEqualTo(status);
        assertThat(MigrationStatus.of(status.name() + "!")).isEqualTo(MigrationStatus.OTHER);
    }

    @Test
    void progressIsReadFromWhatQemuSays() {
        MigrationProgress progress = MigrationProgress.of(JSON.readTree("""
                {"status": "pre-switchover", "total-time": 120, "setup-time": 4, "expected-downtime": 300,
                 "ram": {"transferred": 1000, "remaining": 20, "total": 4096, "dirty-pages-rate": 3,
                         "page-size": 4096, "mbps": 8.0, "dirty-sync-count": 2}}"""));
        assertThat(progress)
                .isEqualTo(new MigrationProgress(
                        MigrationStatus.PRE_SWITCHOVER, 1000, 20, 4096, 12288, 1_000_000, 2, 300, 0, 4, 120, ""));
        assertThat(MigrationProgress.of(JSON.readTree("{\"ram\": 5, \"error-desc\": \"no\", \"downtime\": \"x\"}"))
                        .reason())
                .isEqualTo("no");
    }

    @Test
    void addressesAreWhatQemuTakes() throws Exception {
        assertThat(MigrationAddress.tcp("127.0.0.1", 0).uri()).isEqualTo("tcp:127.0.0.1:0");
        assertThat(MigrationAddress.tcp("fe80::1%eth0", 4444).uri()).isEqualTo("tcp:[fe80::1%eth0]:4444");
        assertThat(MigrationAddress.unix(Path.of("/run/m")).uri()).isEqualTo("unix:/run/m");
        assertThat(MigrationAddress.of(JSON.readTree("{\"type\": \"inet\", \"host\": \"::1\", \"port\": \"7\"}")))
                .isEqualTo(MigrationAddress.tcp("::1", 7));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"type\": \"fd\", \"str\": \"5\"}",
                "{\"type\": \"inet\", \"host\": \"\", \"port\": \"7\"}",
                "{\"type\": \"inet\", \"host\": \"a,b\", \"port\": \"7\"}",
                "{\"type\": \"inet\", \"host\": \"a\", \"port\": \"70000\"}",
                "{\"type\": \"inet\", \"host\": \"a\", \"port\": \"x\"}"
            })
    void anAddressThatIsNoneIsRefused(String address) {
        assertThatThrownBy(() -> MigrationAddress.of(JSON.readTree(address))).isInstanceOf(IOException.class);
    }

    @ParameterizedTest
    @CsvSource({"-1, 0, 0", "256, 0, 0", "0, -1, 0", "0, 0, -1"})
    void optionsOutOfBoundsAreRefused(int channels, long bandwidth, long downtimeMillis) {
        assertThatThrownBy(() -> MigrationOptions.plain()
                        .withMultifdChannels(channels)
                        .withMaxBandwidth(bandwidth)
                        .withDowntimeLimit(Duration.ofMillis(downtimeMillis)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
