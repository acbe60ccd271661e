package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Memfd;
import io.fairlead.linux.Vhost;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetControl;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The control queue of a network device (virtio 1.4, 5.1.6.5), with Fairlead as its driver: the guest's commands go to its
 * front-end, which tells no more of them than how many pairs of queues run, and the device wants to hear that here.
 *
 * <p>It lies in memory of ours, in an address space of its own where the device has one for it. Else it lies at the end of
 * what the device reaches, beside the guest's memory, and a guest may name its address in a buffer: so what the device is to
 * read (descriptors, commands) is mapped for reading only, and what it writes is not believed. A packed ring cannot be
 * parted so and is not used there.
 *
 * <p>Under the device's lock.
 */
final class ControlQueue implements AutoCloseable {
    /** One for what the device reads, one for what it writes. */
    static final long BYTES = 2 * PinLimit.PAGE_BYTES;

    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MAX_ENTRIES = 16;
    private static final int DATA_BYTES = 2;
    private static final long DRIVER_AREA = 1024;
    private static final long COMMAND = 2048;
    private static final long WRITTEN = PinLimit.PAGE_BYTES;
    private static final long ACKNOWLEDGEMENT = WRITTEN + 2048;
    private static final byte UNANSWERED = (byte) 0xff;

    /** The last address that every device with 39 address bits or more reaches, and x86 guests put no memory near. */
    private static final long LAST_ADDRESS = (1L << 47) - 1;

    private static final long LOOK_NANOS = 50_000;

    private final String peer;
    private final VhostVdpaLink link;
    private final VhostVdpaOffer offer;
    private final Duration patience;
    private final MemoryRegion memory;
    private final EventFd kick;
    private boolean mapped;
    private @Nullable DriverQueue queue;

    /** @param patience how long the device may take to answer a command */
    ControlQueue(String peer, VhostVdpaLink link, VhostVdpaOffer offer, Duration patience) throws IOException {
        this.peer = peer;
        this.link = link;
        this.offer = offer;
        this.patience = patience;
        long address = address(offer);
        memory = MemoryRegion.map(Memfd.create("fairlead-control-queue", BYTES), 0, address, address, BYTES);
        boolean made = false;
        try {
            kick = EventFd.create("kick of a control queue");
            made = true;
        } finally {
            if (!made) {
                memory.release();
            }
        }
    }

    /** At the end of what the device reaches, where guests have nothing. */
    static long address(VhostVdpaOffer offer) {
        long last = Long.compareUnsigned(offer.lastAddress(), LAST_ADDRESS) < 0 ? offer.lastAddress() : LAST_ADDRESS;
        return (last + 1 - BYTES) & -PinLimit.PAGE_BYTES;
    }

    /**
     * Whether the guest's memory leaves its place free.
     *
     * @throws IOException where it does not
     */
    static void requireFree(String peer, VhostVdpaOffer offer, MemoryTable table) throws IOException {
        long first = address(offer);
        for (MemoryRegion region : table.regions()) {
            if (offer.controlAddressSpace() == 0
                    && region.guestAddress() < first + BYTES
                    && first < region.guestAddress() + region.byteCount()) {
                throw new IOException(
                        "%s: %s lies where the device's control queue is, at 0x%x; give it one pair of queues"
                                .formatted(peer, region, first));
            }
        }
    }

    private boolean isApart() {
        return offer.controlAddressSpace() != 0;
    }

    // ---- for one run of the device ----

    /** Sets the queue up in a device that agreed on features and is not live. */
    void setUp(long features) throws IOException {
        map();
        memory.segment().fill((byte) 0);
        int index = offer.controlQueue();
        int size = Math.min(MAX_ENTRIES, offer.queueSizes().get(index));
        MemorySegment all = memory.segment();
        long address = memory.guestAddress();
        DriverRings rings = new DriverRings(
                size,
                features & (Feature.RING_PACKED | Feature.EVENT_IDX | Feature.IN_ORDER),
                all.asSlice(0, DRIVER_AREA),
                address,
                all.asSlice(DRIVER_AREA, COMMAND - DRIVER_AREA),
                address + DRIVER_AREA,
                all.asSlice(WRITTEN, ACKNOWLEDGEMENT - WRITTEN),
                address + WRITTEN,
                all.asSlice(BYTES),
                address + BYTES,
                0);
        DriverQueue made = DriverQueue.create(rings);
        made.disableInterrupts();
        link.size(index, size);
        link.addresses(index, rings.descriptorAddress(), rings.driverAddress(), rings.deviceAddress());
        if (offer.tellsStates()) {
            link.base(index, made.state().vringBase());
        }
        link.enable(index, true);
        queue = made;
    }

    /** The device is live and may be kicked. */
    void begin() throws IOException {
        link.kick(offer.controlQueue(), kick);
    }

    /**
     * Says how many pairs of queues are used, from the first on.
     *
     * @throws IOException where the device refuses, or does not answer
     */
    void queuePairs(int pairs) throws IOException {
        MemorySegment command = memory.segment().asSlice(COMMAND, NetControl.HEADER_BYTES + DATA_BYTES);
        command.set(ValueLayout.JAVA_BYTE, 0, (byte) NetControl.MQ);
        command.set(ValueLayout.JAVA_BYTE, 1, (byte) NetControl.MQ_VQ_PAIRS_SET);
        command.set(U16, NetControl.HEADER_BYTES, (short) pairs);
        int answer = command((int) command.byteSize(), "%d pairs of queues".formatted(pairs));
        if (answer != NetControl.OK) {
            throw new IOException("%s: the device refuses %d pairs of queues: its control queue answered %d"
                    .formatted(peer, pairs, answer));
        }
    }

    private int command(int byteCount, String what) throws IOException {
        DriverQueue running = queue;
        if (running == null) {
            throw new IllegalStateException("the control queue is not set up");
        }
        memory.segment().set(ValueLayout.JAVA_BYTE, ACKNOWLEDGEMENT, UNANSWERED);
        long address = memory.guestAddress();
        boolean added = running.add(
                new long[] {address + COMMAND, address + ACKNOWLEDGEMENT}, new int[] {byteCount, 1}, 1, 1, 0);
        if (!added) {
            throw new IllegalStateException("the control queue has no room");
        }
        running.publish();
        kick.signal();
        long end = System.nanoTime() + patience.toNanos();
        try {
            while (!running.poll()) {
                if (System.nanoTime() > end) {
                    throw new IOException("%s: the device's control queue did not answer to %s within %d ms"
                            .formatted(peer, what, patience.toMillis()));
                }
                LockSupport.parkNanos(LOOK_NANOS);
            }
        } catch (DeviceFaultException e) {
            throw new IOException("%s: the device's control queue: %s".formatted(peer, e.getMessage()), e);
        }
        return Byte.toUnsignedInt(memory.segment().get(ValueLayout.JAVA_BYTE, ACKNOWLEDGEMENT));
    }

    // ---- memory ----

    private void map() throws IOException {
        if (mapped) {
            return;
        }
        batch(Vhost.VHOST_IOTLB_BATCH_BEGIN);
        try {
            map(0, isApart() ? Vhost.VHOST_ACCESS_RW : Vhost.VHOST_ACCESS_RO);
            map(WRITTEN, Vhost.VHOST_ACCESS_RW);
            mapped = true;
        } catch (IOException e) {
            throw new IOException(
                    "%s: the kernel does not map %d bytes for the device's control queue (%s); more memory may have to be"
                                    .formatted(peer, BYTES, e.getMessage())
                            + " locked than the process may: LimitMEMLOCK=, ulimit -l",
                    e);
        } finally {
            if (!mapped) {
                invalidate();
            }
            batch(Vhost.VHOST_IOTLB_BATCH_END);
        }
    }

    private void map(long offset, int access) throws IOException {
        link.map(
                offer.controlAddressSpace(),
                memory.guestAddress() + offset,
                PinLimit.PAGE_BYTES,
                memory.segment().address() + offset,
                access);
    }

    private void invalidate() throws IOException {
        link.iotlb(Vhost.VHOST_IOTLB_INVALIDATE, offer.controlAddressSpace(), memory.guestAddress(), BYTES, 0);
    }

    private void batch(int type) throws IOException {
        if (offer.batches()) {
            link.iotlb(type, offer.controlAddressSpace(), 0, 0, 0);
        }
    }

    /** The device was reset, and does not keep what it has mapped. */
    void unmap() throws IOException {
        if (mapped) {
            mapped = false;
            batch(Vhost.VHOST_IOTLB_BATCH_BEGIN);
            try {
                invalidate();
            } finally {
                batch(Vhost.VHOST_IOTLB_BATCH_END);
            }
        }
    }

    /** The device's file is closed, and its mappings are gone with it. */
    @Override
    public void close() {
        kick.close();
        memory.release();
    }
}
