package io.fairlead.devices.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BlkManagementTest {
    @Test
    void readsAllAttributes() {
        BlkSettings settings = BlkManagement.settings(Map.of(
                "path",
                "/a",
                "read-only",
                "on",
                "direct",
                "on",
                "locked",
                "off",
                "discard",
                "off",
                "queues",
                "4",
                "queue-size",
                "512",
                "serial",
                "x",
                "block-size",
                "4096"));
        assertThat(settings)
                .isEqualTo(new BlkSettings(Path.of("/a"), true, true, false, 4, 512, "x", 4096, 0, false, "", -1, 0));
        assertThat(BlkManagement.settings(Map.of("path", "/a", "volume", "db 7", "features", "0x8000000100000000")))
                .isEqualTo(BlkSettings.of(Path.of("/a")).withVolume("db 7").withFeatures(1L << 32 | 1L << 63));
        assertThat(BlkManagement.settings(Map.of("path", "/a", "features", "4294967297"))
                        .features())
                .isEqualTo(1L << 32 | 1);
        assertThat(BlkManagement.settings(Map.of("path", "/a", "physical-block-size", "8192"))
                        .physicalBlockSizeBytes())
                .isEqualTo(8192);
        assertThat(BlkManagement.settings(Map.of("path", "/a", "delay-millis", "30"))
                        .delayMillis())
                .isEqualTo(30);
        assertThat(BlkManagement.settings(Map.of("path", "/a"))).isEqualTo(BlkSettings.of(Path.of("/a")));
    }

    @ParameterizedTest
    @CsvSource({
        "read-only, yes, neither on nor off",
        "queues, 0, 1..64",
        "physical-block-size, 256, power of two",
        "queues, many, not a number",
        "queue-size, 100, power of two",
        "serial, 123456789012345678901, 20",
        "block-size, 513, '512, 1024, 2048, 4096'",
        "features, 0xg, not a number",
        "features, 0x10000000000000000, not a number",
        "features, 0x200, VERSION_1",
        "delay-millis, 60001, 0..60000",
        "colour, red, 'it has: path, read-only'",
    })
    void saysWhatIsWrong(String key, String value, String hint) {
        assertThatThrownBy(() -> BlkManagement.settings(Map.of("path", "/a", key, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(key)
                .hasMessageContaining(hint);
    }

    @Test
    void needsAPath() {
        assertThatThrownBy(() -> BlkManagement.settings(Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("path");
    }
}
