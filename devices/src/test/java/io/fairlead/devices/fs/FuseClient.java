package io.fairlead.devices.fs;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A guest that speaks FUSE by hand, one request at a time or several: what it sends is exactly what the test says. Errors
 * are negative numbers, as the device answers.
 */
final class FuseClient implements AutoCloseable {
    static final int HIPRIO = 0;
    static final int REQUESTS = 1;

    private static final int SLOT_BYTES = 2200 << 10;
    private static final int OUT_OFFSET = 1100 << 10;
    private static final int SLOTS = 8;
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final long POLL_NANOS = 20_000;

    /** What the device answered. */
    record Reply(int error, ByteBuffer body) {
        long getLong(int offset) {
            return body.getLong(offset);
        }

        int getInt(int offset) {
            return body.getInt(offset);
        }

        Reply ok() {
            assertThat(error).as("error").isZero();
            return this;
        }

        /** The file's number, of an answer that begins with an entry. */
        long nodeId() {
            return ok().getLong(FuseAttribute.EntryOut.NODEID);
        }

        String text() {
            byte[] bytes = new byte[ok().body.remaining()];
            body.duplicate().get(bytes);
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    private final EventLoopGroup loops = new EventLoopGroup(1);
    final VdpaDevice device;
    final Guest guest;
    int uid;
    int gid;
    private long unique = 2;

    /** Bytes of the answers that came and were not asked for yet, by slot. */
    private final int[] written = new int[SLOTS];

    FuseClient(Path export, Map<String, String> more) throws Exception {
        Map<String, String> attributes = new HashMap<>(Map.of("path", export.toString(), "tag", "home"));
        attributes.putAll(more);
        device = new FsType().create("fs0", attributes, loops);
        guest = new Guest(device, (long) Guest.RING_BYTES * device.queueCount() + SLOTS * SLOT_BYTES, 64, 0);
    }

    /** Starts the queues and mounts. */
    FuseClient mount() throws Exception {
        guest.start(Feature.VERSION_1);
        init(-1).ok();
        return this;
    }

    Reply init(int flags) {
        return call(
                FuseOpcode.INIT,
                0,
                bytes(Fuse.InitIn.BYTES)
                        .putInt(Fuse.InitIn.MAJOR, 7)
                        .putInt(Fuse.InitIn.MINOR, 41)
                        .putInt(Fuse.InitIn.MAX_READAHEAD, 131072)
                        .putInt(Fuse.InitIn.FLAGS, flags),
                Fuse.InitOut.BYTES);
    }

    static ByteBuffer bytes(int count) {
        return ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Arguments, then texts with a NUL each. */
    static ByteBuffer with(ByteBuffer arguments, String... texts) {
        int size = arguments.capacity();
        for (String text : texts) {
            size += text.getBytes(StandardCharsets.UTF_8).length + 1;
        }
        ByteBuffer all = bytes(size);
        all.put(arguments.duplicate().clear());
        for (String text : texts) {
            all.put(text.getBytes(StandardCharsets.UTF_8)).put((byte) 0);
        }
        return all;
    }

    static ByteBuffer names(String... texts) {
        return with(bytes(0), texts);
    }

    /** Sends one request and waits for its answer. */
    Reply call(int opcode, long nodeId, ByteBuffer arguments, int answerBytes) {
        long _ = send(REQUESTS, 0, opcode, nodeId, arguments, answerBytes);
        return reply(REQUESTS, 0);
    }

    /** Sends one that is not answered. */
    void tell(int queue, int opcode, long nodeId, ByteBuffer arguments) {
        long _ = send(queue, 0, opcode, nodeId, arguments, -1);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!poll(guest.queue(queue))) {
            assertThat(System.nanoTime() - deadline).as("nanoseconds too late").isNegative();
            LockSupport.parkNanos(POLL_NANOS);
        }
        assertThat(guest.queue(queue).writtenBytes()).isZero();
    }

    private static boolean poll(DriverQueue driver) {
        try {
            return driver.poll();
        } catch (DeviceFaultException e) {
            throw new AssertionError(e);
        }
    }

    private long slot(int slot) {
        return guest.dataOffset() + (long) slot * SLOT_BYTES;
    }

    /**
     * Sends one.
     *
     * @param slot of memory, free
     * @param answerBytes of the body; -1 for no room at all
     * @return its number
     */
    long send(int queue, int slot, int opcode, long nodeId, ByteBuffer arguments, int answerBytes) {
        int argumentBytes = arguments.capacity();
        unique += 2;
        ByteBuffer header = bytes(Fuse.InHeader.BYTES)
                .putInt(Fuse.InHeader.LEN, Fuse.InHeader.BYTES + argumentBytes)
                .putInt(Fuse.InHeader.OPCODE, opcode)
                .putLong(Fuse.InHeader.UNIQUE, unique)
                .putLong(Fuse.InHeader.NODEID, nodeId)
                .putInt(Fuse.InHeader.UID, uid)
                .putInt(Fuse.InHeader.GID, gid)
                .putInt(Fuse.InHeader.PID, 4711);
        long at = slot(slot);
        put(at, header);
        put(at + Fuse.InHeader.BYTES, arguments);
        // The data of a write by itself, as Linux has it.
        int ownBytes = opcode == FuseOpcode.WRITE ? Math.min(argumentBytes, FuseFile.WriteIn.BYTES) : argumentBytes;
        int readable = argumentBytes == 0 ? 1 : ownBytes == argumentBytes ? 2 : 3;
        int writable = answerBytes < 0 ? 0 : answerBytes == 0 ? 1 : 2;
        long[] addresses = new long[readable + writable];
        int[] lengths = new int[readable + writable];
        addresses[0] = Guest.BASE + at;
        lengths[0] = Fuse.InHeader.BYTES;
        if (readable > 1) {
            addresses[1] = addresses[0] + Fuse.InHeader.BYTES;
            lengths[1] = ownBytes;
        }
        if (readable > 2) {
            addresses[2] = addresses[1] + ownBytes;
            lengths[2] = argumentBytes - ownBytes;
        }
        if (writable > 0) {
            addresses[readable] = Guest.BASE + at + OUT_OFFSET;
            lengths[readable] = Fuse.OutHeader.BYTES;
        }
        if (writable == 2) {
            addresses[readable + 1] = addresses[readable] + Fuse.OutHeader.BYTES;
            lengths[readable + 1] = answerBytes;
        }
        assertThat(guest.queue(queue).add(addresses, lengths, readable, writable, slot))
                .isTrue();
        guest.publish(queue);
        return unique;
    }

    private void put(long offset, ByteBuffer bytes) {
        MemorySegment source = MemorySegment.ofBuffer(bytes.duplicate().clear());
        MemorySegment.copy(source, 0, guest.memory(), offset, source.byteSize());
    }

    /** Waits for the answer of the request in a slot; others that come first are kept. */
    Reply reply(int queue, int slot) {
        DriverQueue driver = guest.queue(queue);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (written[slot] == 0) {
            while (poll(driver)) {
                written[(int) driver.token()] = (int) driver.writtenBytes();
            }
            if (written[slot] == 0) {
                assertThat(System.nanoTime() - deadline)
                        .as("nanoseconds too late")
                        .isNegative();
                LockSupport.parkNanos(POLL_NANOS);
            }
        }
        int writtenBytes = written[slot];
        written[slot] = 0;
        return answer(slot, writtenBytes);
    }

    private Reply answer(int slot, int writtenBytes) {
        assertThat(writtenBytes).isGreaterThanOrEqualTo(Fuse.OutHeader.BYTES);
        byte[] bytes =
                guest.memory().asSlice(slot(slot) + OUT_OFFSET, writtenBytes).toArray(ValueLayout.JAVA_BYTE);
        ByteBuffer all = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(all.getInt(Fuse.OutHeader.LEN)).isEqualTo(writtenBytes);
        assertThat(all.getInt(Fuse.OutHeader.ERROR)).isNotPositive();
        return new Reply(
                all.getInt(Fuse.OutHeader.ERROR),
                all.slice(Fuse.OutHeader.BYTES, writtenBytes - Fuse.OutHeader.BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN));
    }

    // ---- requests that many tests make ----

    Reply lookup(long folder, String name) {
        return call(FuseOpcode.LOOKUP, folder, names(name), FuseAttribute.EntryOut.BYTES);
    }

    Reply mkdir(long folder, String name) {
        return call(
                FuseOpcode.MKDIR,
                folder,
                with(bytes(FuseName.MkdirIn.BYTES).putInt(FuseName.MkdirIn.MODE, 0755), name),
                FuseAttribute.EntryOut.BYTES);
    }

    Reply create(long folder, String name, int flags) {
        return call(
                FuseOpcode.CREATE,
                folder,
                with(
                        bytes(FuseName.CreateIn.BYTES)
                                .putInt(FuseName.CreateIn.FLAGS, flags)
                                .putInt(FuseName.CreateIn.MODE, 0100644),
                        name),
                FuseAttribute.EntryOut.BYTES + FuseFile.OpenOut.BYTES);
    }

    /** The handle of a file that was created. */
    static long createdHandle(Reply reply) {
        return reply.ok().getLong(FuseAttribute.EntryOut.BYTES);
    }

    Reply open(long node, int flags) {
        return call(FuseOpcode.OPEN, node, bytes(FuseFile.OpenIn.BYTES).putInt(0, flags), FuseFile.OpenOut.BYTES);
    }

    Reply write(long node, long handle, long offset, String text) {
        ByteBuffer arguments = writeIn(handle, offset, text.getBytes(StandardCharsets.UTF_8));
        return call(FuseOpcode.WRITE, node, arguments, FuseFile.WriteOut.BYTES);
    }

    static ByteBuffer writeIn(long handle, long offset, byte[] data) {
        return bytes(FuseFile.WriteIn.BYTES + data.length)
                .putLong(FuseFile.WriteIn.FH, handle)
                .putLong(FuseFile.WriteIn.OFFSET, offset)
                .putInt(FuseFile.WriteIn.SIZE, data.length)
                .put(FuseFile.WriteIn.BYTES, data);
    }

    Reply read(long node, long handle, long offset, int size) {
        return call(FuseOpcode.READ, node, readIn(handle, offset, size), size);
    }

    static ByteBuffer readIn(long handle, long offset, int size) {
        return bytes(FuseFile.ReadIn.BYTES)
                .putLong(FuseFile.ReadIn.FH, handle)
                .putLong(FuseFile.ReadIn.OFFSET, offset)
                .putInt(FuseFile.ReadIn.SIZE, size);
    }

    Reply release(int opcode, long node, long handle) {
        return call(opcode, node, bytes(FuseFile.ReleaseIn.BYTES).putLong(FuseFile.ReleaseIn.FH, handle), 0);
    }

    static ByteBuffer lock(long handle, long owner, long start, long end, int type, int flags) {
        return bytes(FuseFile.LkIn.BYTES)
                .putLong(FuseFile.LkIn.FH, handle)
                .putLong(FuseFile.LkIn.OWNER, owner)
                .putLong(FuseFile.LkIn.LK + FuseFile.FileLock.START, start)
                .putLong(FuseFile.LkIn.LK + FuseFile.FileLock.END, end)
                .putInt(FuseFile.LkIn.LK + FuseFile.FileLock.TYPE, type)
                .putInt(FuseFile.LkIn.LK + FuseFile.FileLock.PID, (int) owner)
                .putInt(FuseFile.LkIn.LK_FLAGS, flags);
    }

    void forget(long node, long count) {
        tell(HIPRIO, FuseOpcode.FORGET, node, bytes(Fuse.ForgetIn.BYTES).putLong(0, count));
    }

    @Override
    public void close() throws IOException {
        device.close();
        guest.close();
        loops.close();
    }
}
