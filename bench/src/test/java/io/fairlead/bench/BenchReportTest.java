package io.fairlead.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class BenchReportTest {
    private static final BenchRow HELD =
            new BenchRow("fast", "I/O/s", Samples.of(10, 30, 20), Samples.of(10, 5, 8), Bar.ratioAtLeast(2.5));
    private static final BenchRow MISSED =
            new BenchRow("cpu", "us/I/O", Samples.of(3), Samples.of(4), Bar.ratioAtMost(0.5));
    private static final BenchRow ALONE = new BenchRow("memory", "MiB", Samples.of(99.5), null, Bar.oursAtMost(150));
    private static final BenchRow INFORMATION = new BenchRow("other", "I/O/s", Samples.of(1), Samples.of(3), null);
    private static final BenchRow NO_RATIO =
            new BenchRow("nothing", "ms", Samples.of(1), Samples.of(0), Bar.ratioAtMost(1));

    private static BenchReport report() {
        return new BenchReport(
                "Disk",
                "./fairlead bench blk",
                Instant.parse("2026-01-02T03:04:05Z"),
                Map.of("processor", "a|b"),
                List.of("a note"),
                List.of(HELD, MISSED, ALONE, INFORMATION, NO_RATIO),
                List.of(new BenchTable("Rates", List.of("what", "ours"), List.of(List.of("fast", "20")))));
    }

    @Test
    void jsonHasTheMediansAndWhetherTheBarIsHeld() {
        JsonNode root = new JsonMapper().readTree(report().json());
        JsonNode rows = root.get("rows");
        assertThat(rows).hasSize(5);
        assertThat(rows.get(0).propertyNames()).containsExactly("name", "unit", "ours", "peer", "ratio", "bar", "held");

        assertThat(rows.get(0).get("name").asString()).isEqualTo("fast");
        assertThat(rows.get(0).get("unit").asString()).isEqualTo("I/O/s");
        assertThat(rows.get(0).get("ours").asDouble()).isEqualTo(20);
        assertThat(rows.get(0).get("peer").asDouble()).isEqualTo(8);
        assertThat(rows.get(0).get("ratio").asDouble()).isEqualTo(2.5);
        assertThat(rows.get(0).get("bar").asString()).isEqualTo("ratio >= 2.5");
        assertThat(rows.get(0).get("held").asBoolean()).isTrue();

        assertThat(rows.get(1).get("ratio").asDouble()).isEqualTo(0.75);
        assertThat(rows.get(1).get("held").asBoolean()).isFalse();

        assertThat(rows.get(2).get("peer").isNull()).isTrue();
        assertThat(rows.get(2).get("ratio").isNull()).isTrue();
        assertThat(rows.get(2).get("bar").asString()).isEqualTo("ours <= 150");
        assertThat(rows.get(2).get("held").asBoolean()).isTrue();

        assertThat(rows.get(3).get("bar").isNull()).isTrue();
        assertThat(rows.get(3).get("held").isNull()).isTrue();

        // A ratio that cannot be built holds no bar.
        assertThat(rows.get(4).get("ratio").isNull()).isTrue();
        assertThat(rows.get(4).get("held").asBoolean()).isFalse();

        assertThat(root.get("spread").get(0).get("oursMin").asDouble()).isEqualTo(10);
        assertThat(root.get("spread").get(0).get("peerMax").asDouble()).isEqualTo(10);
        assertThat(root.get("machine").get("processor").asString()).isEqualTo("a|b");
    }

    @Test
    void textAndMarkdownNameTheBarsThatAreNotHeld() {
        assertThat(report().text())
                .contains("what  ours\nfast    20\n")
                .contains("2 of 4 bars held")
                .contains("not held: cpu: 3.00 us/I/O, ratio 0.75x; bar: ratio <= 0.5")
                .doesNotContain("not held: fast");
        assertThat(report().markdown())
                .startsWith("# Disk\n\nMeasured on 2026-01-02. To repeat it:\n\n    ./fairlead bench blk\n")
                .contains("- a note\n")
                .contains("| processor | a\\|b |")
                .contains("## Rates\n\n| what | ours |\n| --- | ---: |\n| fast | 20 |\n")
                .contains("- 2 of 4 bars held\n");
    }

    @Test
    void barsAreHeldAtTheirLimit() {
        assertThat(Bar.ratioAtLeast(2).isHeld(1, 2.0)).isTrue();
        assertThat(Bar.ratioAtLeast(2).isHeld(1, 1.999)).isFalse();
        assertThat(Bar.ratioAtLeast(2).isHeld(1, null)).isFalse();
        assertThat(Bar.ratioAtMost(0.5).isHeld(1, 0.5)).isTrue();
        assertThat(Bar.ratioAtMost(0.5).isHeld(1, 0.501)).isFalse();
        assertThat(Bar.oursAtMost(150).isHeld(150, null)).isTrue();
        assertThat(Bar.oursAtMost(150).isHeld(150.1, 0.1)).isFalse();
    }

    @Test
    void aTableHasAsManyCellsAsColumns() {
        assertThatThrownBy(() -> new BenchTable("t", List.of("a", "b"), List.of(List.of("1"))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 cells under 2 columns");
    }

    @Test
    void figuresHaveThreeDigits() {
        assertThat(Figures.of(1234.5)).isEqualTo("1235");
        assertThat(Figures.of(12.345)).isEqualTo("12.3");
        assertThat(Figures.of(1.2345)).isEqualTo("1.23");
        assertThat(Figures.ratio(2.5)).isEqualTo("2.50x");
        assertThat(Figures.ratio(null)).isEqualTo("-");
        assertThat(Figures.spread(Samples.of(1, 2, 30))).isEqualTo("2.00 (1.00-30.0)");
    }
}
