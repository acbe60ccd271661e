package io.fairlead.devices.blk;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.storage.StubStorage;
import io.fairlead.linux.Errno;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.SplitInflight;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a disk makes of slow, broken and short storage. */
class BlkStorageTest {
    private static final byte[] NONE = new byte[0];

    private EventLoopGroup loops;
    private StubStorage backend;
    private BlkDevice device;
    private Guest guest;
    private Disk disk;

    @BeforeEach
    void make() throws IOException {
        loops = new EventLoopGroup(1);
        backend = new StubStorage();
        device = StubDisk.of(backend, loops, 1);
        guest = new Guest(device, Disk.memoryBytes(1, 8), 64, 0);
        byte[] content = new byte[StubStorage.BYTES];
        new Random(1).nextBytes(content);
        MemorySegment.copy(MemorySegment.ofArray(content), 0, backend.content, 0, content.length);
    }

    @AfterEach
    void close() throws IOException {
        backend.gate.countDown();
        device.close();
        guest.close();
        loops.close();
        assertThat(backend.closed).isTrue();
        backend.arena.close();
    }

    private void start(long without) throws IOException {
        guest.start(device.deviceFeatures() & ~without);
        disk = new Disk(guest, 0, 8);
    }

    private byte[] stored(long offset, int count) {
        return backend.content.asSlice(offset, count).toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void aSlowRequestHoldsUpNoOther() throws IOException {
        start(0);
        backend.slowOffset = 4096;
        backend.gate = new CountDownLatch(1);
        Disk.Request slow = disk.submit(BlkRequest.IN, 8, NONE, 512);
        disk.publish();
        for (int i = 0; i < 100; i++) {
            assertThat(disk.read(100 + i, 512)).isEqualTo(stored((100 + i) * 512L, 512));
            assertThat(disk.write(300 + i, new byte[512])).isEqualTo(BlkRequest.STATUS_OK);
        }
        assertThat(disk.flush()).isEqualTo(BlkRequest.STATUS_OK);
        assertThat(slow.done).isFalse();
        backend.gate.countDown();
        disk.await(slow);
        assertThat(slow.in).isEqualTo(stored(4096, 512));
    }

    @Test
    void stopWaitsForWhatIsInFlight() throws Exception {
        start(0);
        backend.slowOffset = 4096;
        backend.gate = new CountDownLatch(1);
        Disk.Request slow = disk.submit(BlkRequest.OUT, 8, new byte[512], 0);
        disk.publish();
        disk.read(0, 512);
        Thread stopper = Thread.ofPlatform().start(() -> {
            try {
                device.suspend();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        while (stopper.getState() == Thread.State.RUNNABLE || stopper.getState() == Thread.State.NEW) {
            Thread.onSpinWait();
        }
        assertThat(disk.poll()).isZero();
        assertThat(stopper.isAlive()).isTrue();
        backend.gate.countDown();
        stopper.join();
        disk.poll();
        assertThat(slow.done).isTrue();
        assertThat(slow.status).isEqualTo(BlkRequest.STATUS_OK);
        assertThat(device.queueState(0)).isEqualTo(new QueueState.Packed(6, true, 6, true));
        Disk.Request waiting = disk.submit(BlkRequest.IN, 0, NONE, 512);
        disk.publish();
        assertThat(disk.poll()).isZero();
        device.resume();
        disk.await(waiting);
        assertThat(waiting.status).isEqualTo(BlkRequest.STATUS_OK);
    }

    @Test
    void goesOnAfterShortReadsAndWrites() throws IOException {
        start(0);
        backend.limit = 700;
        byte[] data = new byte[8192];
        new Random(5).nextBytes(data);
        assertThat(disk.write(40, data)).isEqualTo(BlkRequest.STATUS_OK);
        assertThat(stored(40 * 512, 8192)).isEqualTo(data);
        assertThat(disk.read(40, 8192)).isEqualTo(data);
    }

    @Test
    void errorsOfTheStorageFailTheRequestAlone() throws IOException {
        start(0);
        backend.readError = -Errno.EIO;
        assertThat(disk.call(BlkRequest.IN, 0, NONE, 4096).status).isEqualTo(BlkRequest.STATUS_IOERR);
        backend.readError = 0;
        backend.writeError = -Errno.ENOSPC;
        assertThat(disk.write(0, new byte[512])).isEqualTo(BlkRequest.STATUS_IOERR);
        backend.writeError = 0;
        backend.flushError = -Errno.EIO;
        assertThat(disk.flush()).isEqualTo(BlkRequest.STATUS_IOERR);
        assertThat(disk.read(0, 512)).isEqualTo(stored(0, 512));
        assertThat(device.statistics().total().failedRequests()).isEqualTo(3);
        assertThat(device.status() & 64).isZero();
    }

    @Test
    void writesAreDurableWithoutFlush() throws IOException {
        start(BlkConfig.F_FLUSH | BlkConfig.F_CONFIG_WCE);
        backend.log.clear();
        assertThat(disk.write(2, new byte[512])).isEqualTo(BlkRequest.STATUS_OK);
        assertThat(backend.log).containsExactly("write 1024", "flush");
        backend.log.clear();
        assertThat(disk.call(BlkRequest.WRITE_ZEROES, 0, Disk.ranges(4, 2, 1), 0).status)
                .isEqualTo(BlkRequest.STATUS_OK);
        assertThat(backend.log).containsExactly("zero 2048 1024 true", "flush");
        backend.flushError = -Errno.EIO;
        assertThat(disk.write(2, new byte[512])).isEqualTo(BlkRequest.STATUS_IOERR);
    }

    @Test
    void theDriverChoosesTheCache() throws IOException {
        start(0);
        disk.write(2, new byte[512]);
        assertThat(backend.flushes).hasValue(0);
        int offset = BlkConfig.WRITEBACK.offset();
        device.writeConfig(offset, MemorySegment.ofArray(new byte[] {0}));
        disk.write(2, new byte[512]);
        assertThat(backend.flushes).hasValue(1);
        device.writeConfig(offset, MemorySegment.ofArray(new byte[] {1}));
        disk.write(2, new byte[512]);
        assertThat(backend.flushes).hasValue(1);
        device.writeConfig(offset, MemorySegment.ofArray(new byte[] {0}));
        device.reset();
        MemorySegment value = MemorySegment.ofArray(new byte[1]);
        device.readConfig(offset, value);
        assertThat(value.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
        device.writeConfig(0, MemorySegment.ofArray(new byte[] {9}));
        MemorySegment capacity = MemorySegment.ofArray(new byte[8]);
        device.readConfig(0, capacity);
        assertThat(capacity.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) (StubStorage.BYTES / 512));
    }

    @Test
    void requestsWithoutHeaderOrStatusNeedAReset() throws IOException {
        long header = Guest.BASE + guest.dataOffset();
        for (int[] bytes : new int[][] {{15, 1}, {16, 0}, {1, 0}}) {
            start(0);
            int writable = bytes[1];
            int[] lengths = writable == 0 ? new int[] {bytes[0]} : bytes;
            assertThat(guest.queue(0).add(new long[] {header, header + 512}, lengths, 1, writable, 1))
                    .isTrue();
            disk.publish();
            await().atMost(20, SECONDS).until(() -> (device.status() & 64) != 0);
            device.reset();
            assertThat(device.status()).isZero();
        }
        assertThat(device.statistics().total().guestFaults()).isEqualTo(3);
        start(0);
        assertThat(disk.read(0, 512)).isEqualTo(stored(0, 512));
    }

    @Test
    void anotherProcessTakesUpWhatWasInFlight() throws IOException {
        long features = device.deviceFeatures() & ~Feature.RING_PACKED;
        long regionBytes = SplitInflight.byteCount(64);
        MemorySegment region = backend.arena.allocate(regionBytes, 64);
        device.driverFeatures(features);
        guest.prepareQueue(0, features);
        device.queueInflight(0, region);
        device.queueReady(0, true);
        disk = new Disk(guest, 0, 8);
        disk.read(0, 512);
        backend.slowOffset = 4096;
        backend.gate = new CountDownLatch(1);
        byte[] data = new byte[512];
        new Random(8).nextBytes(data);
        Disk.Request lost = disk.submit(BlkRequest.OUT, 8, data, 0);
        disk.publish();
        assertThat(disk.read(2, 512)).isEqualTo(stored(1024, 512));
        // As after a kill: what the memory held at this moment, and a device that knows nothing else.
        MemorySegment left = backend.arena.allocate(regionBytes, 64).copyFrom(region);
        StubStorage fresh = new StubStorage();
        try (EventLoopGroup otherLoops = new EventLoopGroup(1);
                BlkDevice other = StubDisk.of(fresh, otherLoops, 1)) {
            guest.attach(other);
            other.driverFeatures(features);
            other.queueInflight(0, left);
            guest.connect(other, 0);
            other.queueReady(0, true);
            disk.await(lost);
            assertThat(lost.status).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(fresh.content.asSlice(4096, 512).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(data);
            assertThat(disk.write(16, data)).isEqualTo(BlkRequest.STATUS_OK);
            assertThat(disk.outstanding()).isZero();
        }
        fresh.arena.close();
    }
}
