package io.fairlead.vhostuser.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.virtio.BalloonConfig;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VhostUserManagementTest {
    @Test
    void attributesBecomeSettings() {
        VhostUserBackendSettings settings = VhostUserManagement.settings(
                DeviceId.BLOCK,
                Map.of(
                        "backend", "/run/d.sock",
                        "queues", "4",
                        "queue-size", "512",
                        "config-bytes", "60",
                        "dirty-log", "off",
                        "features", "0xfffffffffffffffd",
                        "volume", "v1",
                        "serial", "s1"));
        assertThat(settings)
                .isEqualTo(VhostUserBackendSettings.of(Path.of("/run/d.sock"), DeviceId.BLOCK)
                        .withQueueCount(4)
                        .withMaxQueueSize(512)
                        .withConfigByteCount(60)
                        .withDirtyLog(false)
                        .withFeatures(~2L)
                        .withIdentity(Map.of("volume", "v1", "serial", "s1")));
    }

    @Test
    void theDaemonsSocketIsNeeded() {
        assertThatThrownBy(() -> VhostUserManagement.settings(DeviceId.BLOCK, Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("backend: ");
    }

    @ParameterizedTest
    @CsvSource({
        "queues,0,is not positive",
        "queues,257,is not in 1..256",
        "queues,many,is not a number",
        "queue-size,100,is not a power of two",
        "config-bytes,100000,is not in 0..256",
        "dirty-log,perhaps,is neither on nor off",
        "features,some,is not a number of 64 bits",
        "features,0x4,lacks VERSION_1",
        "path,/a.img,no such attribute"
    })
    void mistakesAreNamed(String key, String value, String message) {
        Map<String, String> attributes = new HashMap<>(Map.of("backend", "/run/d.sock"));
        attributes.put(key, value);
        assertThatThrownBy(() -> VhostUserManagement.settings(DeviceId.BLOCK, attributes))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(key + ": ")
                .hasMessageContaining(message);
    }

    @Test
    void onlyWhatADriverMayWriteIsHandedOn() {
        assertThat(WritableConfig.ranges(DeviceId.BLOCK, BlkConfig.F_CONFIG_WCE, 60))
                .containsExactly(new WritableConfig.Range(32, 33));
        assertThat(WritableConfig.ranges(DeviceId.BLOCK, 0, 60)).isEmpty();
        assertThat(WritableConfig.ranges(DeviceId.NET, -1, 60)).isEmpty();
        assertThat(WritableConfig.ranges(DeviceId.BALLOON, 0, BalloonConfig.BYTES))
                .containsExactly(new WritableConfig.Range(4, 8));
        assertThat(WritableConfig.ranges(0x1234, 0, 16)).containsExactly(new WritableConfig.Range(0, 16));
    }
}
