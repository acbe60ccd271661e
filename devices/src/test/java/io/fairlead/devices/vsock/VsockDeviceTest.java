package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.vsock.VsockDriver.Packet;
import io.fairlead.linux.Fd;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.VsockPacket;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How connections begin, and what becomes of them when machines stop and move. */
@Timeout(60)
class VsockDeviceTest extends VsockFixture {
    // ---- connections ----

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aProgramOfTheHostReachesTheGuest(boolean packed) throws Exception {
        device(Map.of(), Connections.HALF_OPEN);
        drive(Feature.VERSION_1 | (packed ? Feature.RING_PACKED : 0));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
                .isEqualTo("rw-------");
        // What follows the line at once is the stream's.
        try (SocketChannel client = connect("CONNECT 77\nhello")) {
            Packet request = accept(client);
            assertThat(request.dstPort()).isEqualTo(77);
            assertThat(request.srcCid()).isEqualTo(VsockPacket.CID_HOST);
            assertThat(driver.next(VsockPacket.OP_RW).text()).isEqualTo("hello");
            driver.send(request.answer(VsockPacket.OP_RW, "welcome".getBytes(StandardCharsets.UTF_8)));
            assertThat(readText(client, 7)).isEqualTo("welcome");
            write(client, "again");
            assertThat(driver.next(VsockPacket.OP_RW).text()).isEqualTo("again");
        }
        Packet end = driver.next(VsockPacket.OP_SHUTDOWN);
        assertThat(end.flags()).isNotZero();
        while (end.flags() != VsockPacket.SHUTDOWN_BOTH) {
            end = driver.next(VsockPacket.OP_SHUTDOWN);
        }
        driver.send(end.answer(VsockPacket.OP_RST));
        assertThat(device.counters().opened.sum()).isEqualTo(1);
        assertThat(device.statistics().total().readBytes()).isEqualTo(10);
        assertThat(device.statistics().total().writtenBytes()).isEqualTo(7);
    }

    @Test
    void aGuestReachesAProgramOfTheHost() throws Exception {
        drive();
        // A port above all that are signed.
        int port = -2;
        driver.send(Packet.of(50, port, VsockPacket.OP_REQUEST));
        Packet refused = driver.next(VsockPacket.OP_RST);
        assertThat(refused.srcPort()).isEqualTo(port);
        assertThat(refused.dstPort()).isEqualTo(50);
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel end = open(server, 50)) {
            driver.send(Packet.of(50, PORT, VsockPacket.OP_RW, "ping".getBytes(StandardCharsets.UTF_8)));
            assertThat(readText(end, 4)).isEqualTo("ping");
            write(end, "pong");
            assertThat(driver.next(VsockPacket.OP_RW).text()).isEqualTo("pong");
            driver.send(Packet.of(50, PORT, VsockPacket.OP_SHUTDOWN).withFlags(VsockPacket.SHUTDOWN_BOTH));
            driver.next(VsockPacket.OP_RST);
            assertThat(end.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
        assertThat(device.counters().refused.sum()).isEqualTo(1);
        try (ServerSocketChannel server = listen(port)) {
            driver.send(Packet.of(50, port, VsockPacket.OP_REQUEST));
            driver.next(VsockPacket.OP_RESPONSE);
            server.accept().close();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"HELLO 1\n", "CONNECT \n", "CONNECT 4294967295\n", "CONNECT 1x\n", "CONNECT 12345678901", "\n"})
    void turnsAwayWhoeverDoesNotSayWhereto(String greeting) throws Exception {
        drive();
        try (SocketChannel client = connect(greeting)) {
            assertEnds(client);
        }
        assertThat(driver.poll()).isNull();
        assertThat(device.counters().refused.sum()).isEqualTo(1);
    }

    @Test
    void aLineMayComeInPieces() throws Exception {
        drive();
        try (SocketChannel client = connect("CON")) {
            write(client, "NECT 4294967294");
            write(client, "\n");
            assertThat(accept(client).dstPort()).isEqualTo(-2);
        }
    }

    @Test
    void aGuestThatDoesNotListenTurnsAway() throws Exception {
        drive();
        try (SocketChannel client = connect("CONNECT 1\n")) {
            driver.send(driver.next(VsockPacket.OP_REQUEST).answer(VsockPacket.OP_RST));
            assertThat(client.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
        assertThat(device.counters().opened.sum()).isZero();
    }

    @Test
    void aProgramThatGoesBeforeItIsConnectedIsNotWaitedFor() throws Exception {
        drive();
        Packet request;
        try (SocketChannel _ = connect("CONNECT 1\n")) {
            request = driver.next(VsockPacket.OP_REQUEST);
        }
        assertThat(driver.next(VsockPacket.OP_RST).srcPort()).isEqualTo(request.srcPort());
        driver.send(request.answer(VsockPacket.OP_RESPONSE));
        driver.next(VsockPacket.OP_RST);
        assertThat(device.counters().opened.sum()).isZero();
    }

    @Test
    void halfOpenConnectionsEndAfterAWhile() throws Exception {
        device(Map.of(), Duration.ofMillis(100));
        try (SocketChannel silent = connect("CONN");
                SocketChannel early = connect("CONNECT 2\n")) {
            assertEnds(silent);
            // Nobody drives the device.
            assertEnds(early);
        }
        drive(Feature.VERSION_1);
        try (SocketChannel client = connect("CONNECT 3\n")) {
            Packet request = driver.next(VsockPacket.OP_REQUEST);
            assertThat(client.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            assertThat(driver.next(VsockPacket.OP_RST).dstPort()).isEqualTo(3);
            driver.send(request.answer(VsockPacket.OP_RESPONSE));
            driver.next(VsockPacket.OP_RST);
        }
        // A guest that does not end what the host has ended.
        try (ServerSocketChannel server = listen(PORT)) {
            open(server, 9).close();
            while (driver.next(VsockPacket.OP_SHUTDOWN).flags() != VsockPacket.SHUTDOWN_BOTH) {
                // It may be told in two steps.
            }
            driver.next(VsockPacket.OP_RST);
        }
        assertThat(device.counters().timedOut.sum()).isEqualTo(4);
    }

    @Test
    void thereAreOnlySoMany() throws Exception {
        device(Map.of("connections", "2"), Connections.HALF_OPEN);
        drive(Feature.VERSION_1);
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel _ = open(server, 1);
                SocketChannel silent = connect("")) {
            await().untilAsserted(() -> {
                try (SocketChannel third = connect("")) {
                    assertEnds(third);
                }
            });
            driver.send(Packet.of(2, PORT, VsockPacket.OP_REQUEST));
            driver.next(VsockPacket.OP_RST);
            silent.shutdownOutput();
            await().untilAsserted(() -> {
                driver.send(Packet.of(2, PORT, VsockPacket.OP_REQUEST));
                assertThat(driver.next().op()).isEqualTo(VsockPacket.OP_RESPONSE);
            });
            server.accept().close();
        }
    }

    // ---- stops and moves ----

    /** A machine stands still and goes on: QEMU stops the rings, and may say no more than that the status is 0. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsStayWhileTheMachineStandsStill(boolean statusTold) throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel end = open(server, 5)) {
            List<QueueState> states = new ArrayList<>();
            for (int i = 0; i < device.queueCount(); i++) {
                device.queueReady(i, false);
                states.add(device.queueState(i));
            }
            write(end, "meanwhile");
            if (statusTold) {
                device.resetOrRestart();
                device.driverFeatures(Feature.VERSION_1);
            }
            for (int i = 0; i < device.queueCount(); i++) {
                driver.guest().connect(device, i);
                device.queueState(i, states.get(i));
                device.queueReady(i, true);
            }
            assertThat(driver.next(VsockPacket.OP_RW).text()).isEqualTo("meanwhile");
            driver.send(Packet.of(5, PORT, VsockPacket.OP_RW, (byte) 'x'));
            assertThat(readText(end, 1)).isEqualTo("x");
            assertThat(driver.hasEvent()).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aDriverThatGoesOnElsewhereIsToldThatItsConnectionsAreGone(boolean packed) throws Exception {
        device(Map.of(), Connections.HALF_OPEN);
        drive(Feature.VERSION_1 | (packed ? Feature.RING_PACKED : 0));
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel _ = open(server, 5);
                VsockDevice other = VsockDevice.create(
                        "vsock1",
                        VsockSettings.of(Map.of(
                                "cid", "3", "path", folder.resolve("w.sock").toString())),
                        loops)) {
            assertThat(driver.hasEvent()).isFalse();
            driver.guest().attach(other);
            other.driverFeatures(device.driverFeatures());
            for (int i = 0; i < 3; i++) {
                device.queueReady(i, false);
                driver.guest().connect(other, i);
                other.queueState(i, device.queueState(i));
                other.queueReady(i, true);
            }
            await().until(driver::hasEvent);
            driver.send(Packet.of(5, PORT, VsockPacket.OP_RW, (byte) 1));
            driver.next(VsockPacket.OP_RST);
        }
    }

    /** A driver that begins anew although nobody said that the old one has gone. */
    @Test
    void aNewDriverFindsNoneButThoseThatNobodyWasToldOf() throws Exception {
        drive();
        try (ServerSocketChannel server = listen(PORT);
                SocketChannel old = open(server, 5)) {
            for (int i = 0; i < 3; i++) {
                device.queueReady(i, false);
            }
            device.restart();
            try (SocketChannel client = connect("CONNECT 8\n")) {
                await().until(() -> Fd.openCount() >= descriptors + 3);
                driver.start(Feature.VERSION_1);
                assertThat(old.read(ByteBuffer.allocate(1))).isEqualTo(-1);
                List<Integer> ops = new ArrayList<>(
                        List.of(driver.next().op(), driver.next().op()));
                assertThat(ops).containsExactlyInAnyOrder(VsockPacket.OP_RST, VsockPacket.OP_REQUEST);
                assertThat(client.isConnected()).isTrue();
            }
        }
    }

    // ---- settings ----

    @Test
    void saysWhatItNeeds() throws Exception {
        Map<String, String> least = Map.of("cid", "3", "path", "/run/v");
        assertThat(VsockSettings.of(least).connections()).isPositive();
        assertThatThrownBy(() -> VsockSettings.of(Map.of("path", "/run/v"))).hasMessageContaining("cid=3");
        assertThatThrownBy(() -> VsockSettings.of(Map.of("cid", "3"))).hasMessageContaining("path=");
        for (String cid : List.of("2", "4294967295", "0", "-1")) {
            assertThatThrownBy(() -> VsockSettings.of(Map.of("cid", cid, "path", "/run/v")))
                    .hasMessageContaining("cid");
        }
        assertThatThrownBy(() -> VsockSettings.of(Map.of("cid", "3", "path", "x".repeat(97))))
                .hasMessageContaining("97 bytes");
        assertThatThrownBy(() -> VsockSettings.of(Map.of("cid", "3", "path", "v", "connections", "0")))
                .hasMessageContaining("1..4096");
        assertThatThrownBy(() -> VsockSettings.of(Map.of("colour", "red"))).hasMessageContainingAll("colour", "cid");
        device(Map.of("queue-size", "32"), Connections.HALF_OPEN);
        DeviceProfile profile = DeviceProfile.of(device);
        assertThat(device.identity()).containsEntry("cid", "3");
        Map<String, String> like = new HashMap<>(new VsockType().attributesLike(profile));
        assertThat(like).containsEntry("cid", "3");
        like.put("path", folder.resolve("like.sock").toString());
        try (VdpaDevice other = new VsockType().create("vsock1", like, loops)) {
            DeviceProfile same = DeviceProfile.of(other);
            assertThat(same.config()).isEqualTo(profile.config());
            assertThat(same.deviceFeatures()).isEqualTo(profile.deviceFeatures());
            assertThat(same.queues()).isEqualTo(profile.queues());
        }
    }
}
