package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetHeader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Fills a driver's receive buffers. A buffer is taken only when a frame is there, and given back untouched when the queue
 * stops. What the driver does not do itself is done here: checksums, and cutting long packets.
 *
 * <p>With MRG_RXBUF a frame takes as many buffers as it needs; else one, and a frame that is longer is dropped.
 */
final class ReceiveHandler implements QueueHandler {
    /** Frames looked at in vain, or put into buffers held before, until other queues have their turn. */
    private static final int MAX_FRAMES = 64;

    /** Buffers taken for one frame: more than the longest needs of the smallest that drivers use. */
    private static final int MAX_HELD = 256;

    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final QueueRunner runner;
    private final NetPort port;
    private final NetBackend.Source source;
    private final RateLimit rate;
    private final boolean mergeable;
    private final int mostHeld;
    private final Segments segments = new Segments();

    /** Buffers taken and not filled, the oldest first. */
    private final @Nullable DescriptorChain[] held;

    private int heldCount;
    private long heldBytes;

    // The frame that is next for the driver, as it will see it; memory null where there is none.
    private @Nullable MemorySegment memory;
    private long offset;
    private int byteCount;

    /** It is one of those that the source's frame is cut into. */
    private boolean cutting;

    private boolean stopping;

    /**
     * @param queueSize entries of the queue
     * @param features the driver's choice
     */
    ReceiveHandler(
            QueueRunner runner, NetPort port, NetBackend.Source source, RateLimit rate, int queueSize, long features) {
        this.runner = runner;
        this.port = port;
        this.source = source;
        this.rate = rate;
        mergeable = Feature.has(features, NetConfig.F_MRG_RXBUF);
        mostHeld = mergeable ? Math.min(queueSize, MAX_HELD) : 1;
        held = new DescriptorChain[mostHeld];
    }

    // ---- the frame that is next ----

    /** Whether there is one; drops those that the driver does not take. */
    private boolean hasFrame() {
        for (int i = 0; memory == null && i < MAX_FRAMES; i++) {
            if (cutting) {
                nextSegment();
            } else if (source.next()) {
                prepare();
            } else {
                return false;
            }
        }
        return memory != null;
    }

    private void show(MemorySegment newMemory, long newOffset, int newByteCount) {
        memory = newMemory;
        offset = newOffset;
        byteCount = newByteCount;
    }

    /** Makes the source's frame one that the driver takes. */
    private void prepare() {
        MemorySegment from = source.memory();
        long at = source.offset();
        int bytes = source.byteCount();
        int gsoType = from.get(ValueLayout.JAVA_BYTE, at + NetHeader.GSO_TYPE_OFFSET) & 0xff;
        if (gsoType != NetHeader.GSO_NONE) {
            prepareSegmented(from, at, bytes, gsoType);
            return;
        }
        if (from.get(ValueLayout.JAVA_BYTE, at + NetHeader.FLAGS_OFFSET) == NetHeader.F_NEEDS_CSUM
                && (port.offloads & NetConfig.F_GUEST_CSUM) == 0) {
            completeChecksum(from, at, bytes);
        }
        show(from, at, bytes);
    }

    private void prepareSegmented(MemorySegment from, long at, int bytes, int gsoType) {
        boolean ipv4 = (gsoType & ~NetHeader.GSO_ECN) == NetHeader.GSO_UDP_L4 && isIpv4(from, at, bytes);
        long needed = NetConfig.F_GUEST_CSUM | Segments.guestFeature(gsoType, ipv4);
        if ((port.offloads & needed) == needed) {
            show(from, at, bytes);
            return;
        }
        int segmentBytes = from.get(LE_SHORT, at + NetHeader.GSO_SIZE_OFFSET) & 0xffff;
        if (!segments.begin(from, at + NetHeader.BYTES, bytes - NetHeader.BYTES, gsoType, segmentBytes)) {
            port.drops.malformed.increment();
            source.release();
        } else if (segments.longestPacketBytes() > port.mtuBytes) {
            port.drops.tooLong.increment();
            source.release();
        } else {
            cutting = true;
            nextSegment();
        }
    }

    private static boolean isIpv4(MemorySegment from, long at, int bytes) {
        PacketLayout layout = new PacketLayout();
        layout.parse(from, at + NetHeader.BYTES, bytes - NetHeader.BYTES);
        return layout.ipv4;
    }

    private void nextSegment() {
        if (segments.next()) {
            show(segments.memory(), 0, segments.byteCount());
        } else {
            cutting = false;
            source.release();
        }
    }

    /** The place and the range were checked when the frame was sent. */
    private static void completeChecksum(MemorySegment from, long at, int bytes) {
        long start = from.get(LE_SHORT, at + NetHeader.CSUM_START_OFFSET) & 0xffff;
        long place = from.get(LE_SHORT, at + NetHeader.CSUM_OFFSET_OFFSET) & 0xffff;
        long frame = at + NetHeader.BYTES;
        long sum = InternetChecksum.sum(from, frame + start, bytes - NetHeader.BYTES - start);
        InternetChecksum.storeComplement(from, frame + start + place, sum, place == PacketLayout.UDP_CHECKSUM);
        from.asSlice(at, NetHeader.BYTES).fill((byte) 0);
    }

    private void endFrame() {
        memory = null;
        if (!cutting) {
            source.release();
        }
    }

    private void dropFrame() {
        port.drops.tooLong.increment();
        endFrame();
    }

    // ---- buffers ----

    /** As drivers take packets. */
    @Override
    public int publishRequests() {
        return 32;
    }

    private boolean fitsHeld() {
        return memory != null && heldCount > 0 && heldBytes >= byteCount;
    }

    @Override
    public boolean wantsRequest() {
        return !stopping && rate.allows() && hasFrame() && !fitsHeld() && heldCount < mostHeld;
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableBytes() > 0 || chain.writableBytes() < NetHeader.BYTES) {
            throw new GuestFaultException(
                    "a receive buffer is %d readable and %d writable bytes, not writable alone and %d or more"
                            .formatted(chain.readableBytes(), chain.writableBytes(), NetHeader.BYTES));
        }
        if (heldCount == 0 && memory != null && chain.writableBytes() >= byteCount) {
            fillOne(chain, memory);
            return;
        }
        held[heldCount++] = chain;
        heldBytes += chain.writableBytes();
        boolean done = false;
        try {
            if (fitsHeld()) {
                fill();
            } else if (heldCount == mostHeld) {
                dropFrame();
            }
            done = true;
        } finally {
            if (!done) {
                // It goes back with the exception.
                heldCount--;
                held[heldCount] = null;
            }
        }
    }

    /** Frames that fit buffers which were taken for a longer one. */
    @Override
    public boolean poll() {
        boolean worked = false;
        for (int i = 0; i < MAX_FRAMES && heldCount > 0 && !stopping && rate.allows() && hasFrame(); i++) {
            if (fitsHeld()) {
                fill();
            } else if (heldCount == mostHeld) {
                dropFrame();
            } else {
                break;
            }
            worked = true;
        }
        return worked;
    }

    @Override
    public boolean hasWork() {
        return heldCount > 0 && !stopping && rate.allows() && hasFrame() && (fitsHeld() || heldCount == mostHeld);
    }

    /** Puts the frame into a buffer that is large enough, as most are, and gives it to the driver. */
    private void fillOne(DescriptorChain chain, MemorySegment from) {
        from.set(LE_SHORT, offset + NetHeader.NUM_BUFFERS_OFFSET, (short) 1);
        chain.write(0, from, offset, byteCount);
        runner.complete(chain, byteCount);
        filled();
    }

    /** Puts the frame into the oldest buffers and gives them to the driver. */
    private void fill() {
        MemorySegment from = Objects.requireNonNull(memory);
        int needed = 0;
        for (long room = 0; room < byteCount; needed++) {
            room += Objects.requireNonNull(held[needed]).writableBytes();
        }
        from.set(LE_SHORT, offset + NetHeader.NUM_BUFFERS_OFFSET, (short) needed);
        int done = 0;
        for (int i = 0; i < needed; i++) {
            DescriptorChain chain = Objects.requireNonNull(held[0]);
            int here = (int) Math.min(byteCount - done, chain.writableBytes());
            chain.write(0, from, offset + done, here);
            done += here;
            heldCount--;
            heldBytes -= chain.writableBytes();
            System.arraycopy(held, 1, held, 0, heldCount);
            held[heldCount] = null;
            runner.complete(chain, here);
        }
        filled();
    }

    private void filled() {
        int frameBytes = byteCount - NetHeader.BYTES;
        rate.spend(frameBytes);
        runner.statistics().countRequests(1, frameBytes, 0);
        endFrame();
    }

    @Override
    public void stopping() {
        stopping = true;
        while (heldCount > 0) {
            heldCount--;
            DescriptorChain chain = Objects.requireNonNull(held[heldCount]);
            held[heldCount] = null;
            runner.untake(chain);
        }
        heldBytes = 0;
    }

    @Override
    public void stopped() {
        rate.close();
        source.close();
        segments.close();
    }
}
