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
        List<DemoMove> moves =
                List.of(DemoMove.of("A", "B", JSON.readTree("{\"totalMillis\":5000,\"qemuDowntimeMillis\":12}"), 30));
        return DemoReport.of(result, 4, 30, DemoReport.checks(nodes), List.of(), moves, 1 << 20);
    }

    @Test
    void itHoldsOnlyIfTheGuestAndEveryCheckSaySo() {
        String good = "{\"check\":\"fio verify\",\"held\":true,\"detail\":\"x\"}";
        String reads = "{\"reads\":\"fixed\",\"verifiedBytes\":4096,\"rounds\":1,\"wrong\":0}";
        String bad = "{\"check\":\"mkfs\",\"held\":false,\"detail\":\"no room\"}";
        assertThat(report(0, good, reads).held()).isTrue();
        assertThat(report(1, good, reads).held()).isFalse();
        DemoReport broken = report(0, good, reads, bad);
        assertThat(broken.held()).isFalse();
        assertThat(broken.text()).contains("errors              1", "FAILED mkfs: no room", "serial.log");
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
    void whatIsLostDuringAMoveIsCounted() {
        String moving = "{\"movingRounds\":2}";
        DemoReport whole = report(0, moving, "{\"reads\":\"fixed\",\"verifiedBytes\":4096,\"rounds\":1,\"wrong\":0}");
        assertThat(whole.lost()).isZero();
        assertThat(whole.movingVerifiedBytes()).isEqualTo(4096 + 2 * ((long) DemoReport.MOVING_MIB << 20));
        assertThat(whole.text()).contains("A -> B", "stood still 12 ms by QEMU, 30 ms in the guest", "lost: 0");
        DemoReport lossy = report(0, moving, "{\"reads\":\"fixed\",\"verifiedBytes\":0,\"rounds\":1,\"wrong\":1}");
        assertThat(lossy.lost()).isEqualTo(1);
        assertThat(lossy.held()).isFalse();
        assertThat(report(0, "{\"check\":\"fio during the moves\",\"held\":false,\"detail\":\"\"}")
                        .lost())
                .isEqualTo(1);
    }

    @Test
    void speedsAreTakenFromTheGuest() {
        assertThat(report(0, "{\"speed\":\"reads\",\"perSecond\":1234}").speeds())
                .containsExactly(new DemoReport.Speed("reads", 1234));
    }
}
