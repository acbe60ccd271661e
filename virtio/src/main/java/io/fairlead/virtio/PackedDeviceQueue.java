package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The device's side of a packed virtqueue (virtio 1.4, 2.8). See {@link DeviceQueue}; layouts: {@link RingLayout}. */
public final class PackedDeviceQueue implements DeviceQueue {
    private static final int WRAP_FLAGS = RingLayout.PACKED_AVAIL | RingLayout.PACKED_USED;

    private final QueueConfig config;
    private final int size;
    private final boolean eventIndex;
    private final boolean indirect;
    private final CompletionBuffer completions;
    private final @Nullable PackedInflight inflight;
    /** By place in the completion buffer, the chain's entry in the in-flight region. */
    private final int[] inflightRecords;

    private GuestMemory memory;
    private MemorySegment ring;
    private MemorySegment driverEvent;
    private MemorySegment deviceEvent;
    private @Nullable DirtyLog log;

    private int availableIndex;
    private boolean availableWrap;
    private int usedIndex;
    private boolean usedWrap;

    /** Ring slots from the used position to the available one. */
    private int takenSlots;

    private int inFlight;
    private boolean unfinishedHeld;
    private boolean signalDue;

    PackedDeviceQueue(QueueConfig config, GuestMemory memory) throws GuestFaultException {
        this(config, memory, config.inflight() == null ? null : new PackedInflight(config.inflight(), config.size()));
    }

    PackedDeviceQueue(QueueConfig config, GuestMemory memory, @Nullable PackedInflight inflight)
            throws GuestFaultException {
        this.config = config;
        this.memory = memory;
        this.inflight = inflight;
        size = config.size();
        eventIndex = config.has(Feature.EVENT_IDX);
        indirect = config.has(Feature.INDIRECT_DESC);
        Rings rings = Rings.of(config, memory);
        ring = rings.descriptors();
        driverEvent = rings.driver();
        deviceEvent = rings.device();
        completions = new CompletionBuffer(size, config.has(Feature.IN_ORDER));
        inflightRecords = new int[inflight == null ? 0 : completions.capacity()];

        QueueState.Packed state = (QueueState.Packed) config.state();
        takenSlots = Math.floorMod(
                position(state.availableIndex(), state.availableWrap()) - position(state.usedIndex(), state.usedWrap()),
                2 * size);
        if (state.availableIndex() >= size || state.usedIndex() >= size || takenSlots > size) {
            throw new GuestFaultException("queue state %s does not fit %d entries".formatted(state, size));
        }
        availableIndex = state.availableIndex();
        availableWrap = state.availableWrap();
        usedIndex = state.usedIndex();
        usedWrap = state.usedWrap();
        if (inflight != null && inflight.open(ring, state, checkedCarried(config.carried()))) {
            inFlight = inflight.unfinishedCount();
            completions.reserve(inFlight);
            usedIndex = inflight.usedIndex();
            usedWrap = inflight.usedWrap();
            takenSlots = inflight.unfinishedSlots();
            int after = usedIndex + takenSlots;
            availableIndex = after < size ? after : after - size;
            availableWrap = after < size == usedWrap;
            signalDue = true;
        }
    }

    private List<InflightRequests.Chain> checkedCarried(InflightRequests carried) throws GuestFaultException {
        List<InflightRequests.Chain> chains = PackedInflight.chains(carried);
        carried.requireFit(size);
        if (carried instanceof InflightRequests.Packed packed
                && !chains.isEmpty()
                && takenSlots != packed.slotCount()) {
            throw new GuestFaultException("requests of %d descriptors were carried over, but %d are taken in state %s"
                    .formatted(packed.slotCount(), takenSlots, config.state()));
        }
        return chains;
    }

    /** An index with its wrap counter as one number below twice the size, which grows along the ring. */
    private int position(int index, boolean wrap) {
        return wrap ? index : index + size;
    }

    /** Whether a descriptor's length, id and flags show a buffer of the driver's lap. */
    static boolean isAvailable(long word, boolean wrap) {
        return (flags(word) & WRAP_FLAGS) == (wrap ? RingLayout.PACKED_AVAIL : RingLayout.PACKED_USED);
    }

    private static int flags(long word) {
        return (int) (word >>> 48);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public boolean next(DescriptorChain chain) throws GuestFaultException {
        PackedInflight records = inflight;
        if (records != null && hasUnfinished(records)) {
            readUnfinished(chain, records);
            return true;
        }
        // Acquire: the rest of the chain is read after the flags of its first descriptor.
        long word = RingAccess.loadLongAcquire(ring, wordOffset(availableIndex));
        if (!isAvailable(word, availableWrap)) {
            return false;
        }
        chain.begin(memory, availableIndex);
        if (records != null) {
            records.stageChain();
        }
        int slot = availableIndex;
        boolean wrap = availableWrap;
        int free = size - takenSlots;
        int count = 0;
        while (true) {
            if (count == free || !isAvailable(word, wrap)) {
                throw badLink(slot);
            }
            long address = RingAccess.loadLong(ring, RingLayout.descriptor(slot));
            if (records != null) {
                records.stage(address, word);
            }
            addDescriptor(chain, address, word, count);
            count++;
            slot++;
            if (slot == size) {
                slot = 0;
                wrap = !wrap;
            }
            if ((flags(word) & RingLayout.NEXT) == 0) {
                break;
            }
            word = RingAccess.loadLong(ring, wordOffset(slot));
        }
        endChain(chain, word, count);
        chain.ringPosition(completions.take());
        if (records != null) {
            chain.inflightRecord(records.taken());
        }
        availableIndex = slot;
        availableWrap = wrap;
        takenSlots += count;
        inFlight++;
        return true;
    }

    /** Takes up the next request of an earlier process, whose descriptors stand in the in-flight region. */
    private void readUnfinished(DescriptorChain chain, PackedInflight records) throws GuestFaultException {
        int first = records.peekUnfinished();
        chain.begin(memory, first);
        int count = records.descriptorCount(first);
        int entry = first;
        long word = 0;
        for (int i = 0; i < count; i++) {
            word = records.descriptorWord(entry);
            addDescriptor(chain, records.address(entry), word, i);
            entry = records.next(entry);
        }
        endChain(chain, word, count);
        chain.ringPosition(completions.reserved(records.resumedCount()));
        chain.inflightRecord(first);
        chain.resumed(true);
        records.dropUnfinished();
    }

    @Override
    public void giveBack(DescriptorChain chain) {
        int position = chain.finish(0);
        PackedInflight records = inflight;
        if (chain.isResumed()) {
            Objects.requireNonNull(records).restoreUnfinished(chain.inflightRecord());
            return;
        }
        completions.untake(position);
        if (records != null) {
            records.untaken(chain.inflightRecord());
        }
        int count = chain.descriptorCount();
        availableIndex -= count;
        if (availableIndex < 0) {
            availableIndex += size;
            availableWrap = !availableWrap;
        }
        takenSlots -= count;
        inFlight--;
    }

    private void addDescriptor(DescriptorChain chain, long address, long word, int count) throws GuestFaultException {
        int flags = flags(word);
        long byteCount = word & 0xffff_ffffL;
        if ((flags & RingLayout.INDIRECT) != 0) {
            // A list has either descriptors of the ring or one table (2.8.6).
            readTable(chain, address, byteCount, indirect && count == 0 && (flags & RingLayout.NEXT) == 0);
        } else {
            chain.add(address, byteCount, (flags & RingLayout.WRITE) != 0);
        }
    }

    /** Adds an indirect table, whose descriptors follow one another (virtio 1.4, 2.8.7). */
    private void readTable(DescriptorChain chain, long address, long byteCount, boolean allowed)
            throws GuestFaultException {
        IndirectTable.check(chain, address, byteCount, allowed);
        int region = memory.regionOf(address);
        // The chain's own bound on segments ends a long table, as every descriptor adds one.
        for (long done = 0; done < byteCount; done += RingLayout.DESCRIPTOR_BYTES) {
            region = IndirectTable.regionOf(memory, address + done, region);
            MemorySegment segment = memory.segment(region);
            long offset = address + done - memory.start(region);
            long buffer = RingAccess.loadLongUnaligned(segment, offset);
            long word = RingAccess.loadLongUnaligned(segment, offset + RingLayout.DESCRIPTOR_LENGTH);
            int flags = flags(word);
            if ((flags & RingLayout.INDIRECT) != 0) {
                throw IndirectTable.nested(chain);
            }
            chain.add(buffer, word & 0xffff_ffffL, (flags & RingLayout.WRITE) != 0);
        }
    }

    private boolean hasUnfinished(PackedInflight records) {
        return records.unfinishedCount() > 0 && !unfinishedHeld;
    }

    /** Takes the id from the last descriptor. */
    private void endChain(DescriptorChain chain, long lastWord, int count) throws GuestFaultException {
        int id = (int) (lastWord >>> 32) & 0xffff;
        if (id >= size) {
            throw new GuestFaultException("buffer id %d is outside a queue of %d".formatted(id, size));
        }
        chain.id(id);
        chain.descriptorCount(count);
    }

    private GuestFaultException badLink(int slot) {
        return new GuestFaultException(
                "chain goes on at slot %d, which is not available or still taken, in a queue of %d"
                        .formatted(slot, size));
    }

    private static long wordOffset(int slot) {
        return RingLayout.descriptor(slot) + RingLayout.DESCRIPTOR_LENGTH;
    }

    @Override
    public boolean hasNext() {
        return (inflight != null && hasUnfinished(inflight))
                || isAvailable(RingAccess.loadLongAcquire(ring, wordOffset(availableIndex)), availableWrap);
    }

    @Override
    public void complete(DescriptorChain chain, long writtenBytes) {
        int position = chain.finish(writtenBytes);
        DirtyLog dirty = log;
        if (dirty != null) {
            chain.markWritten(dirty, writtenBytes);
        }
        int place = completions.put(position, CompletionBuffer.entry(chain, writtenBytes));
        if (inflight != null) {
            inflightRecords[place] = chain.inflightRecord();
        }
    }

    @Override
    public boolean publish() {
        int before = position(usedIndex, usedWrap);
        int slots = inflight == null ? publishBatch() : publishOneByOne(inflight);
        boolean signal = signalDue;
        signalDue = false;
        if (slots == 0) {
            return signal;
        }
        takenSlots -= slots;
        // Full: the driver writes its wish and then looks at the ring; this side the other way round.
        VarHandle.fullFence();
        return wantsSignal(before, slots) || signal;
    }

    /** Writes the first descriptor of the batch last: the driver sees all of it or nothing. Returns the slots used. */
    private int publishBatch() {
        int place = completions.poll();
        if (place < 0) {
            return 0;
        }
        int firstSlot = usedIndex;
        long entry = completions.entryAt(place);
        long firstWord = usedWord(entry, usedWrap);
        int slots = CompletionBuffer.descriptorCount(entry);
        advanceUsed(slots);
        int chains = 1;
        for (place = completions.poll(); place >= 0; place = completions.poll()) {
            entry = completions.entryAt(place);
            writeUsed(usedIndex, usedWord(entry, usedWrap));
            int count = CompletionBuffer.descriptorCount(entry);
            advanceUsed(count);
            slots += count;
            chains++;
        }
        writeUsed(firstSlot, firstWord);
        inFlight -= chains;
        return slots;
    }

    /** Writes one used descriptor after the other, each with its record of being in flight. Returns the slots used. */
    private int publishOneByOne(PackedInflight records) {
        int slots = 0;
        for (int place = completions.poll(); place >= 0; place = completions.poll()) {
            long entry = completions.entryAt(place);
            int record = inflightRecords[place];
            int slot = usedIndex;
            long word = usedWord(entry, usedWrap);
            int count = CompletionBuffer.descriptorCount(entry);
            advanceUsed(count);
            records.using(record, usedIndex, usedWrap);
            writeUsed(slot, word);
            records.stored();
            records.used(record);
            slots += count;
            inFlight--;
        }
        return slots;
    }

    private static long usedWord(long entry, boolean wrap) {
        long length = CompletionBuffer.writtenBytes(entry);
        long flags = (wrap ? WRAP_FLAGS : 0) | (length != 0 ? RingLayout.WRITE : 0);
        return (flags << 48) | ((long) CompletionBuffer.id(entry) << 32) | length;
    }

    private void writeUsed(int slot, long word) {
        long offset = wordOffset(slot);
        // Release: the driver reads buffers and the descriptors that follow after these flags.
        RingAccess.storeLongRelease(ring, offset, word);
        DirtyLog dirty = log;
        if (dirty != null) {
            dirty.mark(config.descriptorAddress() + offset, Long.BYTES);
        }
    }

    private void advanceUsed(int slots) {
        int index = usedIndex + slots;
        if (index >= size) {
            index -= size;
            usedWrap = !usedWrap;
        }
        usedIndex = index;
    }

    /** Whether the driver's event lies among the {@code slots} used slots from the position {@code before} on. */
    private boolean wantsSignal(int before, int slots) {
        // One load: the flags go with the descriptor beside them.
        int event = RingAccess.loadInt(driverEvent, 0);
        int flags = (event >>> 16) & RingLayout.EVENT_FLAGS_MASK;
        if (flags != RingLayout.EVENT_FLAGS_DESCRIPTOR || !eventIndex) {
            return flags != RingLayout.EVENT_FLAGS_DISABLE;
        }
        int index = event & (RingLayout.EVENT_WRAP - 1);
        boolean wrap = (event & RingLayout.EVENT_WRAP) != 0;
        return Math.floorMod(position(index, wrap) - before, 2 * size) < slots;
    }

    @Override
    public void disableNotifications() {
        writeEvent(0, RingLayout.EVENT_FLAGS_DISABLE);
    }

    @Override
    public boolean enableNotifications() {
        if (eventIndex) {
            writeEvent(availableIndex | (availableWrap ? RingLayout.EVENT_WRAP : 0), RingLayout.EVENT_FLAGS_DESCRIPTOR);
        } else {
            writeEvent(0, RingLayout.EVENT_FLAGS_ENABLE);
        }
        // Full: the driver writes its buffer and then looks at the wish; this side the other way round.
        VarHandle.fullFence();
        return hasNext();
    }

    private void writeEvent(int descriptor, int flags) {
        RingAccess.storeInt(deviceEvent, 0, (flags << 16) | descriptor);
        DirtyLog dirty = log;
        if (dirty != null) {
            dirty.mark(config.deviceAddress(), RingLayout.EVENT_BYTES);
        }
    }

    @Override
    public int inFlight() {
        return inFlight;
    }

    @Override
    public int unfinished() {
        return inflight == null ? 0 : inflight.unfinishedCount();
    }

    @Override
    public void holdUnfinished(boolean held) {
        unfinishedHeld = held;
    }

    @Override
    public QueueState.Packed state() {
        return new QueueState.Packed(availableIndex, availableWrap, usedIndex, usedWrap);
    }

    @Override
    public void memory(GuestMemory newMemory) throws GuestFaultException {
        Rings rings = Rings.of(config, newMemory);
        memory = newMemory;
        ring = rings.descriptors();
        driverEvent = rings.driver();
        deviceEvent = rings.device();
    }

    @Override
    public void dirtyLog(@Nullable DirtyLog newLog) {
        log = newLog;
    }
}
