package io.fairlead.devices.blk;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.fairlead.devices.base.Guest;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/** A driver of a block device for tests: requests over pieces of memory of any length, one queue. */
final class Disk {
    /** A request under way. */
    static final class Request {
        final int type;
        final long sector;
        final byte[] out;
        final int inBytes;
        private final List<long[]> readable = new ArrayList<>();
        private final List<long[]> writable = new ArrayList<>();
        private final long slot;
        byte status = (byte) 0xee;
        byte[] in = new byte[0];
        long writtenBytes;
        boolean done;

        Request(int type, long sector, byte[] out, int inBytes, long slot) {
            this.type = type;
            this.sector = sector;
            this.out = out;
            this.inBytes = inBytes;
            this.slot = slot;
        }
    }

    /** Decides where a run of bytes is cut: the next piece's length. */
    interface Cut {
        int next(int left);

        Cut WHOLE = left -> left;
    }

    static final int SLOT_BYTES = 512 << 10;

    private final Guest guest;
    private final int queue;
    private final int slots;
    private final long firstSlot;
    private final List<Long> freeSlots = new ArrayList<>();
    private final Map<Long, Request> outstanding = new HashMap<>();
    private long nextToken = 1;

    Disk(Guest guest, int queue, int slots) {
        this.guest = guest;
        this.queue = queue;
        this.slots = slots;
        firstSlot = guest.dataOffset() + (long) queue * slots * SLOT_BYTES;
        for (int i = slots - 1; i >= 0; i--) {
            freeSlots.add(firstSlot + (long) i * SLOT_BYTES);
        }
    }

    static long memoryBytes(int queues, int slots) {
        return (long) queues * (Guest.RING_BYTES + (long) slots * SLOT_BYTES);
    }

    int slots() {
        return slots;
    }

    int outstanding() {
        return outstanding.size();
    }

    /** Header and data cut separately, as Linux does. */
    Request submit(int type, long sector, byte[] out, int inBytes) {
        return submit(type, sector, out, inBytes, Cut.WHOLE, true);
    }

    /** @param framed header and status in pieces of their own */
    Request submit(int type, long sector, byte[] out, int inBytes, Cut cut, boolean framed) {
        Request request = new Request(type, sector, out, inBytes, freeSlots.removeLast());
        MemorySegment memory = guest.memory();
        long at = request.slot;
        memory.set(ValueLayout.JAVA_INT, at, type);
        memory.set(ValueLayout.JAVA_INT, at + 4, 0);
        memory.set(ValueLayout.JAVA_LONG, at + 8, sector);
        long data = framed ? at + 512 : at + 16;
        MemorySegment.copy(MemorySegment.ofArray(out), 0, memory, data, out.length);
        if (framed) {
            request.readable.add(new long[] {at, 16});
            addCut(request.readable, data, out.length, cut);
        } else {
            addCut(request.readable, at, 16 + out.length, cut);
        }
        long in = (data + out.length + 4095) & -4096;
        memory.asSlice(in, inBytes + 1).fill((byte) 0xee);
        if (framed) {
            addCut(request.writable, in, inBytes, cut);
            request.writable.add(new long[] {in + inBytes, 1});
        } else {
            addCut(request.writable, in, inBytes + 1, cut);
        }
        add(request);
        return request;
    }

    private static void addCut(List<long[]> pieces, long offset, int byteCount, Cut cut) {
        int at = 0;
        while (at < byteCount) {
            int here = Math.clamp(cut.next(byteCount - at), 1, byteCount - at);
            pieces.add(new long[] {offset + at, here});
            at += here;
        }
    }

    private void add(Request request) {
        int count = request.readable.size() + request.writable.size();
        long[] addresses = new long[count];
        int[] lengths = new int[count];
        int i = 0;
        for (List<long[]> pieces : List.of(request.readable, request.writable)) {
            for (long[] piece : pieces) {
                addresses[i] = Guest.BASE + piece[0];
                lengths[i++] = (int) piece[1];
            }
        }
        long token = nextToken++;
        if (!guest.queue(queue).add(addresses, lengths, request.readable.size(), request.writable.size(), token)) {
            throw new IllegalStateException("no room in the queue");
        }
        outstanding.put(token, request);
    }

    boolean hasRoom(int pieces) {
        return !freeSlots.isEmpty() && guest.queue(queue).hasRoom(pieces);
    }

    void publish() {
        guest.publish(queue);
    }

    /** Takes what is used; without waiting. */
    int poll() throws IOException {
        int count = 0;
        try {
            while (guest.queue(queue).poll()) {
                Request request = outstanding.remove(guest.queue(queue).token());
                request.writtenBytes = guest.queue(queue).writtenBytes();
                finish(request);
                count++;
            }
        } catch (DeviceFaultException e) {
            throw new IOException(e);
        }
        return count;
    }

    private void finish(Request request) {
        byte[] all = new byte[request.inBytes + 1];
        int at = 0;
        for (long[] piece : request.writable) {
            MemorySegment.copy(guest.memory(), ValueLayout.JAVA_BYTE, piece[0], all, at, (int) piece[1]);
            at += (int) piece[1];
        }
        request.in = java.util.Arrays.copyOf(all, request.inBytes);
        request.status = all[request.inBytes];
        request.done = true;
        freeSlots.add(request.slot);
    }

    /** Waits for the device as a driver that sleeps: for its signal. */
    void await(Request request) throws IOException {
        long deadline = System.nanoTime() + SECONDS.toNanos(30);
        while (!request.done) {
            if (poll() == 0 && !guest.queue(queue).enableInterrupts()) {
                while (!guest.call(queue).drain()) {
                    if (System.nanoTime() > deadline) {
                        throw new IOException("no signal for " + BlkRequest.typeName(request.type));
                    }
                    LockSupport.parkNanos(20_000);
                }
            }
            if (System.nanoTime() > deadline) {
                throw new IOException("no answer to " + BlkRequest.typeName(request.type));
            }
        }
    }

    Request call(int type, long sector, byte[] out, int inBytes) throws IOException {
        Request request = submit(type, sector, out, inBytes);
        publish();
        await(request);
        return request;
    }

    byte[] read(long sector, int byteCount) throws IOException {
        Request request = call(BlkRequest.IN, sector, new byte[0], byteCount);
        if (request.status != BlkRequest.STATUS_OK) {
            throw new IOException("read failed with status " + request.status);
        }
        return request.in;
    }

    byte write(long sector, byte[] data) throws IOException {
        return call(BlkRequest.OUT, sector, data, 0).status;
    }

    byte flush() throws IOException {
        return call(BlkRequest.FLUSH, 0, new byte[0], 0).status;
    }

    /** Data of DISCARD and WRITE_ZEROES: {sector, sectors, flags} each. */
    static byte[] ranges(long... fields) {
        byte[] data = new byte[fields.length / 3 * 16];
        MemorySegment bytes = MemorySegment.ofArray(data);
        for (int i = 0; i < fields.length / 3; i++) {
            bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, i * 16L, fields[3 * i]);
            bytes.set(ValueLayout.JAVA_INT_UNALIGNED, i * 16L + 8, (int) fields[3 * i + 1]);
            bytes.set(ValueLayout.JAVA_INT_UNALIGNED, i * 16L + 12, (int) fields[3 * i + 2]);
        }
        return data;
    }
}
