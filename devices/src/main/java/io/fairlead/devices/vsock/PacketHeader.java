package io.fairlead.devices.vsock;

import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.VsockPacket;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** One packet's header, filled again for each packet: a copy, so that a guest cannot change what was checked. One thread. */
final class PacketHeader {
    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment bytes = MemorySegment.ofArray(new byte[VsockPacket.HEADER_BYTES]);

    long srcCid;
    long dstCid;
    int srcPort;
    int dstPort;

    /** Bytes of data behind the header, unsigned in the packet. */
    long byteCount;

    int type;
    int op;
    int flags;
    int bufAlloc;
    int fwdCnt;

    /** Reads it from the first device-readable bytes, of which the caller knows that there are enough. */
    void read(DescriptorChain chain) {
        chain.read(0, bytes, 0, VsockPacket.HEADER_BYTES);
        srcCid = bytes.get(LE_LONG, VsockPacket.SRC_CID_OFFSET);
        dstCid = bytes.get(LE_LONG, VsockPacket.DST_CID_OFFSET);
        srcPort = bytes.get(LE_INT, VsockPacket.SRC_PORT_OFFSET);
        dstPort = bytes.get(LE_INT, VsockPacket.DST_PORT_OFFSET);
        byteCount = Integer.toUnsignedLong(bytes.get(LE_INT, VsockPacket.LEN_OFFSET));
        type = Short.toUnsignedInt(bytes.get(LE_SHORT, VsockPacket.TYPE_OFFSET));
        op = Short.toUnsignedInt(bytes.get(LE_SHORT, VsockPacket.OP_OFFSET));
        flags = bytes.get(LE_INT, VsockPacket.FLAGS_OFFSET);
        bufAlloc = bytes.get(LE_INT, VsockPacket.BUF_ALLOC_OFFSET);
        fwdCnt = bytes.get(LE_INT, VsockPacket.FWD_CNT_OFFSET);
    }

    /** Makes it one without data, flags and credit. */
    void set(long newSrcCid, long newDstCid, int newSrcPort, int newDstPort, int newType, int newOp) {
        srcCid = newSrcCid;
        dstCid = newDstCid;
        srcPort = newSrcPort;
        dstPort = newDstPort;
        type = newType;
        op = newOp;
        byteCount = 0;
        flags = 0;
        bufAlloc = 0;
        fwdCnt = 0;
    }

    /** Writes it into the first device-writable bytes, of which the caller knows that there are enough. */
    void write(DescriptorChain chain) {
        bytes.set(LE_LONG, VsockPacket.SRC_CID_OFFSET, srcCid);
        bytes.set(LE_LONG, VsockPacket.DST_CID_OFFSET, dstCid);
        bytes.set(LE_INT, VsockPacket.SRC_PORT_OFFSET, srcPort);
        bytes.set(LE_INT, VsockPacket.DST_PORT_OFFSET, dstPort);
        bytes.set(LE_INT, VsockPacket.LEN_OFFSET, (int) byteCount);
        bytes.set(LE_SHORT, VsockPacket.TYPE_OFFSET, (short) type);
        bytes.set(LE_SHORT, VsockPacket.OP_OFFSET, (short) op);
        bytes.set(LE_INT, VsockPacket.FLAGS_OFFSET, flags);
        bytes.set(LE_INT, VsockPacket.BUF_ALLOC_OFFSET, bufAlloc);
        bytes.set(LE_INT, VsockPacket.FWD_CNT_OFFSET, fwdCnt);
        chain.write(0, bytes, 0, VsockPacket.HEADER_BYTES);
    }
}
