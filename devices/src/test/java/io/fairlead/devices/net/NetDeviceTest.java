package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.base.HostileRequests;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetHeader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class NetDeviceTest {
    private static final long SEND_ALL = NetConfig.F_CSUM
            | NetConfig.F_HOST_TSO4
            | NetConfig.F_HOST_TSO6
            | NetConfig.F_HOST_ECN
            | NetConfig.F_HOST_USO;
    private static final long TAKE_ALL = NetConfig.F_GUEST_CSUM
            | NetConfig.F_GUEST_TSO4
            | NetConfig.F_GUEST_TSO6
            | NetConfig.F_GUEST_ECN
            | NetConfig.F_GUEST_USO4
            | NetConfig.F_GUEST_USO6;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void framesOfAnySizeReachBuffersOfAnySize(boolean packed) throws Exception {
        long ring = packed ? Feature.RING_PACKED : 0;
        for (long seed = 1; seed <= 3; seed++) {
            Random random = new Random(seed);
            try (NetPair pair = new NetPair(ring, ring | NetConfig.F_MRG_RXBUF, Map.of())) {
                for (int i = 0; i < 200; i++) {
                    int bytes = 14 + random.nextInt(random.nextInt(10) == 0 ? 60_000 : 3000);
                    byte[] sent = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, bytes);
                    int room = 0;
                    int buffers = 0;
                    while (room < sent.length) {
                        int first = 12 + random.nextInt(2000);
                        int second = 1 + random.nextInt(1000);
                        pair.post(first, second);
                        room += first + second;
                        buffers++;
                    }
                    pair.send(sent, 1 + random.nextInt(30), 1 + random.nextInt(100), 1 + random.nextInt(2000));
                    byte[] got = pair.receive();
                    assertThat(NetPair.frameOf(got)).isEqualTo(NetPair.frameOf(sent));
                    assertThat(Arrays.copyOf(got, Frames.HEADER))
                            .as("seed %d, frame %d", seed, i)
                            .containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, buffers, buffers >> 8);
                    pair.reuseMemory();
                }
                assertThat(pair.receiver.drops().total()).isZero();
                assertThat(pair.sender.statistics().total().requests()).isEqualTo(200);
            }
        }
    }

    @Test
    void withoutMergeableBuffersAFrameTakesOneAndAnotherIsDropped() throws Exception {
        try (NetPair pair = new NetPair(0, 0, Map.of())) {
            Random random = new Random(7);
            pair.post(12 + 60);
            pair.send(Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 61));
            await().until(() -> pair.receiver.drops().tooLong() == 1);
            byte[] sent = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 60);
            pair.send(sent);
            byte[] got = pair.receive();
            assertThat(NetPair.frameOf(got)).isEqualTo(NetPair.frameOf(sent));
            assertThat(got[10]).isEqualTo((byte) 1);
        }
    }

    @Test
    void aBufferTakenInVainGoesBackWhenTheQueueStops() throws Exception {
        for (long ring : new long[] {0, Feature.RING_PACKED}) {
            try (NetPair pair = new NetPair(ring, ring | NetConfig.F_MRG_RXBUF, Map.of())) {
                Random random = new Random(8);
                pair.post(500);
                pair.post(500);
                byte[] sent = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 1200);
                pair.send(sent);
                VdpaDevice device = pair.receiver;
                device.suspend();
                assertThat(device.inflightRequests(0).isEmpty()).isTrue();
                device.resume();
                assertThat(pair.to.queue(0).poll()).isFalse();
                byte[] next = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 900);
                pair.send(next);
                assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(next));
            }
        }
    }

    static Stream<Frames.Packet> packets() {
        return Stream.of(false, true)
                .flatMap(ipv6 -> Stream.of(false, true)
                        .flatMap(udp -> Stream.of(false, true)
                                .map(vlan -> new Frames.Packet(ipv6, udp, vlan, udp ? 0 : 12, 4001))));
    }

    @ParameterizedTest
    @MethodSource("packets")
    void aChecksumIsPassedOnOrComputed(Frames.Packet packet) throws Exception {
        byte[] sent = packet.build(new Random(1), 0, 0);
        try (NetPair pair = new NetPair(SEND_ALL, NetConfig.F_GUEST_CSUM, Map.of())) {
            pair.post(12 + 9000);
            pair.send(sent);
            byte[] got = pair.receive();
            assertThat(NetPair.frameOf(got)).isEqualTo(NetPair.frameOf(sent));
            assertThat(got[0]).isEqualTo((byte) NetHeader.F_NEEDS_CSUM);
        }
        try (NetPair pair = new NetPair(SEND_ALL, 0, Map.of())) {
            pair.post(12 + 9000);
            pair.send(sent);
            byte[] got = pair.receive();
            assertThat(got[0]).isZero();
            assertThat(Frames.hasRightChecksums(NetPair.frameOf(got), packet)).isTrue();
            assertThat(Frames.hasRightChecksums(NetPair.frameOf(sent), packet))
                    .as("the check can fail")
                    .isFalse();
        }
    }

    @ParameterizedTest
    @MethodSource("packets")
    void aLongPacketIsPassedOnOrCut(Frames.Packet packet) throws Exception {
        int segmentBytes = 1400;
        byte[] sent = packet.build(new Random(2), packet.gsoType(), segmentBytes);
        byte[] payload = Arrays.copyOfRange(NetPair.frameOf(sent), packet.headers(), packet.headers() + 4001);
        try (NetPair pair = new NetPair(SEND_ALL, TAKE_ALL | NetConfig.F_MRG_RXBUF, Map.of())) {
            for (int i = 0; i < 5; i++) {
                pair.post(1500);
            }
            pair.send(sent);
            byte[] got = pair.receive();
            assertThat(NetPair.frameOf(got)).isEqualTo(NetPair.frameOf(sent));
            assertThat(got[1]).isEqualTo((byte) packet.gsoType());
            assertThat(((got[5] & 0xff) << 8) | (got[4] & 0xff)).isEqualTo(segmentBytes);
        }
        try (NetPair pair = new NetPair(SEND_ALL, NetConfig.F_GUEST_CSUM, Map.of())) {
            byte[] joined = new byte[0];
            int count = 0;
            for (int i = 0; i < 3; i++) {
                pair.post(12 + 1600);
            }
            pair.send(sent);
            while (joined.length < payload.length) {
                byte[] got = pair.receive();
                byte[] frame = NetPair.frameOf(got);
                assertThat(Frames.hasRightChecksums(frame, packet)).isTrue();
                assertThat(Arrays.copyOf(got, 10)).containsOnly(0);
                int more = frame.length - packet.headers();
                assertThat(more).isEqualTo(Math.min(segmentBytes, payload.length - joined.length));
                if (!packet.udp()) {
                    checkTcp(frame, packet, joined.length, count, joined.length + more == payload.length);
                }
                if (!packet.ipv6()) {
                    int id = packet.transport() - 16;
                    assertThat(((frame[id] & 0xff) << 8) | (frame[id + 1] & 0xff))
                            .isEqualTo((0xfffe + count) & 0xffff);
                }
                joined = Arrays.copyOf(joined, joined.length + more);
                System.arraycopy(frame, packet.headers(), joined, joined.length - more, more);
                count++;
            }
            assertThat(joined).isEqualTo(payload);
            assertThat(count).isEqualTo(3);
        }
    }

    private static void checkTcp(byte[] frame, Frames.Packet packet, int before, int index, boolean last) {
        int at = packet.transport();
        int sequence = ByteBuffer.wrap(frame).getInt(at + 4);
        assertThat(sequence).isEqualTo(0xffff_ff00 + before);
        int flags = 0x10 | (last ? 0x09 : 0) | (index == 0 ? 0x80 : 0);
        assertThat(frame[at + 13] & 0xff).isEqualTo(flags);
    }

    @Test
    void headersThatContradictThemselvesAreDropped() throws Exception {
        Frames.Packet tcp = new Frames.Packet(false, false, false, 0, 3000);
        byte[] good = tcp.build(new Random(3), NetHeader.GSO_TCPV4, 1000);
        List<int[]> changes = List.of(
                new int[] {1, 4}, // TCP over IPv6, and it is not
                new int[] {1, 5}, // UDP, and it is not
                new int[] {1, 3}, // UFO, which nobody negotiated
                new int[] {1, 77},
                new int[] {0, 0}, // to be cut without a checksum
                new int[] {6, 33}, // a checksum from somewhere else
                new int[] {8, 6},
                new int[] {7, 255}, // beyond the end
                new int[] {12 + 14, 0x4f}, // options that are not there
                new int[] {12 + 14 + 6, 0x20}); // a fragment
        try (NetPair pair = new NetPair(SEND_ALL, TAKE_ALL | NetConfig.F_MRG_RXBUF, Map.of())) {
            pair.post(8000);
            for (int[] change : changes) {
                byte[] bad = good.clone();
                bad[change[0]] = (byte) change[1];
                pair.send(bad);
            }
            assertThat(pair.sender.drops().malformed()).isEqualTo(changes.size());
            assertThat(pair.sender.statistics().total().failedRequests()).isEqualTo(changes.size());
            pair.send(good);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(good));
        }
        try (NetPair pair = new NetPair(NetConfig.F_CSUM, TAKE_ALL | NetConfig.F_MRG_RXBUF, Map.of())) {
            pair.send(good);
            assertThat(pair.sender.drops().malformed()).isEqualTo(1);
        }
    }

    @Test
    void longerThanTheMtuIsDropped() throws Exception {
        try (NetPair pair = new NetPair(SEND_ALL, NetConfig.F_MTU | NetConfig.F_MRG_RXBUF, Map.of("mtu", "1000"))) {
            Random random = new Random(4);
            pair.post(4000);
            pair.send(Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 1015));
            pair.send(new Frames.Packet(false, false, false, 0, 3000).build(random, NetHeader.GSO_TCPV4, 961));
            byte[] fits = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 1014);
            pair.send(fits);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(fits));
            assertThat(pair.receiver.drops().tooLong()).isEqualTo(2);
        }
    }

    @Test
    void theMtuChangesAtOnceAndTheDriverIsToldAtItsNextStart() throws Exception {
        try (NetPair pair = new NetPair(SEND_ALL, NetConfig.F_MTU | NetConfig.F_MRG_RXBUF, Map.of("mtu", "1000"))) {
            Random random = new Random(9);
            new NetType().change(pair.receiver, Map.of("mtu", "2000"), false);
            pair.post(4000);
            byte[] longer = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 2014);
            pair.send(longer);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(longer));
            assertThat(shownMtu(pair.receiver)).isEqualTo(1000);
            pair.receiver.reset();
            assertThat(shownMtu(pair.receiver)).isEqualTo(2000);
            assertThat(pair.receiver.typeCounters())
                    .containsEntry("droppedTooLong", 0L)
                    .hasSize(5);
        }
    }

    private static int shownMtu(VdpaDevice device) throws IOException {
        byte[] bytes = new byte[NetConfig.BYTES];
        device.readConfig(0, MemorySegment.ofArray(bytes));
        return (int) NetConfig.MTU_BYTES.read(MemorySegment.ofArray(bytes));
    }

    @Test
    void aLinkThatIsDownCarriesNothing() throws Exception {
        try (NetPair pair = new NetPair(0, NetConfig.F_MRG_RXBUF, Map.of())) {
            Random random = new Random(5);
            pair.post(2000);
            pair.receiver.linkUp(false);
            pair.send(Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 100));
            assertThat(pair.receiver.drops().linkDown()).isEqualTo(1);
            pair.receiver.linkUp(true);
            pair.sender.linkUp(false);
            pair.send(Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 100));
            assertThat(pair.sender.drops().linkDown()).isEqualTo(1);
            pair.sender.linkUp(true);
            byte[] sent = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 100);
            pair.send(sent);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(sent));
        }
    }

    @Test
    void aReceiverThatTakesNothingLosesFramesAndHoldsNobodyUp() throws Exception {
        try (NetPair pair = new NetPair(0, NetConfig.F_MRG_RXBUF, Map.of())) {
            Random random = new Random(6);
            int count = FrameInbox.CELLS / 4 + 100;
            byte[] first = Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 1000);
            pair.send(first);
            for (int i = 1; i < count; i++) {
                pair.send(Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 1000));
            }
            assertThat(pair.receiver.drops().noRoom()).isEqualTo(100);
            pair.post(2000);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(first));
        }
    }

    /** Headers that make sense in part, and frames that may be TCP. */
    private static void almostRight(Random random, MemorySegment readable) {
        HostileRequests.noise(random, readable);
        if (random.nextBoolean()) {
            Frames.Packet packet = new Frames.Packet(
                    random.nextBoolean(), random.nextBoolean(), random.nextBoolean(), 0, random.nextInt(1, 2000));
            byte[] bytes = packet.build(random, packet.gsoType(), random.nextInt(2000));
            for (int i = random.nextInt(3); i > 0; i--) {
                bytes[random.nextInt(Math.min(60, bytes.length))] = (byte) random.nextInt();
            }
            MemorySegment.copy(
                    MemorySegment.ofArray(bytes), 0, readable, 0, Math.min(bytes.length, readable.byteSize()));
        }
    }

    /** A command of a class and number that exist, with data of any sense. */
    private static void almostCommand(Random random, MemorySegment readable) {
        HostileRequests.noise(random, readable);
        readable.set(ValueLayout.JAVA_BYTE, 0, (byte) random.nextInt(7));
        if (readable.byteSize() > 1) {
            readable.set(ValueLayout.JAVA_BYTE, 1, (byte) random.nextInt(7));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void survivesTenThousandMalformedRequestsAndLeaksNothing(int queue) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        try (EventLoopGroup loops = new EventLoopGroup(2)) {
            NetType type = new NetType();
            try (VdpaDevice device = type.create("a", Map.of("switch", "lan"), loops);
                    VdpaDevice other = type.create("b", Map.of("switch", "lan"), loops);
                    Guest listener = new Guest(other, 1 << 22, 64, 0)) {
                // Takes few of the offloads, so that what gets through is worked on here.
                listener.start(Feature.VERSION_1 | NetConfig.F_MRG_RXBUF);
                AtomicBoolean over = new AtomicBoolean();
                Thread taker = Thread.ofPlatform().start(() -> takeAll(listener, over));
                long features =
                        device.deviceFeatures() & ~(Feature.RING_PACKED | Feature.EVENT_IDX | Feature.INDIRECT_DESC);
                HostileRequests.Counts counts = HostileRequests.send(
                        device,
                        queue,
                        features,
                        10_000,
                        21 + queue,
                        queue == 1 ? NetDeviceTest::almostRight : NetDeviceTest::almostCommand);
                over.set(true);
                taker.join();
                assertThat(counts.answered()).isPositive();
                assertThat(counts.resets()).isPositive();
                assertThat(DeviceStatus.has(other.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                        .isFalse();
                if (queue == 1) {
                    assertThat(other.statistics().total().readBytes()).isPositive();
                }
                other.reset();
            }
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    /** A driver that takes whatever comes. */
    private static void takeAll(Guest guest, AtomicBoolean over) {
        DriverQueue queue = guest.queue(0);
        try {
            while (!over.get()) {
                while (queue.add(new long[] {Guest.BASE + guest.dataOffset()}, new int[] {2000}, 0, 1, 1)) {}
                guest.publish(0);
                while (queue.poll()) {}
                Thread.sleep(1);
            }
        } catch (InterruptedException | DeviceFaultException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Receive buffers of no sense, while frames come. */
    @Test
    void survivesTenThousandMalformedReceiveBuffers() throws Exception {
        try (NetPair pair = new NetPair(0, NetConfig.F_MRG_RXBUF, Map.of())) {
            Random random = new Random(77);
            int resets = 0;
            for (int i = 0; i < 10_000; i++) {
                int readable = random.nextInt(20) == 0 ? 1 : 0;
                int writable = random.nextInt(1, 4);
                long[] addresses = new long[readable + writable];
                int[] lengths = new int[readable + writable];
                for (int k = 0; k < addresses.length; k++) {
                    boolean wrong = random.nextInt(60) == 0;
                    addresses[k] = wrong ? random.nextLong() : Guest.BASE + pair.to.dataOffset() + random.nextInt(4096);
                    lengths[k] = 1 + random.nextInt(random.nextBoolean() ? 10 : 3000);
                }
                DriverQueue queue = pair.to.queue(0);
                if (!queue.add(addresses, lengths, readable, writable, 1)) {
                    while (queue.poll()) {}
                }
                pair.to.publish(0);
                if (random.nextInt(4) == 0) {
                    pair.send(Frames.plain(random, Frames.MAC_B, Frames.MAC_A, 14 + random.nextInt(5000)));
                }
                if (DeviceStatus.has(pair.receiver.status(), DeviceStatus.DEVICE_NEEDS_RESET)) {
                    resets++;
                    pair.receiver.reset();
                    pair.to.start(Feature.VERSION_1 | NetConfig.F_MRG_RXBUF);
                }
            }
            assertThat(resets).isPositive();
            assertThat(pair.receiver.statistics().total().readBytes()).isPositive();
            assertThat(DeviceStatus.has(pair.sender.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                    .isFalse();
        }
    }
}
