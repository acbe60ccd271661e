package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class L1LinkTest {
    @Test
    void endsFindEachOther() {
        L1Link first = L1Link.parse("1:/tmp/a,b.sock");
        L1Link second = first.other();
        assertThat(second).isEqualTo(new L1Link(Path.of("/tmp/a,b.sock"), 2));
        assertThat(second.other()).isEqualTo(first);
        assertThat(first.address()).isEqualTo("192.168.76.1");
        assertThat(second.address()).isEqualTo("192.168.76.2");
        assertThat(first.arguments())
                .contains("stream,id=link0,addr.type=unix,addr.path=/tmp/a,,b.sock,server=on")
                .contains("virtio-net-pci,netdev=link0,mac=52:54:00:4c:31:01");
        assertThat(second.arguments())
                .contains("stream,id=link0,addr.type=unix,addr.path=/tmp/a,,b.sock,server=off,reconnect-ms=200");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1", "1:", "3:/tmp/a", "/tmp/a", ":/tmp/a", "12:/tmp/a"})
    void whatIsNoEndIsRefused(String text) {
        assertThatThrownBy(() -> L1Link.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1:SOCKET or 2:SOCKET");
    }
}
