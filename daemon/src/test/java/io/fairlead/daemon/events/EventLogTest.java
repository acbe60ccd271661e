package io.fairlead.daemon.events;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.daemon.http.EventStream;
import java.time.Duration;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;

/** Readers that are fast, slow, late, and from another daemon's life. */
class EventLogTest {
    private static final Duration SHORT = Duration.ofMillis(1);

    private final EventLog log = new EventLog(4, InstantSource.system());

    @Test
    void aReaderSeesWhatFollowsItsPlace() throws InterruptedException {
        log.publish("a", "x", "before");
        EventStream reader = log.after(log.newest());
        assertThat(reader.next(SHORT)).isNull();
        long seq = log.publish("b", "x", "then");
        EventStream.Event event = reader.next(Duration.ofSeconds(10));
        assertThat(event.id()).isEqualTo(seq);
        assertThat(event.name()).isEqualTo("b");
        assertThat(reader.next(SHORT)).isNull();
    }

    @Test
    void aSlowReaderIsToldWhatItMissedAndGoesOn() throws InterruptedException {
        EventStream reader = log.after(log.newest());
        for (int i = 0; i < 10; i++) {
            log.publish("k" + i, "x", "t");
        }
        EventStream.Event gap = reader.next(SHORT);
        assertThat(gap.name()).isEqualTo(EventLog.GAP);
        assertThat(gap.json()).contains("\"missed\":6");
        // Whoever comes again with the gap's number misses nothing more.
        assertThat(log.after(gap.id()).next(SHORT).name()).isEqualTo("k6");
        assertThat(reader.next(SHORT).name()).isEqualTo("k6");
    }

    @Test
    void aNumberFromTheFutureIsAGap() throws InterruptedException {
        assertThat(log.after(log.newest() + 5).next(SHORT).name()).isEqualTo(EventLog.GAP);
    }

    @Test
    void theEndEndsReadersThatHaveSeenAll() throws InterruptedException {
        EventStream reader = log.after(log.newest());
        log.publish("last", "x", "t");
        log.close();
        assertThat(reader.isOver()).isFalse();
        assertThat(reader.next(SHORT).name()).isEqualTo("last");
        assertThat(reader.isOver()).isTrue();
    }
}
