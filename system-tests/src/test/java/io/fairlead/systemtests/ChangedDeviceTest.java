package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Devices that were changed, when the next daemon makes them again. */
@Timeout(120)
class ChangedDeviceTest {
    @TempDir
    private Path folder;

    @Test
    void aResizedDiskIsMadeAgain() throws Exception {
        Path image = SoftwareDisks.emptyImage(folder.resolve("disk0.img"), 16 << 20);
        try (DaemonProcess daemon = DaemonProcess.start(folder.resolve("s"), QemuRelease.V10)) {
            JsonNode _ = daemon.addDevice("disk0", "blk", "path=" + image);
            HttpAnswer changed = HttpAnswer.ask(
                    folder.resolve("s/run/fairlead.sock"),
                    "PATCH",
                    "/v1/devices/disk0",
                    "application/json",
                    "{\"attributes\":{\"size\":\"24M\"}}");
            assertThat(changed.status()).as(changed.text()).isEqualTo(200);
            assertThat(image).hasSize(24 << 20);
            daemon.kill();
            daemon.startAgain();
            JsonNode again = daemon.get("/v1/devices/disk0");
            assertThat(again.path("problem").asString("")).as(again.toString()).isEmpty();
            assertThat(again.path("max_vqs").asInt(0)).isPositive();
        }
    }
}
