package io.fairlead.daemon.operation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.store.StateStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

final class OperationsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @TempDir
    private Path folder;

    private final EventLog events = new EventLog(1000, InstantSource.system());
    private StateStore store;
    private Operations operations;

    @BeforeEach
    void open() throws IOException {
        store = StateStore.open(folder);
        operations = new Operations(store, events, InstantSource.system());
    }

    @AfterEach
    void close() throws IOException {
        operations.close();
        store.close();
    }

    private ObjectNode ended(Operation operation) throws InterruptedException {
        assertThat(operation.awaitEnd(PATIENCE)).isTrue();
        return operations.find(operation.id()).orElseThrow();
    }

    @Test
    void tellsItsResult() throws Exception {
        Operation operation = operations.begin("start", "machine/a", progress -> {
            progress.phase("first");
            progress.note("a note");
            return JsonNodeFactory.instance.objectNode().put("pid", 7);
        });
        ObjectNode json = ended(operation);
        assertThat(json.path("state").asString()).isEqualTo("done");
        assertThat(json.path("phase").asString()).isEqualTo("first");
        assertThat(json.path("notes").path(0).asString()).isEqualTo("a note");
        assertThat(json.path("result").path("pid").asInt()).isEqualTo(7);
        assertThat(json.path("endedAt").asString()).isNotEmpty();
    }

    @Test
    void tellsWhatWasWrong() throws Exception {
        Operation io = operations.begin("start", "machine/a", _ -> {
            throw new IOException("no QEMU");
        });
        assertThat(ended(io).path("error").path("message").asString()).isEqualTo("no QEMU");
        Operation api = operations.begin("start", "machine/a", _ -> {
            throw ApiException.conflict("busy", "wait");
        });
        assertThat(ended(api).path("error").path("remedy").asString()).isEqualTo("wait");
        Operation ours = operations.begin("start", "machine/a", _ -> {
            throw new StackOverflowError();
        });
        assertThat(ended(ours).path("error").path("code").asString()).isEqualTo("internal");
    }

    @Test
    void anObjectHasOneAtATime() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        Operation first = operations.begin("start", "machine/a", _ -> {
            gate.await();
            return null;
        });
        assertThatThrownBy(() -> operations.begin("destroy", "machine/a", _ -> null))
                .isInstanceOf(ApiException.class)
                .hasMessageContaining("machine a is in operation " + first.id() + " (start)");
        assertThatThrownBy(() -> operations.exclusively("machine/a", () -> null))
                .isInstanceOf(ApiException.class);
        assertThat(operations.of("machine/a")).contains(first);
        var _ = ended(operations.begin("start", "machine/b", _ -> null));
        gate.countDown();
        var _ = ended(first);
        var _ = ended(operations.begin("destroy", "machine/a", _ -> null));
    }

    @Test
    void isTakenBackWhereItCanBe() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        CountDownLatch ready = new CountDownLatch(1);
        Operation operation = operations.begin("migrate", "machine/a", progress -> {
            progress.cancellable(() -> {
                gate.countDown();
                return true;
            });
            ready.countDown();
            gate.await();
            throw new CancelledException("by the user");
        });
        ready.await();
        operations.cancel(operation.id());
        assertThat(ended(operation).path("state").asString()).isEqualTo("cancelled");
        assertThatThrownBy(() -> operations.cancel(operation.id())).hasMessageContaining("has ended");
        assertThatThrownBy(() -> operations.cancel(999)).hasMessageContaining("there is none");
    }

    @Test
    void oneThatWasInterruptedHasFailed() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        Operation operation = operations.begin("start", "machine/a", _ -> {
            gate.await();
            return null;
        });
        // As a process that is killed: nothing is said of its end.
        store.close();
        store = StateStore.open(folder);
        Operations next = new Operations(store, events, InstantSource.system());
        ObjectNode json = next.find(operation.id()).orElseThrow();
        assertThat(json.path("state").asString()).isEqualTo("failed");
        assertThat(json.path("error").path("code").asString()).isEqualTo("interrupted");
        Operation later = next.begin("start", "machine/a", _ -> null);
        assertThat(later.id()).isGreaterThan(operation.id());
        assertThat(later.awaitEnd(PATIENCE)).isTrue();
        gate.countDown();
        operations = next;
    }

    @Test
    void keepsTheLastThousand() throws Exception {
        Operation last = null;
        for (int i = 0; i < 1005; i++) {
            last = operations.begin("start", "machine/a", _ -> null);
            var _ = ended(last);
        }
        assertThat(operations.list()).hasSize(1000);
        assertThat(operations.list().getFirst().path("id").asString()).isEqualTo(Long.toString(last.id()));
        assertThat(operations.find(5)).isEmpty();
        assertThat(store.list("operation/")).hasSize(1000);
    }
}
