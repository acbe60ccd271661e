package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ServedOptionTest {
    @Test
    void aDeviceIsAtASocketOrInTheKernel() {
        ServedOption atSocket = ServedOption.parse("name=d,type=blk,socket=/tmp/s,path=x");
        assertThat(atSocket.socket()).isEqualTo(Path.of("/tmp/s"));
        assertThat(atSocket.vduse()).isNull();
        ServedOption inKernel = ServedOption.parse("name=d,type=net,vduse=card,switch=s");
        assertThat(inKernel.socket()).isNull();
        assertThat(inKernel.vduse()).isEqualTo("card");
        assertThat(inKernel.name()).isEqualTo("d");
        assertThat(inKernel.deviceId()).isEqualTo(DeviceId.NET);
        assertThat(inKernel.attributes()).isEqualTo(Map.of("switch", "s", "queue-size", "256"));
        assertThat(ServedOption.parse("name=d,type=net,vduse=card,switch=s,queue-size=64")
                        .attributes())
                .containsEntry("queue-size", "64");
        assertThat(ServedOption.parse("name=d,type=net,vduse=card,vhost-vdpa=v0")
                        .attributes())
                .containsOnlyKeys("vhost-vdpa");
    }

    @ParameterizedTest
    @ValueSource(strings = {"name=d,type=blk,path=x", "name=d,type=blk,path=x,socket=s,vduse=d"})
    void itIsAtExactlyOneOfThem(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ServedOption.parse(text))
                .withMessageContaining("one of socket=")
                .withMessageContaining("vduse=");
    }

    @Test
    void whatIsMissingIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ServedOption.parse("type=blk,vduse=d"))
                .withMessageContaining("name=... is missing");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ServedOption.parse("name=d,type=toaster,vduse=d"))
                .withMessageContaining("toaster is not a virtio type");
    }
}
