package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class DowntimeStepsTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    @Test
    void aMachineThatIsNeverDoneMayStandStillLongerPassByPass() {
        assertThat(LongStream.rangeClosed(0, 9).map(pass -> DowntimeSteps.millis(pass, 300)))
                .containsExactly(30L, 30L, 30L, 30L, 30L, 60L, 120L, 240L, 300L, 300L);
        assertThat(DowntimeSteps.millis(Long.MAX_VALUE, 1_000_000)).isEqualTo(1_000_000);
        assertThat(DowntimeSteps.millis(1, 10)).isEqualTo(10);
        assertThat(DowntimeSteps.first(Duration.ofMillis(10))).isEqualTo(Duration.ofMillis(10));
        assertThat(DowntimeSteps.first(Duration.ofMillis(400))).isEqualTo(DowntimeSteps.FIRST);
    }

    @Test
    void tellsQemuAtEachPassThatAllowsMoreAndNothingAfterItsEnd() throws Exception {
        List<Long> told = new ArrayList<>();
        CompletableFuture<Void> following = new CompletableFuture<>();
        CompletableFuture<Void> reached = new CompletableFuture<>();
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    following.orTimeout(TIMEOUT.toSeconds(), TimeUnit.SECONDS).join();
                    for (int pass = 1; pass <= 8; pass++) {
                        session.send("{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": %d}}\r\n".formatted(pass));
                        if (pass > 4) {
                            var command = session.command();
                            told.add(command.path("arguments")
                                    .path("downtime-limit")
                                    .asLong());
                            session.answer(command, "\"return\": {}");
                        }
                    }
                    reached.complete(null);
                    session.awaitClose();
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT);
                DowntimeSteps _ = DowntimeSteps.follow(qmp, Duration.ofMillis(300))) {
            following.complete(null);
            reached.get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        }
        assertThat(told).containsExactly(60L, 120L, 240L, 300L);
    }

    @Test
    void aQemuThatIsGoneHoldsNothingUp() throws Exception {
        CompletableFuture<Void> gone = new CompletableFuture<>();
        try (FakeMonitor monitor = new FakeMonitor(folder, session -> {
                    session.negotiate();
                    session.send("{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": 7}}\r\n");
                    gone.complete(null);
                });
                Qmp qmp = Qmp.connect(monitor.socket(), TIMEOUT);
                DowntimeSteps _ = DowntimeSteps.follow(qmp, Duration.ofMillis(300))) {
            gone.get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        }
    }
}
