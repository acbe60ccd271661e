package io.fairlead.daemon.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.node.channel.Message;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

final class ExpectedTest {
    private static final Expected EXPECTED = new Expected(
            "alpha",
            "vm0",
            "<domain>now</domain>",
            "<domain>next</domain>",
            true,
            List.of(
                    new Expected.ExpectedDevice(
                            "disk0", DeviceId.BLOCK, Map.of("path", "/images/a,b", "locked", "off"), false, new byte[] {
                                1
                            }),
                    new Expected.ExpectedDevice("fs-data", DeviceId.FS, Map.of(), true, new byte[] {2, 3})),
            List.of("fs-data"));

    @Test
    void theOtherHostReadsWhatWasAnnounced() throws IOException {
        Expected read = Expected.of("alpha", "vm0", EXPECTED.message());
        assertThat(read).usingRecursiveComparison().isEqualTo(EXPECTED);
        assertThat(read.order()).containsExactly("disk0", "fs-data");
    }

    /** What a peer may send instead. */
    @Test
    void whatCannotBeRightIsRefused() {
        Message good = EXPECTED.message();
        for (String name : List.of("", "../vm0", "a/b", "a\0b", "x".repeat(10_000))) {
            assertThatThrownBy(() -> Expected.of("alpha", name, good)).isInstanceOf(IOException.class);
        }
        List<byte[]> fewer = good.blobs().subList(0, 3);
        assertThatThrownBy(() -> Expected.of("alpha", "vm0", new Message(good.kind(), good.fields(), fewer)))
                .hasMessageContaining("1 states came for 2 devices");
        assertThatThrownBy(() -> Expected.of("alpha", "vm0", new Message(good.kind(), good.fields(), List.of())))
                .isInstanceOf(IOException.class);
        ObjectNode type = good.fields().deepCopy();
        ((ObjectNode) type.path("devices").path(0)).put("type", "toaster");
        assertThatThrownBy(() -> Expected.of("alpha", "vm0", new Message(good.kind(), type, good.blobs())))
                .hasMessageContaining("toaster");
        // Of another shape altogether: nothing but an IOException, or devices that are refused when they are made.
        for (ObjectNode odd : odd()) {
            List<byte[]> blobs = new ArrayList<>(good.blobs());
            try {
                Expected read = Expected.of("alpha", "vm0", new Message(good.kind(), odd, blobs));
                assertThat(read.devices()).hasSize(2);
            } catch (IOException e) {
                assertThat(e).hasMessageNotContaining("null");
            }
        }
    }

    private static List<ObjectNode> odd() {
        JsonNodeFactory json = JsonNodeFactory.instance;
        List<ObjectNode> all = new ArrayList<>();
        all.add(json.objectNode());
        all.add(json.objectNode().put("devices", 2));
        ObjectNode text = json.objectNode();
        text.putArray("devices").add("a").add("b");
        all.add(text);
        ObjectNode object = json.objectNode();
        object.putObject("devices").put("a", 1).put("b", 2);
        all.add(object);
        ObjectNode attributes = EXPECTED.message().fields();
        ((ObjectNode) attributes.path("devices").path(0)).put("attributes", "path=/etc/passwd");
        all.add(attributes);
        return all;
    }
}
