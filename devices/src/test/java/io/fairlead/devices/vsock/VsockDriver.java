package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.VsockPacket;
import io.fairlead.virtio.parts.Octets;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;

/** A guest's driver that sends and takes packets of sockets one by one. */
final class VsockDriver implements AutoCloseable {
    static final long CID = 3;
    static final int BUFFER_BYTES = 4096;
    private static final int BUFFERS = 32;
    private static final int SENT_BYTES = 80 << 10;
    private static final int QUEUE_SIZE = 64;
    private static final int RX = VsockPacket.RECEIVE_QUEUE;
    private static final int TX = VsockPacket.TRANSMIT_QUEUE;
    private static final int EVENT = VsockPacket.EVENT_QUEUE;

    /** One packet. */
    record Packet(
            long srcCid,
            long dstCid,
            int srcPort,
            int dstPort,
            int type,
            int op,
            int flags,
            int bufAlloc,
            int fwdCnt,
            Octets data) {
        /** One of a guest with room for 64 KiB. */
        static Packet of(int guestPort, int hostPort, int op, byte... data) {
            return new Packet(
                    CID,
                    VsockPacket.CID_HOST,
                    guestPort,
                    hostPort,
                    VsockPacket.TYPE_STREAM,
                    op,
                    0,
                    64 << 10,
                    0,
                    Octets.of(data));
        }

        /** The answer to this one of the device's. */
        Packet answer(int answerOp, byte... answerData) {
            return of(dstPort, srcPort, answerOp, answerData);
        }

        Packet withFlags(int newFlags) {
            return new Packet(srcCid, dstCid, srcPort, dstPort, type, op, newFlags, bufAlloc, fwdCnt, data);
        }

        Packet withType(int newType) {
            return new Packet(srcCid, dstCid, srcPort, dstPort, newType, op, flags, bufAlloc, fwdCnt, data);
        }

        Packet withCids(long newSrcCid, long newDstCid) {
            return new Packet(newSrcCid, newDstCid, srcPort, dstPort, type, op, flags, bufAlloc, fwdCnt, data);
        }

        Packet withCredit(int newBufAlloc, int newFwdCnt) {
            return new Packet(srcCid, dstCid, srcPort, dstPort, type, op, flags, newBufAlloc, newFwdCnt, data);
        }

        byte[] bytes() {
            return ByteBuffer.allocate(VsockPacket.HEADER_BYTES + data.size())
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(srcCid)
                    .putLong(dstCid)
                    .putInt(srcPort)
                    .putInt(dstPort)
                    .putInt(data.size())
                    .putShort((short) type)
                    .putShort((short) op)
                    .putInt(flags)
                    .putInt(bufAlloc)
                    .putInt(fwdCnt)
                    .put(data.toArray())
                    .array();
        }

        static Packet parse(byte[] bytes) {
            ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            long srcCid = in.getLong();
            long dstCid = in.getLong();
            int srcPort = in.getInt();
            int dstPort = in.getInt();
            int length = in.getInt();
            int type = in.getShort();
            int op = in.getShort();
            int flags = in.getInt();
            int bufAlloc = in.getInt();
            int fwdCnt = in.getInt();
            Octets data = Octets.of(Arrays.copyOfRange(bytes, VsockPacket.HEADER_BYTES, bytes.length));
            assertThat(data.size()).isEqualTo(length);
            return new Packet(srcCid, dstCid, srcPort, dstPort, type, op, flags, bufAlloc, fwdCnt, data);
        }

        String text() {
            return new String(data.toArray(), StandardCharsets.UTF_8);
        }

        @Override
        public String toString() {
            return "op %d, %d:%d to %d:%d, flags %d, credit %d at %d, %d bytes"
                    .formatted(op, srcCid, srcPort, dstCid, dstPort, flags, bufAlloc, fwdCnt, data.size());
        }
    }

    private final VdpaDevice device;
    private final Guest guest;
    private final long sendOffset;
    private final long eventOffset;

    VsockDriver(VdpaDevice device, long features) throws Exception {
        this.device = device;
        long received = (long) device.queueCount() * Guest.RING_BYTES;
        sendOffset = received + (long) BUFFERS * BUFFER_BYTES;
        eventOffset = sendOffset + SENT_BYTES;
        guest = new Guest(device, eventOffset + 4096, QUEUE_SIZE, 0);
        start(features);
    }

    /** Begins as a driver that has just come does. */
    void start(long features) throws Exception {
        guest.start(features);
        for (int i = 0; i < BUFFERS; i++) {
            offer(i);
        }
        guest.publish(RX);
        assertThat(guest.queue(EVENT).add(new long[] {Guest.BASE + eventOffset}, new int[] {8}, 0, 1, 1))
                .isTrue();
        guest.publish(EVENT);
    }

    Guest guest() {
        return guest;
    }

    VdpaDevice device() {
        return device;
    }

    private void offer(int buffer) {
        long address = Guest.BASE + guest.dataOffset() + (long) buffer * BUFFER_BYTES;
        // In two pieces, which mean nothing.
        int first = 20 + buffer;
        assertThat(guest.queue(RX)
                        .add(
                                new long[] {address, address + first},
                                new int[] {first, BUFFER_BYTES - first},
                                0,
                                2,
                                buffer))
                .isTrue();
    }

    /** Sends a packet, and waits until the device has taken it. */
    void send(Packet packet) throws Exception {
        send(packet.bytes());
    }

    void send(byte[] bytes) throws Exception {
        put(bytes);
        awaitTaken();
    }

    /** Sends what the device may leave for later. */
    void put(byte[] bytes) {
        MemorySegment.copy(bytes, 0, guest.memory(), ValueLayout.JAVA_BYTE, sendOffset, bytes.length);
        int first = Math.min(bytes.length, 50);
        boolean one = first == bytes.length;
        long address = Guest.BASE + sendOffset;
        assertThat(guest.queue(TX)
                        .add(
                                one ? new long[] {address} : new long[] {address, address + first},
                                one ? new int[] {first} : new int[] {first, bytes.length - first},
                                one ? 1 : 2,
                                0,
                                1))
                .isTrue();
        guest.publish(TX);
    }

    void awaitTaken() throws Exception {
        DriverQueue queue = guest.queue(TX);
        await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(1)).until(queue::hasUsed);
        assertThat(queue.poll()).isTrue();
        assertThat(queue.writtenBytes()).isZero();
    }

    boolean isTaken() {
        return guest.queue(TX).hasUsed();
    }

    /** The device's next packet; null where there is none now. */
    Packet poll() throws Exception {
        DriverQueue queue = guest.queue(RX);
        if (!queue.poll()) {
            return null;
        }
        int buffer = (int) queue.token();
        byte[] bytes = guest.memory()
                .asSlice(guest.dataOffset() + (long) buffer * BUFFER_BYTES, queue.writtenBytes())
                .toArray(ValueLayout.JAVA_BYTE);
        offer(buffer);
        guest.publish(RX);
        return Packet.parse(bytes);
    }

    /** Waits for the device's next packet. */
    Packet next() throws Exception {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(() -> guest.queue(RX).hasUsed());
        return poll();
    }

    Packet next(int op) throws Exception {
        Packet packet = next();
        assertThat(packet.op).as(packet.toString()).isEqualTo(op);
        assertThat(packet.dstCid).isEqualTo(CID);
        assertThat(packet.type).isEqualTo(VsockPacket.TYPE_STREAM);
        return packet;
    }

    boolean hasEvent() {
        return guest.queue(EVENT).hasUsed();
    }

    @Override
    public void close() {
        guest.close();
    }
}
