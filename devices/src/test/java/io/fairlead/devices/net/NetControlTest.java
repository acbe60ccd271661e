package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetControl;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NetControlTest {
    private static final long CONTROL = NetConfig.F_CTRL_VQ
            | NetConfig.F_CTRL_RX
            | NetConfig.F_CTRL_RX_EXTRA
            | NetConfig.F_CTRL_VLAN
            | NetConfig.F_CTRL_MAC_ADDR
            | NetConfig.F_CTRL_GUEST_OFFLOADS
            | NetConfig.F_GUEST_ANNOUNCE
            | NetConfig.F_STATUS
            | NetConfig.F_GUEST_CSUM
            | NetConfig.F_GUEST_TSO4
            | NetConfig.F_MRG_RXBUF;

    /** Does a command on the control queue; the acknowledgement. */
    private static int command(Guest guest, int queue, int commandClass, int command, String data) {
        byte[] bytes = HexFormat.of().parseHex(data);
        long at = guest.dataOffset();
        MemorySegment memory = guest.memory();
        memory.set(ValueLayout.JAVA_BYTE, at, (byte) commandClass);
        memory.set(ValueLayout.JAVA_BYTE, at + 1, (byte) command);
        MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, at + 16, bytes.length);
        memory.set(ValueLayout.JAVA_BYTE, at + 8, (byte) 0x77);
        DriverQueue driver = guest.queue(queue);
        long base = Guest.BASE + at;
        boolean added = bytes.length == 0
                ? driver.add(new long[] {base, base + 8}, new int[] {2, 1}, 1, 1, 1)
                : driver.add(new long[] {base, base + 16, base + 8}, new int[] {2, bytes.length, 1}, 2, 1, 1);
        assertThat(added).isTrue();
        guest.publish(queue);
        await().until(driver::poll);
        return memory.get(ValueLayout.JAVA_BYTE, at + 8);
    }

    private static int status(VdpaDevice device) throws Exception {
        byte[] bytes = new byte[2];
        device.readConfig(NetConfig.STATUS.offset(), MemorySegment.ofArray(bytes));
        return bytes[0];
    }

    @Test
    void aDriverReceivesWhatItAskedFor() throws Exception {
        try (NetPair pair = new NetPair(0, CONTROL, Map.of())) {
            Random random = new Random(1);
            pair.post(2000);
            // Not to the driver's address, and it is no longer promiscuous.
            assertThat(command(pair.to, 2, NetControl.RX, NetControl.RX_PROMISC, "00"))
                    .isEqualTo(NetControl.OK);
            long other = 0x5254_0000_00ffL;
            pair.send(Frames.plain(random, other, Frames.MAC_A, 60));
            assertThat(pair.receiver.drops().filtered()).isEqualTo(1);
            // A table of addresses.
            assertThat(command(
                            pair.to,
                            2,
                            NetControl.MAC,
                            NetControl.MAC_TABLE_SET,
                            "01000000" + "5254000000ff" + "01000000" + "01005e000001"))
                    .isEqualTo(NetControl.OK);
            byte[] toOther = Frames.plain(random, other, Frames.MAC_A, 60);
            pair.send(toOther);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(toOther));
            pair.post(2000);
            byte[] group = Frames.plain(random, 0x0100_5e00_0001L, Frames.MAC_A, 60);
            pair.send(group);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(group));
            pair.send(Frames.plain(random, 0x0100_5e00_0002L, Frames.MAC_A, 60));
            assertThat(pair.receiver.drops().filtered()).isEqualTo(2);
            // VLANs: none is wanted until it is added.
            byte[] tagged = new Frames.Packet(false, true, true, 0, 100).build(random, 0, 0);
            java.util.Arrays.fill(tagged, 0, 12, (byte) 0);
            pair.send(tagged);
            assertThat(pair.receiver.drops().filtered()).isEqualTo(3);
            assertThat(command(pair.to, 2, NetControl.VLAN, NetControl.VLAN_ADD, "0700"))
                    .isEqualTo(NetControl.OK);
            pair.post(2000);
            pair.send(tagged);
            assertThat(NetPair.frameOf(pair.receive())).isEqualTo(NetPair.frameOf(tagged));
            // Broadcasts can be unwanted.
            assertThat(command(pair.to, 2, NetControl.RX, NetControl.RX_NOBCAST, "01"))
                    .isEqualTo(NetControl.OK);
            pair.send(Frames.plain(random, ReceiveFilter.BROADCAST, Frames.MAC_A, 60));
            assertThat(pair.receiver.drops().filtered()).isEqualTo(4);
        }
    }

    @Test
    void wrongCommandsAreAnsweredWithAnError() throws Exception {
        try (NetPair pair = new NetPair(0, CONTROL, Map.of())) {
            String[][] wrong = {
                {"0", "0", "02"},
                {"0", "0", ""},
                {"0", "6", "01"},
                {"1", "0", "02000000" + "525400000001" + "00000000"},
                {"1", "0", "ffffffff" + "00000000"},
                {"1", "0", "00000000" + "00000000" + "00"},
                {"1", "1", "5254000000"},
                {"2", "0", "0010"},
                {"2", "2", "0100"},
                {"4", "0", "0100"}, // MQ was not negotiated
                {"5", "0", "ffffffffffffffff"},
                {"9", "0", ""}
            };
            for (String[] command : wrong) {
                assertThat(command(pair.to, 2, Integer.parseInt(command[0]), Integer.parseInt(command[1]), command[2]))
                        .as(String.join(" ", command))
                        .isEqualTo(NetControl.ERROR);
            }
            assertThat(pair.receiver.statistics().total().failedRequests()).isEqualTo(wrong.length);
            assertThat(pair.receiver.controlCommands()).isEmpty();
        }
    }

    @Test
    void whatADriverSetGoesAlongAndIsAnnounced() throws Exception {
        try (EventLoopGroup loops = new EventLoopGroup(2)) {
            NetType type = new NetType();
            Map<String, String> attributes = Map.of("switch", "lan", "queues", "2", "mac", "52:54:00:00:00:0b");
            long features = Feature.VERSION_1 | CONTROL | NetConfig.F_MQ;
            List<ControlCommand> commands;
            try (VdpaDevice source = type.create("source", attributes, loops);
                    Guest guest = new Guest(source, 2 << 20, 64, 0)) {
                guest.start(features);
                assertThat(command(guest, 4, NetControl.RX, NetControl.RX_PROMISC, "00"))
                        .isEqualTo(NetControl.OK);
                assertThat(command(guest, 4, NetControl.RX, NetControl.RX_ALLMULTI, "01"))
                        .isEqualTo(NetControl.OK);
                assertThat(command(guest, 4, NetControl.MAC, NetControl.MAC_ADDR_SET, "5254000000cc"))
                        .isEqualTo(NetControl.OK);
                assertThat(command(guest, 4, NetControl.MQ, NetControl.MQ_VQ_PAIRS_SET, "0200"))
                        .isEqualTo(NetControl.OK);
                assertThat(command(guest, 4, NetControl.VLAN, NetControl.VLAN_ADD, "0700"))
                        .isEqualTo(NetControl.OK);
                assertThat(command(
                                guest, 4, NetControl.GUEST_OFFLOADS, NetControl.GUEST_OFFLOADS_SET, "0200000000000000"))
                        .isEqualTo(NetControl.OK);
                source.suspend();
                commands = source.controlCommands();
                assertThat(commands).hasSize(6);
                source.reset();
                assertThat(source.controlCommands()).isEmpty();
            }
            try (VdpaDevice destination = type.create("destination", attributes, loops);
                    Guest guest = new Guest(destination, 2 << 20, 64, 0)) {
                destination.controlCommands(commands);
                assertThat(destination.controlCommands()).isEqualTo(commands);
                guest.start(features);
                byte[] mac = new byte[6];
                destination.readConfig(0, MemorySegment.ofArray(mac));
                assertThat(HexFormat.of().formatHex(mac)).isEqualTo("5254000000cc");
                assertThat(status(destination)).isEqualTo(NetConfig.STATUS_LINK_UP | NetConfig.STATUS_ANNOUNCE);
                assertThat(command(guest, 4, NetControl.ANNOUNCE, NetControl.ANNOUNCE_ACK, ""))
                        .isEqualTo(NetControl.OK);
                assertThat(status(destination)).isEqualTo(NetConfig.STATUS_LINK_UP);
                destination.reset();
                assertThat(destination.controlCommands()).isEmpty();
                ControlCommand tooMany =
                        new ControlCommand(NetControl.MQ, NetControl.MQ_VQ_PAIRS_SET, Octets.of((byte) 3, (byte) 0));
                assertThatThrownBy(() -> destination.controlCommands(List.of(commands.getFirst(), tooMany)))
                        .isInstanceOf(StateMismatchException.class)
                        .hasMessageContainingAll("destination", "class 4");
                assertThat(destination.controlCommands()).isEmpty();
            }
        }
    }

    @Test
    void aDeviceIsMadeLikeAnother() throws Exception {
        try (EventLoopGroup loops = new EventLoopGroup(1)) {
            NetType type = new NetType();
            try (VdpaDevice device = type.create(
                    "a",
                    Map.of(
                            "switch",
                            "lan",
                            "queues",
                            "3",
                            "mtu",
                            "4000",
                            "speed-mbps",
                            "2500",
                            "queue-size",
                            "64",
                            "device-state",
                            "off"),
                    loops)) {
                DeviceProfile profile = DeviceProfile.of(device);
                assertThat(profile.can(VdpaDevice.Capability.STREAM_STATE)).isFalse();
                assertThat(profile.can(VdpaDevice.Capability.QUEUE_STATE)).isTrue();
                Map<String, String> like = type.attributesLike(profile);
                like.put("switch", "lan");
                try (VdpaDevice other = type.create("b", like, loops)) {
                    DeviceProfile copy = DeviceProfile.of(other);
                    assertThat(copy.config()).isEqualTo(profile.config());
                    assertThat(copy.queues()).isEqualTo(profile.queues());
                    assertThat(copy.deviceFeatures()).isEqualTo(profile.deviceFeatures());
                    assertThat(copy.identity()).isEqualTo(profile.identity());
                    assertThat(copy.capabilities()).isEqualTo(profile.capabilities());
                }
            }
        }
    }
}
