package io.fairlead.bench.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.bench.BenchRow;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BusyResultsTest {
    @Test
    void hasNothingToSayOfWhatWasNotMeasured() {
        assertThat(new BusyResults().rows()).isEmpty();
        assertThat(new BusyResults().tables()).isEmpty();
    }

    @Test
    void downtimeAndTheTimeInDevicesHaveBars() {
        BusyResults results = new BusyResults();
        for (BusyContender.Kind kind : BusyContender.Kind.values()) {
            boolean ours = kind == BusyContender.Kind.FAIRLEAD || kind == BusyContender.Kind.NODES;
            results.add(kind, figures(ours ? 30 : 20, 51));
        }
        results.addRingTimes("""
                {"ready":true}
                {"name":"nic","longestStartMicros":1500,"longestStopMicros":51000}
                {"name":"fs","longestStartMicros":2500,"longestStopMicros":49000}
                """);
        assertThat(results.rows())
                .filteredOn(row -> row.bar() != null)
                .extracting(row -> row.name() + " " + row.held())
                .containsExactly(
                        "four devices/downtime, as QEMU says false",
                        "four devices, nodes/downtime, as QEMU says false",
                        "four devices, nodes/handover false",
                        "four devices, rings/longest stop of a ring in any move, nic false",
                        "four devices, rings/longest stop of a ring in any move, fs true",
                        "four devices, rings/longest start of a ring in any move, nic true",
                        "four devices, rings/longest start of a ring in any move, fs true");
        assertThat(results.rows())
                .extracting(BenchRow::name)
                .contains("four devices/outage of the folder", "four devices/beats of the SCSI unit before the move")
                .doesNotHaveDuplicates();
        assertThat(results.tables()).hasSize(3);
        assertThat(results.tables().getFirst().text())
                .contains("ratio <= 1: NOT held")
                .contains("outage of the network")
                .doesNotContain("handover");
        assertThat(results.tables().get(1).text()).contains("handover");
    }

    private static BusyFigures figures(double downtimeMillis, double handoverMillis) {
        Map<BusyGuest.Heart, Double> values = new EnumMap<>(BusyGuest.Heart.class);
        for (BusyGuest.Heart heart : BusyGuest.Heart.values()) {
            values.put(heart, 10.0 * (1 + heart.card()));
        }
        return new BusyFigures(new Mover.Move(downtimeMillis, 500, 100, handoverMillis), values, 80, values);
    }
}
