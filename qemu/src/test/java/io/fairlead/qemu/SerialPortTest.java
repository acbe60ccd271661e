package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SerialPortTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    @Test
    void linesReachListenersWaitersAndTheLog() throws Exception {
        Path log = folder.resolve("log");
        List<String> heard = new CopyOnWriteArrayList<>();
        try (SerialPort port = SerialPort.listen(folder.resolve("s"), log)) {
            Runnable _ = port.addListener(heard::add);
            try (SocketChannel guest = SocketChannel.open(UnixDomainSocketAddress.of(port.socket()))) {
                send(guest, "first\r\nsec");
                assertThat(port.awaitLine(Pattern.compile("^first$"), TIMEOUT)).hasValue("first");
                long mark = port.mark();
                send(guest, "ond ü\nlast");
                assertThat(port.awaitLine(mark, line -> line.startsWith("second"), TIMEOUT))
                        .hasValue("second ü");
                port.write("to the guest\n", TIMEOUT);
                ByteBuffer received = ByteBuffer.allocate(13);
                while (received.hasRemaining()) {
                    assertThat(guest.read(received)).isPositive();
                }
                assertThat(new String(received.array(), StandardCharsets.UTF_8)).isEqualTo("to the guest\n");
            }
            assertThat(port.awaitEnd(TIMEOUT)).isTrue();
            assertThat(port.linesSince(0)).containsExactly("first", "second ü", "last");
            assertThat(heard).containsExactly("first", "second ü", "last");
            assertThat(port.awaitLine(Pattern.compile("never"), TIMEOUT))
                    .as("the end is noticed, not waited out")
                    .isEmpty();
        }
        assertThat(Files.readString(log)).isEqualTo("first\r\nsecond ü\nlast");
        assertThat(folder.resolve("s")).doesNotExist();
    }

    @Test
    void aLineThatBeganInOneMachineEndsInTheNext() throws Exception {
        SerialPort port = SerialPort.listen(folder.resolve("s"), folder.resolve("log"));
        port.retain();
        try (SocketChannel source = SocketChannel.open(UnixDomainSocketAddress.of(port.socket()))) {
            send(source, "one\ntw");
            assertThat(port.awaitLine(Pattern.compile("one"), TIMEOUT)).isPresent();
            port.write("a", TIMEOUT);
            SocketChannel destination = SocketChannel.open(UnixDomainSocketAddress.of(port.socket()));
            // The two answers stand in two sockets at once; the source's are first.
            send(source, "o");
            send(destination, " of two\nthree\n");
            assertThat(port.awaitLine(Pattern.compile("three"), TIMEOUT)).isPresent();
            port.write("b", TIMEOUT);
            port.writeToLatest();
            port.write("c", TIMEOUT);
            assertThat(received(source, 2)).isEqualTo("ab");
            assertThat(received(destination, 1)).isEqualTo("c");
            destination.close();
            awaitWritable(port);
            assertThat(received(source, 1)).isEqualTo("?");
            send(source, "four\n");
            assertThat(port.awaitLine(Pattern.compile("four"), TIMEOUT)).isPresent();
            port.close();
            port.write("d", TIMEOUT);
            assertThat(received(source, 1)).isEqualTo("d");
        }
        assertThat(port.awaitEnd(TIMEOUT)).isTrue();
        port.close();
        assertThat(port.linesSince(0)).containsExactly("one", "two of two", "three", "four");
        assertThatThrownBy(port::retain).isInstanceOf(IllegalStateException.class);
    }

    /** Until the reader has seen the end of the other machine, writing goes there and fails. */
    private static void awaitWritable(SerialPort port) throws InterruptedException {
        long end = System.nanoTime() + TIMEOUT.toNanos();
        while (true) {
            try {
                port.write("?", TIMEOUT);
                return;
            } catch (IOException e) {
                assertThat(System.nanoTime()).as(e.getMessage()).isLessThan(end);
                Thread.sleep(1);
            }
        }
    }

    private static String received(SocketChannel channel, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            assertThat(channel.read(bytes)).isPositive();
        }
        return new String(bytes.array(), StandardCharsets.UTF_8);
    }

    @Test
    void aListenerThatFailsHarmsNobody() throws Exception {
        try (SerialPort port = SerialPort.listen(folder.resolve("s"), folder.resolve("log"))) {
            Runnable _ = port.addListener(line -> {
                throw new IllegalStateException("a listener's own failure");
            });
            try (SocketChannel guest = SocketChannel.open(UnixDomainSocketAddress.of(port.socket()))) {
                send(guest, "a\nb\n");
            }
            assertThat(port.awaitEnd(TIMEOUT)).isTrue();
            assertThat(port.linesSince(0)).containsExactly("a", "b");
        }
    }

    @Test
    void closingWithoutAGuestEndsTheWait() throws Exception {
        SerialPort port = SerialPort.listen(folder.resolve("s"), folder.resolve("log"));
        Thread closer = Thread.ofPlatform().start(() -> {
            try {
                port.close();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        assertThat(port.awaitLine(Pattern.compile("x"), TIMEOUT)).isEmpty();
        closer.join();
        assertThatThrownBy(() -> port.write("x", TIMEOUT)).isInstanceOf(IOException.class);
    }

    @Test
    void aLongPathIsRefusedWithItsLimit() {
        Path path = folder.resolve("x".repeat(110));
        assertThatThrownBy(() -> SerialPort.listen(path, folder.resolve("log")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("107");
    }

    @Test
    void linesAreCutAtTheLimit() {
        List<String> lines = new ArrayList<>();
        LineCutter cutter = new LineCutter(4, lines::add);
        byte[] bytes = "abcdefghi\r\n\r\nxy\n1234\n".getBytes(StandardCharsets.UTF_8);
        for (byte b : bytes) {
            cutter.take(new byte[] {b}, 1);
        }
        cutter.finish();
        assertThat(lines).containsExactly("abcd", "efgh", "i", "", "xy", "1234");
    }

    @Test
    void historyForgetsTheOldestAndKeepsPositions() throws Exception {
        History<Integer> history = new History<>(3);
        for (int i = 0; i < 10; i++) {
            history.add(i);
        }
        assertThat(history.position()).isEqualTo(10);
        assertThat(history.from(0)).containsExactly(7, 8, 9);
        assertThat(history.from(8)).containsExactly(8, 9);
        assertThat(history.from(10)).isEmpty();
        assertThat(history.await(0, value -> value == 8, TIMEOUT)).isEqualTo(8);
        assertThat(history.await(9, value -> value == 8, Duration.ofMillis(10))).isNull();
        history.end();
        assertThat(history.await(0, value -> value == 99, TIMEOUT)).isNull();
    }

    private static void send(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
