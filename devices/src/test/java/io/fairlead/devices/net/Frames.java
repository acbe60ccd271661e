package io.fairlead.devices.net;

import io.fairlead.virtio.NetHeader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Frames for tests, and checks on frames that share no code with what is tested. */
final class Frames {
    static final int HEADER = NetHeader.BYTES;
    static final int ETHERNET = 14;
    static final long MAC_A = 0x5254_0000_000aL;
    static final long MAC_B = 0x5254_0000_000bL;

    private Frames() {}

    /** Header of zeros, addresses, an unused type, and noise. */
    static byte[] plain(Random random, long destination, long source, int frameBytes) {
        ByteBuffer out = ByteBuffer.allocate(HEADER + frameBytes);
        byte[] noise = new byte[frameBytes];
        random.nextBytes(noise);
        out.put(HEADER, noise);
        ethernet(out, destination, source, 0x88b5);
        return out.array();
    }

    private static void ethernet(ByteBuffer out, long destination, long source, int type) {
        out.position(HEADER);
        out.putShort((short) (destination >>> 32)).putInt((int) destination);
        out.putShort((short) (source >>> 32)).putInt((int) source);
        out.putShort((short) type);
    }

    /** A TCP or UDP packet. */
    record Packet(boolean ipv6, boolean udp, boolean vlan, int optionBytes, int payloadBytes) {
        int transport() {
            return ETHERNET + (vlan ? 4 : 0) + (ipv6 ? 40 : 20);
        }

        int headers() {
            return transport() + (udp ? 8 : 20 + optionBytes);
        }

        int checksumOffset() {
            return udp ? 6 : 16;
        }

        /** The GSO type of such packets. */
        int gsoType() {
            return udp ? NetHeader.GSO_UDP_L4 : ipv6 ? NetHeader.GSO_TCPV6 : NetHeader.GSO_TCPV4;
        }

        /** With the checksum left to the device, as a driver does it. */
        byte[] build(Random random, int gsoType, int gsoBytes) {
            int frameBytes = headers() + payloadBytes;
            byte[] noise = new byte[payloadBytes];
            random.nextBytes(noise);
            ByteBuffer out = ByteBuffer.allocate(HEADER + frameBytes);
            ethernet(out, MAC_B, MAC_A, vlan ? 0x8100 : ipv6 ? 0x86dd : 0x0800);
            if (vlan) {
                out.putShort((short) 0x2007).putShort((short) (ipv6 ? 0x86dd : 0x0800));
            }
            int transportBytes = frameBytes - transport();
            int network = out.position();
            if (ipv6) {
                out.putInt(0x6000_0000)
                        .putShort((short) transportBytes)
                        .put((byte) (udp ? 17 : 6))
                        .put((byte) 64);
                for (int i = 0; i < 32; i++) {
                    out.put((byte) (i * 7 + 1));
                }
            } else {
                out.putShort((short) 0x4500).putShort((short) (20 + transportBytes));
                out.putShort((short) 0xfffe)
                        .putShort((short) 0x4000)
                        .put((byte) 64)
                        .put((byte) (udp ? 17 : 6));
                out.putShort((short) 0).putInt(0x0a00_0001).putInt(0x0a00_0002);
                out.putShort(network + 10, (short) ~sum(out.array(), network, 20, 0));
            }
            int transport = out.position();
            out.putShort((short) 1234).putShort((short) 4321);
            if (udp) {
                out.putShort((short) transportBytes).putShort((short) 0);
            } else {
                out.putInt(0xffff_ff00).putInt(7).put((byte) ((20 + optionBytes) << 2));
                out.put((byte) 0x99).putShort((short) 1000).putShort((short) 0).putShort((short) 0);
                out.put(new byte[optionBytes]);
            }
            out.put(noise);
            int pseudo = pseudo(out.array(), network, ipv6, udp ? 17 : 6, transportBytes);
            out.putShort(transport + checksumOffset(), (short) pseudo);
            out.order(ByteOrder.LITTLE_ENDIAN);
            out.put(0, (byte) NetHeader.F_NEEDS_CSUM).put(1, (byte) gsoType);
            out.putShort(2, (short) headers()).putShort(4, (short) gsoBytes);
            out.putShort(6, (short) transport()).putShort(8, (short) checksumOffset());
            return out.array();
        }
    }

    /** Ones' complement sum in network order, byte by byte (RFC 1071). */
    static int sum(byte[] bytes, int offset, int count, int start) {
        int sum = start;
        for (int i = 0; i < count; i++) {
            sum += (bytes[offset + i] & 0xff) << ((i & 1) == 0 ? 8 : 0);
            sum = (sum & 0xffff) + (sum >>> 16);
        }
        return sum;
    }

    private static int pseudo(byte[] bytes, int network, boolean ipv6, int protocol, int transportBytes) {
        int sum = ipv6 ? sum(bytes, network + 8, 32, 0) : sum(bytes, network + 12, 8, 0);
        sum += protocol;
        sum = (sum & 0xffff) + (sum >>> 16);
        sum += transportBytes;
        return (sum & 0xffff) + (sum >>> 16);
    }

    /** Whether the checksums of a frame without virtio header are right: those of IPv4 and of TCP or UDP. */
    static boolean hasRightChecksums(byte[] frame, Packet like) {
        int transport = like.transport();
        int network = ETHERNET + (like.vlan() ? 4 : 0);
        if (!like.ipv6() && sum(frame, network, 20, 0) != 0xffff) {
            return false;
        }
        int transportBytes = frame.length - transport;
        int pseudo = pseudo(frame, network, like.ipv6(), like.udp() ? 17 : 6, transportBytes);
        return sum(frame, transport, transportBytes, pseudo) == 0xffff;
    }
}
