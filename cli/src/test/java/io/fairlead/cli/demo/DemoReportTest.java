package io.fairlead.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.GuestResult;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class DemoReportTest {
    private static final JsonMapper JSON = new JsonMapper();

    private static DemoReport report(int status, String... lines) {
        List<JsonNode> nodes = List.of(lines).stream().map(JSON::readTree).toList();
        GuestResult result = new GuestResult(status, nodes, 4000, 30_000, Path.of("serial.log"));
        return DemoReport.of(result, DemoReport.checks(nodes), List.of(), 1 << 20);
    }

    @Test
    void itHoldsOnlyIfTheGuestAndEveryCheckSaySo() {
        String good = "{\"check\":\"fio verify\",\"held\":true,\"detail\":\"x\"}";
        String bad = "{\"check\":\"mkfs\",\"held\":false,\"detail\":\"no room\"}";
        assertThat(report(0, good).held()).isTrue();
        assertThat(report(1, good).held()).isFalse();
        DemoReport broken = report(0, good, bad);
        assertThat(broken.held()).isFalse();
        assertThat(broken.text()).contains("errors          1", "FAILED mkfs: no room", "serial.log");
        assertThat(JSON.readTree(broken.json()).path("held").asBoolean(true)).isFalse();
    }

    @Test
    void bytesCountAsVerifiedOnlyWhereFioSaidSo() {
        assertThat(report(0, "{\"check\":\"fio verify\",\"held\":false,\"detail\":\"\"}")
                        .verifiedBytes())
                .isZero();
        assertThat(report(0, "{\"check\":\"fio verify\",\"held\":true,\"detail\":\"\"}")
                        .verifiedBytes())
                .isEqualTo(1 << 20);
    }

    @Test
    void speedsAreTakenFromTheGuest() {
        assertThat(report(0, "{\"speed\":\"reads\",\"perSecond\":1234}").speeds())
                .containsExactly(new DemoReport.Speed("reads", 1234));
    }
}
