package io.fairlead.node.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.JsonNodeFactory;

class FrameTest {
    private static final byte[] BLOB = {1, 2, 3};

    private static byte[] bytes(Frame frame) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        frame.write(out);
        return out.toByteArray();
    }

    private static Frame read(byte[] bytes) throws IOException {
        return Frame.read(new DataInputStream(new ByteArrayInputStream(bytes)), Frame.MAX_BYTES);
    }

    private static Frame sample() {
        Message message = new Message(
                "states",
                JsonNodeFactory.instance.objectNode().put("machine", "vm0"),
                List.of(BLOB, new byte[0], new byte[70_000]));
        return new Frame(7, false, null, message);
    }

    @Test
    void comesOutAsItWentIn() throws IOException {
        Frame read = read(bytes(sample()));
        assertThat(read.id()).isEqualTo(7);
        assertThat(read.isReply()).isFalse();
        assertThat(read.error()).isNull();
        assertThat(read.message().kind()).isEqualTo("states");
        assertThat(read.message().text("machine")).isEqualTo("vm0");
        assertThat(read.message().blobs()).hasSize(3);
        assertThat(read.message().blobs().getFirst()).isEqualTo(BLOB);
        assertThat(read.message().blobs().getLast()).hasSize(70_000);
    }

    @Test
    void anAnswerTellsWhatFailed() throws IOException {
        Frame read = read(bytes(new Frame(9, true, "no such machine", Message.of("states"))));
        assertThat(read.isReply()).isTrue();
        assertThat(read.error()).isEqualTo("no such machine");
    }

    @Test
    void nothingMoreIsTheEndAndNotAnError() throws IOException {
        assertThat(read(new byte[0])).isNull();
    }

    @Test
    void everyPrefixIsRefused() throws IOException {
        byte[] whole =
                bytes(new Frame(7, false, null, new Message("a", Message.of("a").fields(), List.of(BLOB))));
        for (int length = 1; length < whole.length; length++) {
            byte[] prefix = java.util.Arrays.copyOf(whole, length);
            assertThatThrownBy(() -> read(prefix)).as("length %d", length).isInstanceOf(IOException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, Integer.MIN_VALUE, 0, 3, Frame.MAX_BYTES + 1, Integer.MAX_VALUE})
    void lengthsOutOfBoundsAreRefusedBeforeAnythingIsRead(int length) {
        byte[] bytes = ByteBuffer.allocate(8).putInt(length).putInt(2).array();
        assertThatThrownBy(() -> read(bytes))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("protocol is broken");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, Integer.MIN_VALUE, 60, Integer.MAX_VALUE})
    void headerLongerThanItsFrameIsRefused(int length) {
        byte[] bytes = ByteBuffer.allocate(64).putInt(60).putInt(length).array();
        assertThatThrownBy(() -> read(bytes))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("protocol is broken");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "7",
                "{\"kind\":",
                "{\"kind\":\"a\",\"blobs\":[5]}",
                "{\"kind\":\"a\",\"blobs\":[-1]}",
                "{\"kind\":\"a\",\"blobs\":[\"x\"]}",
                "{\"kind\":\"a\",\"blobs\":[1]}",
                "{\"kind\":\"a\",\"blobs\":[99999999999]}",
                "{\"kind\":\"a\"}"
            })
    void headersThatDoNotFitAreRefused(String header) {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        // Three bytes follow the header.
        byte[] bytes = ByteBuffer.allocate(8 + text.length + 3)
                .putInt(4 + text.length + 3)
                .putInt(text.length)
                .put(text)
                .array();
        assertThatThrownBy(() -> read(bytes)).isInstanceOf(IOException.class);
    }

    @Test
    void deepNestingIsRefused() {
        byte[] text = ("{\"fields\":" + "[".repeat(100_000)).getBytes(StandardCharsets.UTF_8);
        byte[] bytes = ByteBuffer.allocate(8 + text.length)
                .putInt(4 + text.length)
                .putInt(text.length)
                .put(text)
                .array();
        assertThatThrownBy(() -> read(bytes)).isInstanceOf(IOException.class);
    }

    @Test
    void mutationsAreRefusedOrReadButNeverHarm() throws IOException {
        long seed = 4711;
        Random random = new Random(seed);
        byte[] whole =
                bytes(new Frame(7, false, null, new Message("a", Message.of("a").fields(), List.of(BLOB, BLOB))));
        int refused = 0;
        for (int i = 0; i < 10_000; i++) {
            byte[] changed = whole.clone();
            changed[random.nextInt(changed.length)] ^= (byte) (1 + random.nextInt(255));
            try {
                Frame frame = read(changed);
                assertThat(frame).as("seed %d, step %d", seed, i).isNotNull();
            } catch (IOException e) {
                refused++;
            }
        }
        assertThat(refused).as("seed %d", seed).isGreaterThan(2000);
    }

    @Test
    void whatIsTooLongIsNotSent() {
        Message message = new Message("a", Message.of("a").fields(), List.of(new byte[Frame.MAX_BYTES]));
        assertThatThrownBy(() -> bytes(new Frame(1, false, null, message)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("too long");
    }

    @Test
    void anotherVersionIsRefusedWithBothNumbers() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new Hello(2, "b", "i", "").write(out);
        assertThatThrownBy(() -> Hello.read(new DataInputStream(new ByteArrayInputStream(out.toByteArray()))))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("version 2")
                .hasMessageContaining("this one 1");
    }

    @Test
    void aStrangersGreetingIsBounded() throws IOException {
        byte[] bytes = ByteBuffer.allocate(8)
                .putInt(Frame.MAX_HELLO_BYTES + 1)
                .putInt(2)
                .array();
        assertThatThrownBy(() -> Hello.read(new DataInputStream(new ByteArrayInputStream(bytes))))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("protocol is broken");
    }
}
