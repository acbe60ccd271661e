package io.fairlead.devices.scsi;

import io.fairlead.devices.storage.StorageCopy;
import io.fairlead.devices.storage.StorageQueue;
import io.fairlead.devices.storage.StorageTask;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.DescriptorChain;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One command that may wait for its logical unit's storage. One a slot of the queue. */
final class ScsiTask extends StorageTask {
    private static final int BUFFER_BYTES = 1 << 20;
    private static final int BUFFER_ALIGNMENT_BYTES = 4096;
    private static final ValueLayout.OfLong BIG_LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt BIG_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final ScsiRequestHandler handler;

    /** Who waits for the command's end. */
    private final List<CommandsEnd> watchers = new ArrayList<>();

    private @Nullable LogicalUnit unit;
    private MediumCommands.Kind kind = MediumCommands.Kind.SYNCHRONIZE;
    private boolean active;
    private long tag;
    private long block;
    private long count;

    /** Where the initiator's data begins in the chain's readable bytes. */
    private long dataOffset;

    private int senseBytes;
    private int comparison;
    private boolean hasNoData;
    private boolean unmaps;
    private boolean miscompares;

    ScsiTask(ScsiRequestHandler handler, StorageQueue queue, DescriptorChain chain) {
        super(queue, chain);
        this.handler = handler;
    }

    /** Notes what the request is; its base is filled in besides. */
    ScsiTask of(LogicalUnit newUnit, MediumCommands.Kind newKind, Command command) {
        unit = newUnit;
        kind = newKind;
        block = MediumCommands.block(command);
        count = newKind == MediumCommands.Kind.UNMAP
                ? MediumCommands.unmapDescriptors(command)
                : MediumCommands.count(command);
        comparison = MediumCommands.comparison(command);
        hasNoData = MediumCommands.hasNoData(command);
        unmaps = MediumCommands.unmaps(command);
        miscompares = false;
        return this;
    }

    /** Nothing but a flush, at the end of a command that was done. */
    ScsiTask flush(LogicalUnit newUnit) {
        unit = newUnit;
        kind = MediumCommands.Kind.SYNCHRONIZE;
        count = 0;
        miscompares = false;
        return this;
    }

    /** The command is under way from now until {@link #ended}. */
    void begin(long newTag, int newDataOffset, int newSenseBytes) {
        tag = newTag;
        dataOffset = newDataOffset;
        senseBytes = newSenseBytes;
        active = true;
    }

    LogicalUnit unit() {
        LogicalUnit used = unit;
        if (used == null) {
            throw new IllegalStateException("no command in this slot yet");
        }
        return used;
    }

    MediumCommands.Kind kind() {
        return kind;
    }

    long dataOffset() {
        return dataOffset;
    }

    /** Room for sense in the response. */
    int senseBytes() {
        return senseBytes;
    }

    boolean miscompares() {
        return miscompares;
    }

    /** Has somebody wait for this command's end, where it is one of those meant and under way. */
    void watch(CommandsEnd end) {
        if (active && end.isMeant(unit(), tag)) {
            end.found();
            if (end.waits()) {
                end.hold();
                watchers.add(end);
            }
        }
    }

    @Override
    protected void answer() {
        handler.finish(this);
    }

    @Override
    protected void ended() {
        active = false;
        if (!watchers.isEmpty()) {
            watchers.forEach(CommandsEnd::letGo);
            watchers.clear();
        }
    }

    // ---- on a worker's thread ----

    @Override
    protected int runCommand() {
        return switch (kind) {
            case VERIFY -> verify();
            case WRITE_SAME -> writeSame();
            case UNMAP -> unmap();
            case READ, WRITE, SYNCHRONIZE -> 0;
        };
    }

    /** All descriptors were checked when the command was taken, and are again: the guest may write. */
    private int unmap() {
        MemorySegment descriptor = MemorySegment.ofArray(new byte[MediumCommands.UNMAP_DESCRIPTOR_BYTES]);
        long at = dataOffset + MediumCommands.UNMAP_HEADER_BYTES;
        for (int i = 0; i < count && !isFrozen(); i++) {
            chain().read(at, descriptor, 0, MediumCommands.UNMAP_DESCRIPTOR_BYTES);
            at += MediumCommands.UNMAP_DESCRIPTOR_BYTES;
            long first = descriptor.get(BIG_LONG, 0);
            long blocks = descriptor.get(BIG_INT, 8) & 0xffff_ffffL;
            if (!unit().isInside(first, blocks)) {
                return -Errno.ERANGE;
            }
            int error = blocks == 0 ? 0 : unmap(first << unit().blockShift(), blocks << unit().blockShift());
            if (error < 0) {
                return error;
            }
        }
        return 0;
    }

    private int unmap(long offset, long byteCount) {
        return unit().discardsToZeros()
                ? storage().writeZeroes(offset, byteCount, true)
                : storage().discard(offset, byteCount);
    }

    private int writeSame() {
        long offset = block << unit().blockShift();
        long byteCount = count << unit().blockShift();
        byte[] pattern = new byte[unit().blockBytes()];
        if (!hasNoData) {
            chain().read(dataOffset, MemorySegment.ofArray(pattern), 0, pattern.length);
        }
        if (isZero(pattern)) {
            return storage().writeZeroes(offset, byteCount, unmaps);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = buffer(arena, byteCount);
            for (long at = 0; at < buffer.byteSize(); at += pattern.length) {
                MemorySegment.copy(pattern, 0, buffer, ValueLayout.JAVA_BYTE, at, pattern.length);
            }
            MemorySegment iovec = arena.allocate(StorageCopy.IOVEC_BYTES, 8);
            for (long done = 0; done < byteCount && !isFrozen(); done += buffer.byteSize()) {
                int here = (int) Math.min(buffer.byteSize(), byteCount - done);
                int error = StorageCopy.write(storage(), offset + done, buffer, iovec, here);
                if (error < 0) {
                    return error;
                }
            }
        }
        return 0;
    }

    private static MemorySegment buffer(Arena arena, long byteCount) {
        return arena.allocate(Math.min(byteCount, BUFFER_BYTES), BUFFER_ALIGNMENT_BYTES);
    }

    private static boolean isZero(byte[] bytes) {
        for (byte each : bytes) {
            if (each != 0) {
                return false;
            }
        }
        return true;
    }

    private int verify() {
        long offset = block << unit().blockShift();
        long byteCount = count << unit().blockShift();
        if (byteCount == 0) {
            return 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stored = buffer(arena, byteCount);
            MemorySegment expected = MemorySegment.ofArray(new byte[(int) stored.byteSize()]);
            if (comparison == MediumCommands.COMPARE_ONE) {
                int blockBytes = unit().blockBytes();
                for (long at = 0; at < expected.byteSize(); at += blockBytes) {
                    chain().read(dataOffset, expected, at, blockBytes);
                }
            }
            MemorySegment iovec = arena.allocate(StorageCopy.IOVEC_BYTES, 8);
            for (long done = 0; done < byteCount && !isFrozen(); done += stored.byteSize()) {
                int here = (int) Math.min(stored.byteSize(), byteCount - done);
                int error = StorageCopy.read(storage(), offset + done, stored, iovec, here);
                if (error < 0) {
                    return error;
                }
                if (comparison == MediumCommands.COMPARE_ALL) {
                    chain().read(dataOffset + done, expected, 0, here);
                }
                if (comparison != MediumCommands.COMPARE_NOTHING
                        && MemorySegment.mismatch(stored, 0, here, expected, 0, here) >= 0) {
                    miscompares = true;
                    return 0;
                }
            }
        }
        return 0;
    }
}
