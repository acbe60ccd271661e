package io.fairlead.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeviceOptionTest {
    @Test
    void nameTypeAndSocketAreTheCommandsAndTheRestTheDevices() {
        DeviceOption option = DeviceOption.parse("name=disk0,type=blk,socket=/tmp/s,path=/a,,b=c.img,queues=4");
        assertThat(option.name()).isEqualTo("disk0");
        assertThat(option.deviceId()).isEqualTo(DeviceId.BLOCK);
        assertThat(option.socket()).isEqualTo(Path.of("/tmp/s"));
        assertThat(option.attributes()).containsOnly(entry("path", "/a,b=c.img"), entry("queues", "4"));
    }

    @Test
    void aValueMayBeEmpty() {
        assertThat(DeviceOption.parse("name=d,type=blk,socket=s,serial=").attributes())
                .containsEntry("serial", "");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|'' is not key=value",
                "name=d,type=blk,socket=s,path|'path' is not key=value",
                "name=d,type=blk,socket=s,=x|'=x' is not key=value",
                "name=d,type=blk,socket=s,|'' is not key=value",
                "name=d,type=blk|socket=... is missing",
                "type=blk,socket=s|name=... is missing",
                "name=,type=blk,socket=s|name=... is missing",
                "name=d,socket=s|type=... is missing",
                "name=d,type=toaster,socket=s|type toaster is not a virtio type",
                "name=d,name=e,type=blk,socket=s|name is given twice",
            },
            quoteCharacter = '"')
    void mistakesAreNamed(String text, String message) {
        String option = text.equals("''") ? "" : text;
        assertThatThrownBy(() -> DeviceOption.parse(option))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
