package io.fairlead.devices.net;

import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetHeader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Cuts a long TCP or UDP packet into those that its sender meant, with all checksums, for a receiver that does not take
 * long ones. One packet at a time; one thread.
 *
 * <p>TCP (RFC 9293): sequence numbers go on; FIN and PSH are the last segment's, CWR is the first one's. IPv4
 * identifications count up.
 */
final class Segments implements AutoCloseable {
    private static final int TCP_SEQUENCE = 4;
    private static final int TCP_FLAGS = 13;
    private static final int TCP_FIN_PSH = 0x09;
    private static final int TCP_CWR = 0x80;
    private static final int UDP_LENGTH = 4;
    private static final int IPV4_LENGTH = 2;
    private static final int IPV4_ID = 4;
    private static final int IPV4_CHECKSUM = 10;
    private static final int IPV4_ADDRESSES = 12;
    private static final int IPV4_ADDRESS_BYTES = 8;
    private static final int IPV6_LENGTH = 4;
    private static final int IPV6_ADDRESSES = 8;
    private static final int IPV6_ADDRESS_BYTES = 32;
    private static final int IPV6_BYTES = 40;

    private static final ValueLayout.OfShort BIG_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt BIG_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment built;
    private final PacketLayout layout = new PacketLayout();
    private MemorySegment packet = MemorySegment.NULL;
    private long frame;
    private int payloadBytes;
    private int segmentBytes;
    private int index;
    private int done;
    private int builtBytes;

    /** Has room for one segment of any size. */
    Segments() {
        built = arena.allocate(NetHeader.BYTES + OutgoingFrame.MAX_FRAME_BYTES, Long.BYTES);
    }

    /** What a sender needs for packets of a type; 0 for a type that nobody may send. */
    static long hostFeature(int gsoType) {
        return switch (gsoType) {
            case NetHeader.GSO_TCPV4 -> NetConfig.F_HOST_TSO4;
            case NetHeader.GSO_TCPV6 -> NetConfig.F_HOST_TSO6;
            case NetHeader.GSO_TCPV4 | NetHeader.GSO_ECN -> NetConfig.F_HOST_TSO4 | NetConfig.F_HOST_ECN;
            case NetHeader.GSO_TCPV6 | NetHeader.GSO_ECN -> NetConfig.F_HOST_TSO6 | NetConfig.F_HOST_ECN;
            case NetHeader.GSO_UDP_L4 -> NetConfig.F_HOST_USO;
            default -> 0;
        };
    }

    /**
     * What a receiver needs for packets of a type.
     *
     * @param ipv4 whether it is an IPv4 packet, where the type does not say
     */
    static long guestFeature(int gsoType, boolean ipv4) {
        return switch (gsoType) {
            case NetHeader.GSO_TCPV4 -> NetConfig.F_GUEST_TSO4;
            case NetHeader.GSO_TCPV6 -> NetConfig.F_GUEST_TSO6;
            case NetHeader.GSO_TCPV4 | NetHeader.GSO_ECN -> NetConfig.F_GUEST_TSO4 | NetConfig.F_GUEST_ECN;
            case NetHeader.GSO_TCPV6 | NetHeader.GSO_ECN -> NetConfig.F_GUEST_TSO6 | NetConfig.F_GUEST_ECN;
            case NetHeader.GSO_UDP_L4 -> ipv4 ? NetConfig.F_GUEST_USO4 : NetConfig.F_GUEST_USO6;
            default -> throw new IllegalArgumentException("GSO type " + gsoType);
        };
    }

    /** Whether a packet's headers are those of a type. */
    static boolean fits(PacketLayout layout, int gsoType) {
        return switch (gsoType & ~NetHeader.GSO_ECN) {
            case NetHeader.GSO_TCPV4 -> layout.ipv4 && layout.protocol == PacketLayout.TCP;
            case NetHeader.GSO_TCPV6 -> layout.ipv6 && layout.protocol == PacketLayout.TCP;
            case NetHeader.GSO_UDP_L4 -> layout.protocol == PacketLayout.UDP;
            default -> false;
        };
    }

    /**
     * Begins with a packet, which stays where it is until the last segment is built.
     *
     * @param newFrame where the frame begins
     * @return whether it can be cut
     */
    boolean begin(MemorySegment memory, long newFrame, int frameBytes, int gsoType, int gsoBytes) {
        layout.parse(memory, newFrame, frameBytes);
        if (!fits(layout, gsoType) || gsoBytes == 0 || frameBytes <= layout.headerBytes) {
            return false;
        }
        packet = memory;
        frame = newFrame;
        payloadBytes = frameBytes - layout.headerBytes;
        segmentBytes = gsoBytes;
        index = 0;
        done = 0;
        return true;
    }

    /** Of what is to be built: from the IP header on. */
    int longestPacketBytes() {
        return layout.headerBytes - layout.networkOffset + Math.min(segmentBytes, payloadBytes);
    }

    /** Builds the next segment; false where there are no more. */
    boolean next() {
        if (done == payloadBytes) {
            return false;
        }
        int here = Math.min(segmentBytes, payloadBytes - done);
        boolean last = done + here == payloadBytes;
        int headers = layout.headerBytes;
        built.asSlice(0, NetHeader.BYTES).fill((byte) 0);
        MemorySegment.copy(packet, frame, built, NetHeader.BYTES, headers);
        MemorySegment.copy(packet, frame + headers + done, built, NetHeader.BYTES + headers, here);
        builtBytes = NetHeader.BYTES + headers + here;
        int transport = NetHeader.BYTES + layout.transportOffset;
        int transportBytes = headers - layout.transportOffset + here;
        fixNetwork(headers + here);
        if (layout.protocol == PacketLayout.TCP) {
            fixTcp(transport, transportBytes, last);
        } else {
            built.set(BIG_SHORT, transport + UDP_LENGTH, (short) transportBytes);
            checksum(transport, transportBytes, PacketLayout.UDP_CHECKSUM);
        }
        done += here;
        index++;
        return true;
    }

    private void fixNetwork(int frameBytes) {
        int network = NetHeader.BYTES + layout.networkOffset;
        int networkBytes = frameBytes - layout.networkOffset;
        if (layout.ipv6) {
            built.set(BIG_SHORT, network + IPV6_LENGTH, (short) (networkBytes - IPV6_BYTES));
            return;
        }
        built.set(BIG_SHORT, network + IPV4_LENGTH, (short) networkBytes);
        built.set(BIG_SHORT, network + IPV4_ID, (short) (built.get(BIG_SHORT, network + IPV4_ID) + index));
        built.set(BIG_SHORT, network + IPV4_CHECKSUM, (short) 0);
        int headerBytes = (built.get(ValueLayout.JAVA_BYTE, network) & 0xf) * 4;
        InternetChecksum.storeComplement(
                built, network + IPV4_CHECKSUM, InternetChecksum.sum(built, network, headerBytes), false);
    }

    private void fixTcp(int transport, int transportBytes, boolean last) {
        built.set(BIG_INT, transport + TCP_SEQUENCE, built.get(BIG_INT, transport + TCP_SEQUENCE) + done);
        int flags = built.get(ValueLayout.JAVA_BYTE, transport + TCP_FLAGS);
        if (!last) {
            flags &= ~TCP_FIN_PSH;
        }
        if (index > 0) {
            flags &= ~TCP_CWR;
        }
        built.set(ValueLayout.JAVA_BYTE, transport + TCP_FLAGS, (byte) flags);
        checksum(transport, transportBytes, PacketLayout.TCP_CHECKSUM);
    }

    private void checksum(int transport, int transportBytes, int checksumOffset) {
        built.set(BIG_SHORT, transport + checksumOffset, (short) 0);
        int network = NetHeader.BYTES + layout.networkOffset;
        long sum = layout.ipv6
                ? InternetChecksum.sum(built, network + IPV6_ADDRESSES, IPV6_ADDRESS_BYTES)
                : InternetChecksum.sum(built, network + IPV4_ADDRESSES, IPV4_ADDRESS_BYTES);
        sum += InternetChecksum.ofShort(layout.protocol) + InternetChecksum.ofShort(transportBytes);
        sum += InternetChecksum.sum(built, transport, transportBytes);
        InternetChecksum.storeComplement(built, transport + checksumOffset, sum, layout.protocol == PacketLayout.UDP);
    }

    /** The segment that {@link #next} built: virtio-net header, all zero, and frame, from the first byte on. */
    MemorySegment memory() {
        return built;
    }

    /** Bytes of header and frame. */
    int byteCount() {
        return builtBytes;
    }

    @Override
    public void close() {
        arena.close();
    }
}
