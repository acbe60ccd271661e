package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class QmpTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    @Test
    void leavesNegotiationAndExecutes() throws Exception {
        List<JsonNode> seen = new CopyOnWriteArrayList<>();
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.send(FakeMonitor.GREETING);
                    JsonNode first = session.command();
                    seen.add(first);
                    session.answer(first, "\"return\": {}");
                    JsonNode second = session.command();
                    seen.add(second);
                    session.answer(second, "\"return\": {\"status\": \"running\", \"name\": \"ä\"}");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            JsonNode answer = qmp.execute("query-x", Map.of("path", "/a", "list", List.of(1, 2), "on", true));
            assertThat(answer.path("status").asString()).isEqualTo("running");
            assertThat(answer.path("name").asString()).isEqualTo("ä");
            assertThat(seen.get(0).path("execute").asString()).isEqualTo("qmp_capabilities");
            assertThat(seen.get(1).path("execute").asString()).isEqualTo("query-x");
            assertThat(seen.get(1).path("arguments").path("path").asString()).isEqualTo("/a");
            assertThat(seen.get(1).path("arguments").path("list").get(1).asInt())
                    .isEqualTo(2);
            assertThat(seen.get(1).path("arguments").path("on").asBoolean()).isTrue();
        }
    }

    @Test
    void anErrorBecomesATypedException() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    session.answer(
                            session.command(), "\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no vda\"}");
                    session.answer(session.command(), "\"return\": 5");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> qmp.execute("device_del"))
                    .isInstanceOfSatisfying(QmpException.class, e -> {
                        assertThat(e.errorClass()).isEqualTo("DeviceNotFound");
                        assertThat(e.description()).isEqualTo("no vda");
                        assertThat(e.command()).isEqualTo("device_del");
                    })
                    .hasMessageContaining("device_del")
                    .hasMessageContaining("no vda");
            assertThat(qmp.execute("next").asInt()).isEqualTo(5);
        }
    }

    @Test
    void eventsBetweenAnswersReachListenersAndWaiters() throws Exception {
        List<String> heard = new CopyOnWriteArrayList<>();
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    JsonNode command = session.command();
                    session.send("{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 7, \"microseconds\": 9}}\r\n");
                    session.send("{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n");
                    session.answer(command, "\"return\": {}");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            Runnable failing = qmp.addListener(event -> {
                throw new IllegalStateException("a listener's own failure");
            });
            Runnable _ = qmp.addListener(event -> heard.add(event.name()));
            long mark = qmp.eventMark();
            assertThat(qmp.execute("stop").isObject()).isTrue();
            assertThat(qmp.awaitEvent(mark, event -> event.name().equals("MIGRATION"), TIMEOUT))
                    .hasValueSatisfying(event ->
                            assertThat(event.data().path("status").asString()).isEqualTo("completed"));
            assertThat(qmp.eventsSince(mark).getFirst().timestampMicros()).isEqualTo(7_000_009);
            assertThat(heard).containsExactly("STOP", "MIGRATION");
            assertThat(qmp.eventsSince(qmp.eventMark())).isEmpty();
            assertThat(qmp.awaitEvent(qmp.eventMark(), event -> true, Duration.ofMillis(20)))
                    .isEmpty();
            failing.run();
        }
    }

    @Test
    void answersOutOfOrderFindTheirCommands() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    JsonNode first = session.command();
                    JsonNode second = session.command();
                    session.answer(
                            second, "\"return\": \"" + second.path("execute").asString() + "\"");
                    session.answer(
                            first, "\"return\": \"" + first.path("execute").asString() + "\"");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            List<String> answers = new CopyOnWriteArrayList<>();
            List<Thread> threads = List.of("a", "b").stream()
                    .map(name -> Thread.ofPlatform().start(() -> {
                        try {
                            answers.add(name + "=" + qmp.execute(name).asString());
                        } catch (IOException e) {
                            answers.add(e.toString());
                        }
                    }))
                    .toList();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(answers).containsExactlyInAnyOrder("a=a", "b=b");
        }
    }

    @Test
    void aClosedConnectionFailsWaitingAndLaterCommands() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    session.command();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> qmp.execute("quit"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("quit");
            await().until(() -> !qmp.isOpen());
            assertThatThrownBy(() -> qmp.execute("cont"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void aCommandWithoutAnAnswerTimesOutAndTheLateAnswerDoesNoHarm() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    JsonNode late = session.command();
                    JsonNode next = session.command();
                    session.answer(late, "\"return\": \"late\"");
                    session.answer(next, "\"return\": \"next\"");
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> qmp.execute("slow", Map.of(), Duration.ofMillis(50)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("slow");
            assertThat(qmp.execute("quick").asString()).isEqualTo("next");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "not json\r\n",
                "[1,2]\r\n",
                "42\r\n",
                "{}\r\n",
                "{\"unknown\": 1}\r\n",
                "{\"return\": \r\n",
                "{\"QMP\": {}}"
            })
    void garbageEndsTheConnection(String garbage) throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> session.send(garbage))) {
            assertThatThrownBy(() -> Qmp.connect(monitor.socket(), TIMEOUT).close())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("greeting");
        }
    }

    @Test
    void deepNestingEndsTheConnection() throws Exception {
        try (FakeMonitor monitor =
                new FakeMonitor(folder, session -> session.send("{\"return\":" + "[".repeat(1_000_000) + "\r\n"))) {
            assertThatThrownBy(() -> Qmp.connect(monitor.socket(), TIMEOUT).close())
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void aMessageAboveTheLimitEndsTheConnection() throws Exception {
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    session.command();
                    byte[] block = "x".repeat(1 << 16).getBytes(StandardCharsets.UTF_8);
                    for (int sent = 0; sent <= Qmp.MAX_MESSAGE_BYTES; sent += block.length) {
                        session.send(block);
                    }
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThatThrownBy(() -> qmp.execute("query-huge"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("longer than " + Qmp.MAX_MESSAGE_BYTES);
            assertThat(qmp.isOpen()).isFalse();
        }
    }

    @Test
    void aLargeMessageInSmallPiecesArrivesWhole() throws Exception {
        String large = "y".repeat(3 << 20);
        long seed = 20_260_101L;
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    JsonNode command = session.command();
                    byte[] bytes = ("\r\n\n{\"return\": \"" + large + "\", \"id\": \""
                                    + command.path("id").asString() + "\"}\n")
                            .getBytes(StandardCharsets.UTF_8);
                    Random random = new Random(seed);
                    for (int at = 0; at < bytes.length; ) {
                        int end = Math.min(bytes.length, at + 1 + random.nextInt(100_000));
                        session.send(Arrays.copyOfRange(bytes, at, end));
                        at = end;
                    }
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT)) {
            assertThat(qmp.execute("query-large").asString())
                    .as("seed %d", seed)
                    .isEqualTo(large);
        }
    }

    @Test
    void aMissingSocketIsAnIoException() {
        assertThatThrownBy(() -> Qmp.connect(folder.resolve("none"), TIMEOUT).close())
                .isInstanceOf(IOException.class);
    }
}
