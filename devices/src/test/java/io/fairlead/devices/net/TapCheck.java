package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.linux.Fd;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;

/** What {@link TapTest} runs: the host's side of a TAP interface is the kernel of an empty network namespace. */
final class TapCheck {
    private static final int ROOM = 16 << 10;
    private static final String ARP_REQUEST = "ffffffffffff" + "52540000000b" + "0806" + "0001" + "0800" + "06" + "04"
            + "0001" + "52540000000b" + "0a090002" + "000000000000" + "0a090001";

    private TapCheck() {}

    public static void main(String[] arguments) throws Exception {
        long descriptors = Fd.openCount();
        try (EventLoopGroup loops = new EventLoopGroup(2)) {
            NetType type = new NetType();
            for (String pairs : new String[] {"1", "2"}) {
                Map<String, String> attributes = Map.of("tap", "tap0", "mac", "52:54:00:00:00:0b", "queues", pairs);
                try (VdpaDevice device = type.create("nic", attributes, loops)) {
                    run("ip", "addr", "add", "10.9.0.1/24", "dev", "tap0");
                    run("ip", "link", "set", "tap0", "up");
                    run("ip", "neigh", "replace", "10.9.0.2", "lladdr", "52:54:00:00:00:0b", "dev", "tap0");
                    assertThatThrownBy(() -> type.create("again", Map.of("tap", "tap0"), loops))
                            .isInstanceOf(IOException.class)
                            .hasMessageContaining("tap=tap0");
                    for (long offloads : new long[] {0, NetConfig.F_GUEST_CSUM}) {
                        talk(device, offloads);
                    }
                }
            }
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        System.out.println("all checks passed");
    }

    private static void talk(VdpaDevice device, long offloads) throws Exception {
        try (Guest guest = new Guest(device, 4 << 20, 64, 0)) {
            guest.start(Feature.VERSION_1 | NetConfig.F_MRG_RXBUF | offloads);
            byte[] reply;
            send(guest, HexFormat.of().parseHex(ARP_REQUEST));
            do {
                reply = receive(guest, device.queueCount());
            } while (reply[12] != 8 || reply[13] != 6);
            assertThat(Arrays.copyOfRange(reply, 20, 22)).containsExactly(0, 2);
            assertThat(Arrays.copyOfRange(reply, 28, 32)).containsExactly(10, 9, 0, 1);

            byte[] payload = new byte[1201];
            Arrays.fill(payload, (byte) 0x5a);
            try (DatagramSocket socket = new DatagramSocket()) {
                socket.send(new DatagramPacket(payload, payload.length, InetAddress.getByName("10.9.0.2"), 5000));
            }
            byte[] datagram;
            do {
                datagram = receive(guest, device.queueCount());
            } while (datagram.length < 1201);
            assertThat(Arrays.copyOfRange(datagram, 42, datagram.length)).isEqualTo(payload);
            Frames.Packet like = new Frames.Packet(false, true, false, 0, 1201);
            // A driver that takes packets without a checksum gets one; another does not.
            assertThat(Frames.hasRightChecksums(datagram, like)).isEqualTo(offloads == 0);
            device.reset();
        }
    }

    private static void send(Guest guest, byte[] frame) {
        long at = guest.dataOffset() + ROOM;
        guest.memory().asSlice(at, Frames.HEADER).fill((byte) 0);
        MemorySegment.copy(frame, 0, guest.memory(), ValueLayout.JAVA_BYTE, at + Frames.HEADER, frame.length);
        assertThat(guest.queue(1).add(new long[] {Guest.BASE + at}, new int[] {Frames.HEADER + frame.length}, 1, 0, 1))
                .isTrue();
        guest.publish(1);
        await().until(guest.queue(1)::poll);
    }

    private static byte[] receive(Guest guest, int queueCount) {
        // Of two queues the kernel chooses one by the flow.
        for (int queue = 0; queue + 2 < queueCount; queue += 2) {
            if (guest.queue(queue).outstanding() == 0) {
                long at = guest.dataOffset() + (long) (queue + 2) * ROOM;
                assertThat(guest.queue(queue).add(new long[] {Guest.BASE + at}, new int[] {ROOM}, 0, 1, at))
                        .isTrue();
                guest.publish(queue);
            }
        }
        byte[][] got = new byte[1][];
        await().until(() -> {
            for (int queue = 0; queue + 2 < queueCount; queue += 2) {
                DriverQueue driver = guest.queue(queue);
                if (driver.poll()) {
                    got[0] = guest.memory()
                            .asSlice(driver.token(), driver.writtenBytes())
                            .toArray(ValueLayout.JAVA_BYTE);
                    return true;
                }
            }
            return false;
        });
        return NetPair.frameOf(got[0]);
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor())
                .as("%s: %s", String.join(" ", command), output)
                .isZero();
    }
}
