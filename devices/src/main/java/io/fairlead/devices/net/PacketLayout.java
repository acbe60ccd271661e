package io.fairlead.devices.net;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Where the headers of an Ethernet frame lie. Filled again for each frame; what a frame does not have, or what would run
 * over its end, is -1. One thread.
 */
final class PacketLayout {
    static final int ETHERNET_BYTES = 14;
    static final int VLAN_BYTES = 4;
    static final int MAX_VLAN_TAGS = 2;
    static final int TCP = 6;
    static final int UDP = 17;
    static final int UDP_BYTES = 8;
    static final int TCP_CHECKSUM = 16;
    static final int UDP_CHECKSUM = 6;

    private static final int ETHERTYPE = 12;
    private static final int TYPE_IPV4 = 0x0800;
    private static final int TYPE_IPV6 = 0x86dd;
    private static final int TYPE_VLAN = 0x8100;
    private static final int TYPE_SERVICE_VLAN = 0x88a8;
    private static final int IPV4_BYTES = 20;
    private static final int IPV6_BYTES = 40;
    private static final int TCP_BYTES = 20;
    private static final int MAX_EXTENSIONS = 4;

    private static final ValueLayout.OfShort BIG_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong BIG_LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    /** Tags before the network header. */
    int vlanTags;

    /** Of the outermost tag; -1 without. */
    int vlanId;

    boolean ipv4;
    boolean ipv6;

    /** Where the IP header begins; -1 where there is none. */
    int networkOffset;

    /** Where the TCP or UDP header begins; -1 where there is none, or it is in another fragment. */
    int transportOffset;

    /** {@link #TCP} or {@link #UDP}; -1 for all else. */
    int protocol;

    /** Bytes before the payload of TCP or UDP. */
    int headerBytes;

    static int readShort(MemorySegment memory, long offset) {
        return memory.get(BIG_SHORT, offset) & 0xffff;
    }

    /** The 6 bytes of an address as a number; the 2 that follow are read, too. */
    static long readMac(MemorySegment memory, long offset) {
        return memory.get(BIG_LONG, offset) >>> 16;
    }

    /**
     * Looks at a frame.
     *
     * @param frame where it begins in the memory
     * @param byteCount of it that may be looked at, {@link #ETHERNET_BYTES} or more
     */
    void parse(MemorySegment memory, long frame, int byteCount) {
        vlanTags = 0;
        vlanId = -1;
        ipv4 = false;
        ipv6 = false;
        networkOffset = -1;
        transportOffset = -1;
        protocol = -1;
        headerBytes = -1;
        int at = ETHERTYPE;
        int type = readShort(memory, frame + at);
        while ((type == TYPE_VLAN || type == TYPE_SERVICE_VLAN)
                && vlanTags < MAX_VLAN_TAGS
                && at + VLAN_BYTES + Short.BYTES <= byteCount) {
            if (vlanTags == 0) {
                vlanId = readShort(memory, frame + at + Short.BYTES) & 0xfff;
            }
            vlanTags++;
            at += VLAN_BYTES;
            type = readShort(memory, frame + at);
        }
        at += Short.BYTES;
        if (type == TYPE_IPV4) {
            parseIpv4(memory, frame, at, byteCount);
        } else if (type == TYPE_IPV6) {
            parseIpv6(memory, frame, at, byteCount);
        }
    }

    private void parseIpv4(MemorySegment memory, long frame, int at, int byteCount) {
        if (at + IPV4_BYTES > byteCount) {
            return;
        }
        int first = memory.get(ValueLayout.JAVA_BYTE, frame + at) & 0xff;
        int headers = (first & 0xf) * 4;
        if (first >>> 4 != 4 || headers < IPV4_BYTES || at + headers > byteCount) {
            return;
        }
        ipv4 = true;
        networkOffset = at;
        boolean fragment = (readShort(memory, frame + at + 6) & 0x3fff) != 0;
        if (!fragment) {
            parseTransport(
                    memory, frame, at + headers, memory.get(ValueLayout.JAVA_BYTE, frame + at + 9) & 0xff, byteCount);
        }
    }

    private void parseIpv6(MemorySegment memory, long frame, int at, int byteCount) {
        if (at + IPV6_BYTES > byteCount || (memory.get(ValueLayout.JAVA_BYTE, frame + at) & 0xf0) != 0x60) {
            return;
        }
        ipv6 = true;
        networkOffset = at;
        int next = memory.get(ValueLayout.JAVA_BYTE, frame + at + 6) & 0xff;
        int here = at + IPV6_BYTES;
        for (int i = 0; i < MAX_EXTENSIONS && isExtension(next); i++) {
            if (here + 8 > byteCount) {
                return;
            }
            int length = (memory.get(ValueLayout.JAVA_BYTE, frame + here + 1) & 0xff) * 8 + 8;
            next = memory.get(ValueLayout.JAVA_BYTE, frame + here) & 0xff;
            here += length;
        }
        parseTransport(memory, frame, here, next, byteCount);
    }

    /** Hop-by-hop options, routing, destination options (RFC 8200, 4). */
    private static boolean isExtension(int next) {
        return next == 0 || next == 43 || next == 60;
    }

    private void parseTransport(MemorySegment memory, long frame, int at, int next, int byteCount) {
        if (next == TCP && at + TCP_BYTES <= byteCount) {
            int bytes = (memory.get(ValueLayout.JAVA_BYTE, frame + at + 12) & 0xf0) >>> 2;
            if (bytes >= TCP_BYTES && at + bytes <= byteCount) {
                protocol = TCP;
                transportOffset = at;
                headerBytes = at + bytes;
            }
        } else if (next == UDP && at + UDP_BYTES <= byteCount) {
            protocol = UDP;
            transportOffset = at;
            headerBytes = at + UDP_BYTES;
        }
    }

    /** A number that is the same for all packets of a flow, both ways. */
    int flowHash(MemorySegment memory, long frame) {
        long mixed;
        if (networkOffset < 0) {
            mixed = readMac(memory, frame) ^ readMac(memory, frame + 6);
        } else if (ipv4) {
            mixed = readShort(memory, frame + networkOffset + 12)
                    ^ readShort(memory, frame + networkOffset + 16)
                    ^ (long) (readShort(memory, frame + networkOffset + 14)
                                    ^ readShort(memory, frame + networkOffset + 18))
                            << 16;
        } else {
            mixed = memory.get(BIG_LONG, frame + networkOffset + 8)
                    ^ memory.get(BIG_LONG, frame + networkOffset + 24)
                    ^ memory.get(BIG_LONG, frame + networkOffset + 16)
                    ^ memory.get(BIG_LONG, frame + networkOffset + 32);
        }
        if (transportOffset >= 0) {
            mixed ^=
                    (long) (readShort(memory, frame + transportOffset) ^ readShort(memory, frame + transportOffset + 2))
                            << 32;
        }
        mixed *= 0x9e37_79b9_7f4a_7c15L;
        return (int) (mixed >>> 40) & 0xff_ffff;
    }
}
