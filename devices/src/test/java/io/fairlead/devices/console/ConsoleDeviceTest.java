package io.fairlead.devices.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.base.HostileRequests;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ConsoleDeviceTest {
    private static final int MEMORY_BYTES = 1 << 20;
    private static final long OUT = 2 * Guest.RING_BYTES;
    private static final long IN = OUT + (256 << 10);
    private static final int RX = 0;
    private static final int TX = 1;

    @TempDir
    Path folder;

    private final long descriptors = Fd.openCount();
    private final long mappings = Mapping.openCount();
    private EventLoopGroup loops;
    private VdpaDevice device;
    private Guest guest;

    @BeforeEach
    void start() throws IOException {
        loops = new EventLoopGroup(2);
    }

    private void console(Map<String, String> attributes, long features) throws IOException {
        device = new ConsoleType().create("console0", attributes, loops);
        guest = new Guest(device, MEMORY_BYTES, 64, 0);
        guest.start(features);
    }

    @AfterEach
    void end() throws IOException {
        if (guest != null) {
            guest.close();
        }
        if (device != null) {
            device.close();
        }
        loops.close();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    private void putOut(String text) throws Exception {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        MemorySegment.copy(bytes, 0, guest.memory(), ValueLayout.JAVA_BYTE, OUT, bytes.length);
        DriverQueue queue = guest.queue(TX);
        assertThat(queue.add(new long[] {Guest.BASE + OUT}, new int[] {bytes.length}, 1, 0, 1))
                .isTrue();
        guest.publish(TX);
        Guest.awaitAnswer(queue);
    }

    /** Gives the device one buffer; the answer comes when there is input. */
    private void offer(int byteCount) {
        assertThat(guest.queue(RX).add(new long[] {Guest.BASE + IN}, new int[] {byteCount}, 0, 1, 2))
                .isTrue();
        guest.publish(RX);
    }

    private String awaitInput() throws Exception {
        DriverQueue queue = guest.queue(RX);
        Guest.awaitAnswer(queue);
        byte[] bytes = guest.memory().asSlice(IN, queue.writtenBytes()).toArray(ValueLayout.JAVA_BYTE);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private Path socket() {
        return folder.resolve("c.sock");
    }

    private SocketChannel connect() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(socket()));
    }

    private static String read(SocketChannel client, int byteCount) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(byteCount);
        while (bytes.hasRemaining() && client.read(bytes) >= 0) {
            // All of it.
        }
        return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatTheGuestPutsOutIsAppendedToAFile(boolean packed) throws Exception {
        Path file = Files.writeString(folder.resolve("out.log"), "before\n");
        console(Map.of("path", file.toString()), Feature.VERSION_1 | (packed ? Feature.RING_PACKED : 0));
        StringBuilder expected = new StringBuilder("before\n");
        for (int i = 0; i < 50; i++) {
            String line = "line %d%n".formatted(i).repeat(1 + i % 7);
            putOut(line);
            expected.append(line);
        }
        device.close();
        assertThat(file).hasContent(expected.toString());
    }

    @Test
    void aClientReadsWhatWasPutOutBeforeAndTalksWithTheGuest() throws Exception {
        console(Map.of("listen", socket().toString()), Feature.VERSION_1);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())))
                .isEqualTo("rw-------");
        putOut("login: ");
        try (SocketChannel client = connect()) {
            assertThat(read(client, 7)).isEqualTo("login: ");
            offer(100);
            int _ = client.write(ByteBuffer.wrap("root\n".getBytes(StandardCharsets.UTF_8)));
            assertThat(awaitInput()).isEqualTo("root\n");
            putOut("welcome");
            assertThat(read(client, 7)).isEqualTo("welcome");
            // More than one buffer takes.
            int _ = client.write(ByteBuffer.wrap("0123456789".getBytes(StandardCharsets.UTF_8)));
            offer(4);
            assertThat(awaitInput()).isEqualTo("0123");
            offer(100);
            assertThat(awaitInput()).isEqualTo("456789");
            try (SocketChannel second = connect()) {
                assertThat(second.read(ByteBuffer.allocate(1)))
                        .as("turned away")
                        .isEqualTo(-1);
            }
        }
        await().untilAsserted(() -> {
            try (SocketChannel next = connect()) {
                putOut("x");
                assertThat(read(next, 1)).isEqualTo("x");
            }
        });
        device.close();
        assertThat(socket()).doesNotExist();
    }

    @Test
    void aStopDoesNotWaitForInputNorForAClientThatDoesNotRead() throws Exception {
        console(Map.of("listen", socket().toString()), Feature.VERSION_1);
        try (SocketChannel client = connect()) {
            offer(100);
            String much = "0123456789abcdef".repeat(4096);
            for (int i = 0; i < 40; i++) {
                putOut(much);
            }
            device.queueReady(RX, false);
            device.queueReady(TX, false);
            assertThat(device.statistics().total().failedRequests()).isZero();
            device.queueReady(RX, true);
            int _ = client.write(ByteBuffer.wrap("late".getBytes(StandardCharsets.UTF_8)));
            assertThat(awaitInput()).isEqualTo("late");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {RX, TX})
    void survivesTenThousandMalformedRequests(int queue) throws Exception {
        device = new ConsoleType().create("console0", Map.of("listen", socket().toString()), loops);
        Thread talker = Thread.ofPlatform().daemon().start(() -> {
            try (SocketChannel client = connect()) {
                ByteBuffer bytes = ByteBuffer.allocate(8192);
                while (queue == RX && client.write(bytes.clear()) >= 0) {
                    // Input without end, so that no buffer waits.
                }
                while (client.read(bytes.clear()) >= 0) {
                    // Output goes nowhere.
                }
            } catch (IOException e) {
                // The device is closed.
            }
        });
        int nothing = HostileRequests.Form.NOTHING;
        HostileRequests.Form form =
                queue == RX ? new HostileRequests.Form(nothing, 1) : new HostileRequests.Form(1, nothing);
        HostileRequests.Counts counts =
                HostileRequests.send(device, queue, Feature.VERSION_1, 10_000, 5, form, HostileRequests::noise);
        assertThat(counts.answered()).isPositive();
        assertThat(counts.resets()).isPositive();
        device.close();
        talker.join();
    }

    @Test
    void saysWhatItNeeds() {
        assertThatThrownBy(() -> ConsoleSettings.of(Map.of())).hasMessageContainingAll("path=FILE", "listen=SOCKET");
        assertThatThrownBy(() -> ConsoleSettings.of(Map.of("path", "a", "listen", "b")))
                .hasMessageContaining("one of them");
        assertThatThrownBy(() -> ConsoleSettings.of(Map.of("path", "a", "colour", "red")))
                .hasMessageContainingAll("colour", "path, listen");
        assertThatThrownBy(() -> ConsoleSettings.of(Map.of("path", ""))).hasMessageContaining("empty");
    }
}
