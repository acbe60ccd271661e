package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.vsock.VsockDriver.Packet;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.VsockPacket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How data goes and connections end, and packets of no sense. */
@Timeout(60)
class VsockStreamTest extends VsockFixture {
    // ---- ends ----

    @Test
    void eachDirectionEndsForItself() throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel end = open(server, 5)) {
            end.shutdownOutput();
            assertThat(driver.next(VsockPacket.OP_SHUTDOWN).flags()).isEqualTo(VsockPacket.SHUTDOWN_SEND);
            driver.send(Packet.of(5, PORT, VsockPacket.OP_RW, "still".getBytes(StandardCharsets.UTF_8)));
            assertThat(readText(end, 5)).isEqualTo("still");
            driver.send(Packet.of(5, PORT, VsockPacket.OP_SHUTDOWN).withFlags(VsockPacket.SHUTDOWN_SEND));
            assertThat(end.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            // There is nothing left to be sent either way.
            assertThat(driver.next(VsockPacket.OP_SHUTDOWN).flags()).isEqualTo(VsockPacket.SHUTDOWN_BOTH);
            driver.send(Packet.of(5, PORT, VsockPacket.OP_SHUTDOWN).withFlags(VsockPacket.SHUTDOWN_RECEIVE));
            driver.next(VsockPacket.OP_RST);
        }
    }

    @Test
    void aGuestThatReceivesNoMoreStopsTheHost() throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel end = open(server, 5)) {
            driver.send(Packet.of(5, PORT, VsockPacket.OP_SHUTDOWN).withFlags(VsockPacket.SHUTDOWN_RECEIVE));
            assertThatThrownBy(() -> write(end, "x")).isInstanceOf(IOException.class);
            driver.send(Packet.of(5, PORT, VsockPacket.OP_RW, "y".getBytes(StandardCharsets.UTF_8)));
            assertThat(readText(end, 1)).isEqualTo("y");
        }
        await().until(() -> driver.next(VsockPacket.OP_SHUTDOWN).flags() == VsockPacket.SHUTDOWN_BOTH);
    }

    /** A guest that has written, closed, and does not care any more: what it sent arrives. */
    @Test
    void whatWasSentArrivesAfterTheGuestsEnd() throws Exception {
        drive();
        byte[] sent = new byte[Connection.BUFFER_BYTES];
        new Random(3).nextBytes(sent);
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel end = open(server, 6)) {
            sendAll(6, sent);
            driver.send(Packet.of(6, PORT, VsockPacket.OP_SHUTDOWN).withFlags(VsockPacket.SHUTDOWN_BOTH));
            awaitOp(VsockPacket.OP_RST);
            driver.send(Packet.of(6, PORT, VsockPacket.OP_RW, sent[0]));
            driver.next(VsockPacket.OP_RST);
            assertThat(read(end, sent.length + 1)).isEqualTo(sent);
        }
    }

    private void sendAll(int guestPort, byte[] sent) throws Exception {
        int piece = 64 << 10;
        for (int at = 0; at < sent.length; at += piece) {
            driver.send(Packet.of(guestPort, PORT, VsockPacket.OP_RW, Arrays.copyOfRange(sent, at, at + piece)));
        }
    }

    private Packet awaitOp(int op) throws Exception {
        Packet packet = driver.next();
        while (packet.op() != op) {
            packet = driver.next();
        }
        return packet;
    }

    @Test
    void aResetEndsBothSides() throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel first = open(server, 6);
                SocketChannel second = open(server, 7)) {
            driver.send(Packet.of(6, PORT, VsockPacket.OP_RST));
            assertThat(first.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            write(second, "fine");
            assertThat(driver.next(VsockPacket.OP_RW).dstPort()).isEqualTo(7);
            // A second request of the same ports is not in order.
            driver.send(Packet.of(7, PORT, VsockPacket.OP_REQUEST));
            assertThat(driver.next(VsockPacket.OP_RST).dstPort()).isEqualTo(7);
            assertThat(second.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            device.reset();
            driver.start(Feature.VERSION_1);
            try (SocketChannel third = open(server, 8)) {
                device.reset();
                assertThat(third.read(ByteBuffer.allocate(1)))
                        .as("a driver's reset")
                        .isEqualTo(-1);
            }
        }
    }

    // ---- credit ----

    @Test
    void aGuestGetsNoMoreThanItHasRoomFor() throws Exception {
        drive();
        byte[] sent = new byte[20_000];
        new Random(4).nextBytes(sent);
        try (ServerSocketChannel server = listen(PORT)) {
            driver.send(Packet.of(5, PORT, VsockPacket.OP_REQUEST).withCredit(5000, 0));
            driver.next(VsockPacket.OP_RESPONSE);
            try (SocketChannel end = server.accept()) {
                write(end, sent);
                ByteBuffer got = ByteBuffer.allocate(sent.length);
                for (int room = 5000; room <= sent.length; room += 5000) {
                    while (got.position() < room) {
                        got.put(driver.next(VsockPacket.OP_RW).data().toArray());
                    }
                    assertThat(got.position()).isEqualTo(room);
                    if (room < sent.length) {
                        driver.next(VsockPacket.OP_CREDIT_REQUEST);
                        // Numbers of no sense give no room.
                        driver.send(
                                Packet.of(5, PORT, VsockPacket.OP_CREDIT_UPDATE).withCredit(5000, room + 1));
                        driver.send(
                                Packet.of(5, PORT, VsockPacket.OP_CREDIT_UPDATE).withCredit(0, room));
                        driver.send(
                                Packet.of(5, PORT, VsockPacket.OP_CREDIT_UPDATE).withCredit(5000, room));
                    }
                }
                assertThat(got.array()).isEqualTo(sent);
            }
        }
    }

    @Test
    void aProgramThatDoesNotReadHoldsTheGuestUpAndNobodyElse() throws Exception {
        drive();
        byte[] sent = new byte[64 << 10];
        new Random(5).nextBytes(sent);
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel slow = open(server, 5);
                SocketChannel quick = open(server, 6)) {
            long count = 0;
            int room = Connection.BUFFER_BYTES;
            while (room >= sent.length) {
                driver.send(Packet.of(5, PORT, VsockPacket.OP_RW, sent));
                count += sent.length;
                driver.send(Packet.of(5, PORT, VsockPacket.OP_CREDIT_REQUEST));
                Packet update = awaitOp(VsockPacket.OP_CREDIT_UPDATE);
                room = update.bufAlloc() - ((int) count - update.fwdCnt());
            }
            driver.send(Packet.of(6, PORT, VsockPacket.OP_RW, sent));
            assertThat(read(quick, sent.length)).isEqualTo(sent);
            for (long done = 0; done < count; done += sent.length) {
                assertThat(read(slow, sent.length)).isEqualTo(sent);
            }
            Packet update = awaitOp(VsockPacket.OP_CREDIT_UPDATE);
            assertThat(update.dstPort()).isEqualTo(5);
            assertThat((int) count - update.fwdCnt()).isLessThan(Connection.BUFFER_BYTES);
            assertThat(device.counters().overCredit.sum()).isZero();
        }
    }

    @Test
    void aGuestThatSendsMoreThanItMayIsReset() throws Exception {
        drive();
        byte[] sent = new byte[64 << 10];
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel slow = open(server, 5)) {
            await().pollDelay(Duration.ZERO).until(() -> {
                driver.send(Packet.of(5, PORT, VsockPacket.OP_RW, sent));
                return device.counters().overCredit.sum() > 0;
            });
            awaitOp(VsockPacket.OP_RST);
            int count = 0;
            while (read(slow, sent.length).length == sent.length) {
                count++;
            }
            assertThat(count).isPositive();
        }
    }

    // ---- packets of no sense ----

    @ParameterizedTest
    @CsvSource({"1", "0", "8", "65535"})
    void answersWhatItDoesNotKnowByReset(int op) throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel end = open(server, 5)) {
            driver.send(Packet.of(5, PORT, op));
            driver.next(VsockPacket.OP_RST);
            assertThat(end.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void answersNoResetAndNobodyElsesPackets() throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT)) {
            driver.send(Packet.of(5, PORT, VsockPacket.OP_RST));
            driver.send(Packet.of(5, PORT, VsockPacket.OP_REQUEST).withCids(4, VsockPacket.CID_HOST));
            assertThat(device.counters().malformed.sum()).isEqualTo(1);
            // Neither a sequence of packets nor another machine.
            driver.send(Packet.of(5, PORT, VsockPacket.OP_REQUEST).withType(2));
            Packet answer = driver.next();
            assertThat(answer.op()).isEqualTo(VsockPacket.OP_RST);
            assertThat(answer.type()).isEqualTo(2);
            driver.send(Packet.of(5, PORT, VsockPacket.OP_REQUEST).withCids(VsockDriver.CID, 7));
            assertThat(driver.next(VsockPacket.OP_RST).srcCid()).isEqualTo(7);
            // More data than there is.
            byte[] bytes = Packet.of(5, PORT, VsockPacket.OP_RW).bytes();
            bytes[VsockPacket.LEN_OFFSET] = 1;
            driver.send(bytes);
            driver.next(VsockPacket.OP_RST);
            assertThat(device.counters().malformed.sum()).isEqualTo(3);
            assertThat(device.statistics().total().failedRequests()).isEqualTo(3);
            try (SocketChannel end = open(server, 5)) {
                assertThat(end.isConnected()).isTrue();
            }
        }
    }

    /** The guest does not take the answers: then its packets wait, and no memory grows. */
    @Test
    void keepsOnlySoManyAnswers() throws Exception {
        drive();
        byte[] packet = Packet.of(5, PORT, VsockPacket.OP_RW).bytes();
        List<Integer> ops = new ArrayList<>();
        int taken = 0;
        driver.put(packet);
        while (isTakenLater()) {
            driver.awaitTaken();
            taken++;
            driver.put(packet);
        }
        assertThat(taken).isGreaterThanOrEqualTo(PendingResets.CAPACITY).isLessThan(2 * PendingResets.CAPACITY);
        for (int i = 0; i <= taken; i++) {
            ops.add(driver.next(VsockPacket.OP_RST).op());
        }
        driver.awaitTaken();
        assertThat(ops).hasSize(taken + 1);
        assertThat(driver.poll()).isNull();
    }

    /** Whether the packet is taken after all, in a time that is long for a device that is awake. */
    private boolean isTakenLater() throws InterruptedException {
        for (int i = 0; i < 200 && !driver.isTaken(); i++) {
            Thread.sleep(1);
        }
        return driver.isTaken();
    }
}
