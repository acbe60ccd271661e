package io.fairlead.vhostuser.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/**
 * A guest that drives block devices by the contract and knows what the disk must hold. Requests of one block each, as many
 * at a time as there are slots; blocks under way are not used by another request.
 */
final class BlkGuest implements AutoCloseable {
    static final long BASE = 0x4000_0000L;
    static final int MEMORY_BYTES = 1 << 20;
    static final int BLOCK = 4096;
    static final int SLOTS = 16;
    static final int QUEUE_SIZE = 64;
    private static final long SLOTS_AT = 0x20000;
    private static final int SLOT_BYTES = 2 * BLOCK;
    private static final long PATIENCE_NANOS = 30_000_000_000L;

    final Fd memoryFd;
    final MemoryRegion region;
    final MemoryTable table;
    final byte[] content;
    final long features;
    DriverRings rings;
    DriverQueue queue;
    EventFd kick;
    EventFd call;
    private final Random random;
    private final Deque<Integer> free = new ArrayDeque<>();
    private final int[] blockOfSlot = new int[SLOTS];
    private final boolean[] writes = new boolean[SLOTS];
    private final boolean[] busy;

    BlkGuest(byte[] content, long features, long seed) throws IOException {
        this.content = content;
        this.features = features;
        random = new Random(seed);
        busy = new boolean[content.length / BLOCK];
        memoryFd = Memfd.create("guest", MEMORY_BYTES);
        region = MemoryRegion.map(memoryFd.duplicate(), 0, BASE, 0x7000_0000_0000L, MEMORY_BYTES);
        table = new MemoryTable(List.of(region));
        kick = EventFd.create("kick");
        call = EventFd.create("call");
        layRings();
    }

    private void layRings() {
        rings = DriverRings.lay(region.segment().asSlice(0, SLOTS_AT), BASE, QUEUE_SIZE, features, 0);
        queue = DriverQueue.create(rings);
        free.clear();
        for (int i = 0; i < SLOTS; i++) {
            free.add(i);
        }
        Arrays.fill(busy, false);
    }

    /** As a driver brings the device up, with fresh rings. */
    void start(VdpaDevice device) throws IOException {
        region.segment().asSlice(0, SLOTS_AT).fill((byte) 0);
        layRings();
        device.memory(table);
        device.driverFeatures(features);
        device.status(1 | 2 | 8);
        settle(device);
        device.queueReady(0, true);
        device.status(1 | 2 | 4 | 8);
    }

    /** Tells a device of the rings as they are. */
    void settle(VdpaDevice device) throws IOException {
        device.queueSize(0, QUEUE_SIZE);
        device.queueAddresses(0, rings.descriptorAddress(), rings.driverAddress(), rings.deviceAddress());
        device.queueKick(0, EventFd.adopt(kick.fd().duplicate()));
        device.queueCall(0, EventFd.adopt(call.fd().duplicate()));
    }

    /** Random reads and writes until so many are done; leaves some under way where asked for. */
    void load(int requests, boolean drained) throws DeviceFaultException {
        int done = 0;
        while (done < requests) {
            while (!free.isEmpty()) {
                submit();
            }
            publish();
            done += await(1);
        }
        if (drained) {
            drain();
        }
    }

    void drain() throws DeviceFaultException {
        while (free.size() < SLOTS) {
            int _ = await(1);
        }
    }

    int underWay() {
        return SLOTS - free.size();
    }

    void submit() {
        int block;
        do {
            block = random.nextInt(busy.length);
        } while (busy[block]);
        submit(random.nextBoolean(), block);
    }

    void submit(boolean write, int block) {
        int slot = free.removeFirst();
        busy[block] = true;
        blockOfSlot[slot] = block;
        writes[slot] = write;
        MemorySegment memory = region.segment().asSlice(SLOTS_AT + (long) slot * SLOT_BYTES, SLOT_BYTES);
        memory.asSlice(0, BlkRequest.HEADER_BYTES).fill((byte) 0);
        memory.set(ValueLayout.JAVA_INT, BlkRequest.TYPE_OFFSET, write ? BlkRequest.OUT : BlkRequest.IN);
        memory.set(ValueLayout.JAVA_LONG, BlkRequest.SECTOR_OFFSET, (long) block * BLOCK / 512);
        memory.set(ValueLayout.JAVA_BYTE, 64, (byte) 0x55);
        if (write) {
            byte[] data = new byte[BLOCK];
            random.nextBytes(data);
            System.arraycopy(data, 0, content, block * BLOCK, BLOCK);
            memory.asSlice(BLOCK).copyFrom(MemorySegment.ofArray(data));
        } else {
            memory.asSlice(BLOCK).fill((byte) 0x77);
        }
        long at = slotAddress(slot);
        boolean added = queue.add(
                new long[] {at, at + BLOCK, at + 64},
                new int[] {BlkRequest.HEADER_BYTES, BLOCK, 1},
                write ? 2 : 1,
                write ? 1 : 2,
                slot);
        assertThat(added).isTrue();
    }

    static long slotAddress(int slot) {
        return BASE + SLOTS_AT + (long) slot * SLOT_BYTES;
    }

    void publish() {
        if (queue.publish()) {
            kick.signal();
        }
    }

    /** Sleeps until so many requests are answered, as a driver that needs the device's signal. */
    int await(int count) throws DeviceFaultException {
        int done = poll();
        long start = System.nanoTime();
        while (done < count) {
            if (!queue.enableInterrupts()) {
                while (!call.drain()) {
                    assertThat(System.nanoTime() - start).as("signal").isLessThan(PATIENCE_NANOS);
                    LockSupport.parkNanos(20_000);
                }
            }
            done += poll();
            assertThat(System.nanoTime() - start).as("answer").isLessThan(PATIENCE_NANOS);
        }
        return done;
    }

    /** Takes and checks what is answered. */
    int poll() throws DeviceFaultException {
        int count = 0;
        while (queue.poll()) {
            int slot = (int) queue.token();
            int block = blockOfSlot[slot];
            MemorySegment memory = region.segment().asSlice(SLOTS_AT + (long) slot * SLOT_BYTES, SLOT_BYTES);
            assertThat(memory.get(ValueLayout.JAVA_BYTE, 64)).isEqualTo(BlkRequest.STATUS_OK);
            if (!writes[slot]) {
                assertThat(memory.asSlice(BLOCK).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo(Arrays.copyOfRange(content, block * BLOCK, (block + 1) * BLOCK));
            }
            busy[block] = false;
            free.add(slot);
            count++;
        }
        return count;
    }

    @Override
    public void close() {
        table.release();
        region.release();
        memoryFd.close();
        kick.close();
        call.close();
    }
}
