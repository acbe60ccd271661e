package io.fairlead.devices.net;

import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetHeader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A frame that a driver sends, checked. As the guest may change its memory at any time, headers that say something are
 * copied once and looked at there. Of a frame without an offload the addresses are loaded once, and all of it is copied
 * from the guest's memory to where it goes, behind a header of ours. Filled again for each frame; one thread.
 */
final class OutgoingFrame implements AutoCloseable {
    /** The longest frame: what an IP packet can be, behind two VLAN tags. */
    static final int MAX_FRAME_BYTES = 65_535 + PacketLayout.ETHERNET_BYTES + 2 * PacketLayout.VLAN_BYTES;

    /** Room for Ethernet, two tags, the longest IPv4 and TCP headers, or IPv6 with some extensions. */
    private static final int COPIED_BYTES = NetHeader.BYTES + 192;

    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong ANY_LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfInt ANY_INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final int MAC_BYTES = 6;
    private static final MemorySegment EMPTY_HEADER = MemorySegment.ofArray(new byte[NetHeader.BYTES]);

    private final long features;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment copied = arena.allocate(COPIED_BYTES, Long.BYTES);
    private final PacketLayout layout = new PacketLayout();
    private @Nullable DescriptorChain chain;
    private int byteCount;

    /** 0 where nothing has been copied so far, which most frames never need: those without an offload. */
    private int copiedBytes;

    private long destination;
    private long source;
    private boolean segmented;
    private boolean parsed;

    /** @param features the driver's choice */
    OutgoingFrame(long features) {
        this.features = features;
    }

    /**
     * Takes a frame.
     *
     * @param newChain virtio-net header and frame, device-readable, at least as long as the header
     * @return whether it is one that may go on; else it is to be dropped
     */
    boolean take(DescriptorChain newChain) {
        long bytes = newChain.readableBytes();
        if (bytes < NetHeader.BYTES + PacketLayout.ETHERNET_BYTES || bytes > NetHeader.BYTES + MAX_FRAME_BYTES) {
            return false;
        }
        chain = newChain;
        byteCount = (int) bytes;
        copiedBytes = 0;
        parsed = false;
        int kind = newChain.readInt(0);
        if ((kind & NetHeader.F_NEEDS_CSUM) != 0) {
            copyHeaders();
            destination = PacketLayout.readMac(copied, NetHeader.BYTES);
            source = PacketLayout.readMac(copied, NetHeader.BYTES + MAC_BYTES);
            return checkHeader();
        }
        // The addresses as they lie: six bytes of one, two of the other; its other four.
        long first = Long.reverseBytes(newChain.readLong(NetHeader.BYTES));
        int rest = Integer.reverseBytes(newChain.readInt(NetHeader.BYTES + Long.BYTES));
        destination = first >>> 16;
        source = (first & 0xffff) << 32 | Integer.toUnsignedLong(rest);
        segmented = false;
        return (kind >>> Byte.SIZE & 0xff) == NetHeader.GSO_NONE;
    }

    /** The guest may have changed them by now: what is copied is what counts from here on. */
    private void copyHeaders() {
        copiedBytes = Math.min(byteCount, COPIED_BYTES);
        Objects.requireNonNull(chain).read(0, copied, 0, copiedBytes);
    }

    /**
     * Takes a frame of the host's own.
     *
     * @param frame at most as long as what is copied of any frame
     */
    void takeOwn(MemorySegment frame) {
        chain = null;
        copiedBytes = NetHeader.BYTES + (int) frame.byteSize();
        byteCount = copiedBytes;
        MemorySegment.copy(EMPTY_HEADER, 0, copied, 0, NetHeader.BYTES);
        MemorySegment.copy(frame, 0, copied, NetHeader.BYTES, frame.byteSize());
        parsed = false;
        segmented = false;
        destination = PacketLayout.readMac(copied, NetHeader.BYTES);
        source = PacketLayout.readMac(copied, NetHeader.BYTES + MAC_BYTES);
    }

    /** Checks the header and makes it one that any receiver may see (virtio 1.4, 5.1.6.2). */
    private boolean checkHeader() {
        int flags = copied.get(ValueLayout.JAVA_BYTE, NetHeader.FLAGS_OFFSET) & NetHeader.F_NEEDS_CSUM;
        int gsoType = copied.get(ValueLayout.JAVA_BYTE, NetHeader.GSO_TYPE_OFFSET) & 0xff;
        int gsoBytes = copied.get(LE_SHORT, NetHeader.GSO_SIZE_OFFSET) & 0xffff;
        int start = copied.get(LE_SHORT, NetHeader.CSUM_START_OFFSET) & 0xffff;
        int offset = copied.get(LE_SHORT, NetHeader.CSUM_OFFSET_OFFSET) & 0xffff;
        segmented = gsoType != NetHeader.GSO_NONE;
        if (flags == 0) {
            MemorySegment.copy(EMPTY_HEADER, 0, copied, 0, NetHeader.BYTES);
            return !segmented;
        }
        if (!Feature.has(features, NetConfig.F_CSUM)
                || start < PacketLayout.ETHERNET_BYTES
                || start + offset + Short.BYTES > byteCount - NetHeader.BYTES) {
            return false;
        }
        int headerBytes = 0;
        if (segmented) {
            if (!mayBeSegmented(gsoType, gsoBytes, start, offset)) {
                return false;
            }
            headerBytes = layout.headerBytes;
        } else {
            gsoBytes = 0;
        }
        copied.set(ValueLayout.JAVA_BYTE, NetHeader.FLAGS_OFFSET, (byte) flags);
        copied.set(LE_SHORT, NetHeader.HDR_LEN_OFFSET, (short) headerBytes);
        copied.set(LE_SHORT, NetHeader.GSO_SIZE_OFFSET, (short) gsoBytes);
        copied.set(LE_SHORT, NetHeader.NUM_BUFFERS_OFFSET, (short) 0);
        return true;
    }

    /** Whether the frame is what its header says. */
    private boolean mayBeSegmented(int gsoType, int gsoBytes, int start, int offset) {
        long needed = Segments.hostFeature(gsoType);
        if (needed == 0 || !Feature.has(features, needed) || gsoBytes == 0) {
            return false;
        }
        parse();
        return Segments.fits(layout, gsoType)
                && start == layout.transportOffset
                && offset
                        == (layout.protocol == PacketLayout.TCP ? PacketLayout.TCP_CHECKSUM : PacketLayout.UDP_CHECKSUM)
                && layout.headerBytes < byteCount - NetHeader.BYTES;
    }

    private void parse() {
        if (!parsed) {
            parsed = true;
            requireCopied();
            layout.parse(copied, NetHeader.BYTES, copiedBytes - NetHeader.BYTES);
        }
    }

    /** Bytes of header and frame. */
    int byteCount() {
        return byteCount;
    }

    int frameBytes() {
        return byteCount - NetHeader.BYTES;
    }

    long destination() {
        return destination;
    }

    long source() {
        return source;
    }

    /** Whether it is longer than the packets that it stands for. */
    boolean isSegmented() {
        return segmented;
    }

    /** The VLAN of the outermost tag; -1 without one. */
    int vlanId() {
        parse();
        return layout.vlanId;
    }

    int vlanTags() {
        parse();
        return layout.vlanTags;
    }

    int flowHash() {
        parse();
        return layout.flowHash(copied, NetHeader.BYTES);
    }

    /** Copies the headers of a frame that asks for no offload: its own header says nothing. */
    private void requireCopied() {
        if (copiedBytes == 0) {
            copyHeaders();
            MemorySegment.copy(EMPTY_HEADER, 0, copied, 0, NetHeader.BYTES);
        }
    }

    /** What is copied of header and frame; they begin at its first byte. */
    MemorySegment headers() {
        requireCopied();
        return copied.asSlice(0, copiedBytes);
    }

    /** Writes header and frame, {@link #byteCount} bytes. */
    void copyTo(MemorySegment target, long offset) {
        if (copiedBytes == 0) {
            target.set(ANY_LONG, offset, 0);
            target.set(ANY_INT, offset + Long.BYTES, 0);
            Objects.requireNonNull(chain)
                    .read(NetHeader.BYTES, target, offset + NetHeader.BYTES, byteCount - NetHeader.BYTES);
            return;
        }
        MemorySegment.copy(copied, 0, target, offset, copiedBytes);
        if (byteCount > copiedBytes) {
            Objects.requireNonNull(chain).read(copiedBytes, target, offset + copiedBytes, byteCount - copiedBytes);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
