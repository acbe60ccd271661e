package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Several cards at one switch, and one at another. */
class SwitchTest {
    private static final int ROOM = 4096;

    private final long descriptors = Fd.openCount();
    private final long mappings = Mapping.openCount();
    private final NetType type = new NetType();
    private final List<Card> cards = new ArrayList<>();
    private EventLoopGroup loops;

    /** A device and its driver; one receive buffer after the other. */
    private final class Card implements AutoCloseable {
        final NetDevice device;
        final Guest guest;

        Card(String name, String lan) throws Exception {
            device = (NetDevice) type.create(name, Map.of("switch", lan), loops);
            guest = new Guest(device, 1 << 20, 64, 0);
            guest.start(Feature.VERSION_1 | NetConfig.F_MRG_RXBUF);
            post();
            cards.add(this);
        }

        private void post() {
            assertThat(guest.queue(0).add(new long[] {Guest.BASE + guest.dataOffset()}, new int[] {ROOM}, 0, 1, 1))
                    .isTrue();
            guest.publish(0);
        }

        void send(byte[] bytes) throws Exception {
            long at = guest.dataOffset() + ROOM;
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, guest.memory(), at, bytes.length);
            DriverQueue queue = guest.queue(1);
            assertThat(queue.add(new long[] {Guest.BASE + at}, new int[] {bytes.length}, 1, 0, 1))
                    .isTrue();
            guest.publish(1);
            await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(1)).until(queue::poll);
        }

        byte[] receive() {
            DriverQueue queue = guest.queue(0);
            await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(1)).until(queue::poll);
            byte[] got = guest.memory()
                    .asSlice(guest.dataOffset(), queue.writtenBytes())
                    .toArray(ValueLayout.JAVA_BYTE);
            post();
            return NetPair.frameOf(got);
        }

        boolean hasReceived() {
            return guest.queue(0).hasUsed();
        }

        @Override
        public void close() throws IOException {
            device.reset();
            guest.close();
            device.close();
        }
    }

    @BeforeEach
    void startLoops() throws Exception {
        loops = new EventLoopGroup(2);
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        for (Card card : cards) {
            card.close();
        }
        loops.close();
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    private static byte[] frame(long destination, long source) {
        return Frames.plain(new Random(source), destination, source, 100);
    }

    @Test
    void floodsUntilItHasLearnedAndLearnsAgainWhenAnAddressMoves() throws Exception {
        Card a = new Card("a", "lan");
        Card b = new Card("b", "lan");
        Card c = new Card("c", "lan");
        Card elsewhere = new Card("d", "other");
        byte[] unknown = frame(Frames.MAC_B, Frames.MAC_A);
        a.send(unknown);
        assertThat(b.receive()).isEqualTo(NetPair.frameOf(unknown));
        assertThat(c.receive()).isEqualTo(NetPair.frameOf(unknown));

        byte[] answer = frame(Frames.MAC_A, Frames.MAC_B);
        b.send(answer);
        assertThat(a.receive()).isEqualTo(NetPair.frameOf(answer));
        a.send(unknown);
        assertThat(b.receive()).isEqualTo(NetPair.frameOf(unknown));

        // The second machine is at the third card now, which says so itself or has it said.
        c.device.announce(Frames.MAC_B);
        byte[] announced = a.receive();
        assertThat(announced)
                .hasSize(60)
                .startsWith(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 0x0b, 0x80, 0x35);
        assertThat(b.receive()).isEqualTo(announced);
        a.send(unknown);
        assertThat(c.receive()).isEqualTo(NetPair.frameOf(unknown));
        assertThat(b.hasReceived()).isFalse();
        assertThat(a.hasReceived()).isFalse();
        assertThat(elsewhere.hasReceived()).isFalse();
    }

    @Test
    void groupsReachAllAndWhatBridgesKeepReachesNobody() throws Exception {
        Card a = new Card("a", "lan");
        Card b = new Card("b", "lan");
        Card c = new Card("c", "lan");
        a.send(frame(0x0180_c200_0000L, Frames.MAC_A));
        a.send(frame(Frames.MAC_B, 0x0100_0000_0001L));
        a.send(frame(Frames.MAC_A, Frames.MAC_A));
        for (long group : new long[] {ReceiveFilter.BROADCAST, 0x0100_5e00_0001L}) {
            byte[] sent = frame(group, Frames.MAC_A);
            a.send(sent);
            assertThat(b.receive()).isEqualTo(NetPair.frameOf(sent));
            assertThat(c.receive()).isEqualTo(NetPair.frameOf(sent));
        }
        assertThat(a.device.drops().filtered()).isEqualTo(2);
        assertThat(a.device.drops().malformed()).isEqualTo(1);
    }

    @Test
    void aCardThatGoesIsForgottenAndItsPlaceIsUsedAgain() throws Exception {
        Card a = new Card("a", "lan");
        Card b = new Card("b", "lan");
        b.send(frame(Frames.MAC_A, Frames.MAC_B));
        var _ = a.receive();
        cards.remove(b);
        b.close();
        Card c = new Card("c", "lan");
        byte[] sent = frame(Frames.MAC_B, Frames.MAC_A);
        a.send(sent);
        assertThat(c.receive()).isEqualTo(NetPair.frameOf(sent));
    }

    /** Cards come and go while others send to all. */
    @Test
    void cardsComeAndGoUnderLoad() throws Exception {
        Card a = new Card("a", "lan");
        Card b = new Card("b", "lan");
        Thread changing = Thread.ofPlatform().start(() -> {
            for (int i = 0; i < 100; i++) {
                try (VdpaDevice device = type.create("x" + i, Map.of("switch", "lan", "queues", "2"), loops);
                        Guest guest = new Guest(device, 1 << 21, 64, 0)) {
                    guest.start(Feature.VERSION_1);
                    device.reset();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        int sent = 0;
        while (changing.isAlive()) {
            a.send(frame(ReceiveFilter.BROADCAST, Frames.MAC_A));
            assertThat(b.receive()).hasSize(100);
            sent++;
        }
        assertThat(sent).isPositive();
        assertThat(b.device.statistics().total().requests()).isEqualTo(sent);
    }

    @Test
    void linkAndRateChangeWhileTheDeviceIsThere() throws Exception {
        Card a = new Card("a", "lan");
        Card b = new Card("b", "lan");
        type.change(b.device, Map.of("link", "down"), false);
        a.send(frame(Frames.MAC_B, Frames.MAC_A));
        assertThat(b.device.drops().linkDown()).isEqualTo(1);
        // A burst goes at once; then frames wait for the next and are not lost.
        type.change(b.device, Map.of("link", "up", "rate-mbps", "100"), false);
        byte[] sent = Frames.plain(new Random(1), Frames.MAC_B, Frames.MAC_A, 3000);
        for (int i = 0; i < 200; i++) {
            a.send(sent);
            assertThat(b.receive()).isEqualTo(NetPair.frameOf(sent));
        }
        for (Map<String, String> wrong :
                List.of(Map.of("link", "yes"), Map.of("rate-mbps", "-1"), Map.of("mac", "52:54:00:00:00:01"))) {
            assertThatThrownBy(() -> type.change(b.device, wrong, false))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(wrong.keySet().iterator().next());
        }
        assertThat(b.device.isLinkUp()).isTrue();
    }

    @Test
    void attributesAreReadAndWrongOnesRefused() throws Exception {
        NetSettings settings = NetSettings.of(Map.of(
                "switch",
                "lan",
                "mac",
                "52:54:00:AB:cd:01",
                "queues",
                "4",
                "mtu",
                "9000",
                "link",
                "down",
                "rate-mbps",
                "100"));
        assertThat(settings.mac()).isEqualTo(0x5254_00ab_cd01L);
        assertThat(settings.queuePairs()).isEqualTo(4);
        assertThat(settings.linkUp()).isFalse();
        assertThat(settings.deviceState()).isTrue();
        for (Map.Entry<String, String> wrong : Map.of(
                        "mac",
                        "01:00:00:00:00:00",
                        "queues",
                        "65",
                        "mtu",
                        "67",
                        "link",
                        "yes",
                        "rate-mbps",
                        "-1",
                        "device-state",
                        "none",
                        "colour",
                        "red")
                .entrySet()) {
            assertThatThrownBy(() -> NetSettings.of(Map.of("switch", "lan", wrong.getKey(), wrong.getValue())))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith(wrong.getKey());
        }
        assertThatThrownBy(() -> NetSettings.of(Map.of())).hasMessageContainingAll("switch", "tap");
        assertThatThrownBy(() -> NetSettings.of(Map.of("switch", "lan", "tap", "tap0")))
                .hasMessageContainingAll("switch", "tap");
    }
}
