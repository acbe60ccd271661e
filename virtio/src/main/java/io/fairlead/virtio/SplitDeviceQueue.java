package io.fairlead.virtio;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The device's side of a split virtqueue (virtio 1.4, 2.7). See {@link DeviceQueue}; layouts: {@link RingLayout}. */
public final class SplitDeviceQueue implements DeviceQueue {
    private final QueueConfig config;
    private final int size;
    private final boolean eventIndex;
    private final boolean indirect;
    private final CompletionBuffer completions;
    private final @Nullable SplitInflight inflight;

    private GuestMemory memory;
    private MemorySegment descriptors;
    private MemorySegment available;
    private MemorySegment used;
    private @Nullable DirtyLog log;

    /** The next entry of the available ring to take; all indices are free-running, 16 bits. */
    private int nextAvailable;
    /** The driver's index as last read; entries before it are valid. */
    private int knownAvailable;
    /** The used ring's index as the driver sees it. */
    private int usedIndex;

    private int inFlight;
    private boolean unfinishedHeld;
    private boolean signalDue;

    SplitDeviceQueue(QueueConfig config, GuestMemory memory) throws GuestFaultException {
        this(config, memory, config.inflight() == null ? null : new SplitInflight(config.inflight(), config.size()));
    }

    SplitDeviceQueue(QueueConfig config, GuestMemory memory, @Nullable SplitInflight inflight)
            throws GuestFaultException {
        this.config = config;
        this.memory = memory;
        this.inflight = inflight;
        size = config.size();
        eventIndex = config.has(Feature.EVENT_IDX);
        indirect = config.has(Feature.INDIRECT_DESC);
        Rings rings = Rings.of(config, memory);
        descriptors = rings.descriptors();
        available = rings.driver();
        used = rings.device();
        completions = new CompletionBuffer(size, config.has(Feature.IN_ORDER));
        usedIndex = RingAccess.loadShort(used, RingLayout.USED_INDEX);
        nextAvailable = ((QueueState.Split) config.state()).availableIndex();
        if (inflight != null && inflight.open(usedIndex, checkedCarried(config.carried()))) {
            inFlight = inflight.unfinishedCount();
            nextAvailable = (usedIndex + inFlight) & 0xffff;
            completions.reserve(inFlight);
            signalDue = true;
        } else if (taken() > size) {
            throw new GuestFaultException("available index %d and used index %d are further apart than %d entries"
                    .formatted(nextAvailable, usedIndex, size));
        }
        knownAvailable = nextAvailable;
    }

    private List<Integer> checkedCarried(InflightRequests carried) throws GuestFaultException {
        List<Integer> heads = SplitInflight.heads(carried);
        carried.requireFit(size);
        if (!heads.isEmpty() && taken() != heads.size()) {
            throw new GuestFaultException(
                    "%d requests were carried over, but the available index %d is %d ahead of used"
                            .formatted(heads.size(), nextAvailable, taken()));
        }
        return heads;
    }

    /** Entries between the used index and the next available one. */
    private int taken() {
        return (nextAvailable - usedIndex) & 0xffff;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public boolean next(DescriptorChain chain) throws GuestFaultException {
        SplitInflight records = inflight;
        if (records != null && hasUnfinished(records)) {
            readChain(chain, records.peekUnfinished());
            chain.ringPosition(completions.reserved(records.resumedCount()));
            chain.resumed(true);
            records.dropUnfinished();
            return true;
        }
        int index = nextAvailable;
        if (index == knownAvailable && !lookAhead()) {
            return false;
        }
        if (taken() == size) {
            throw new GuestFaultException("more than %d buffers are available at once".formatted(size));
        }
        int head = RingAccess.loadShort(available, RingLayout.availableEntry(index & (size - 1)));
        readChain(chain, head);
        if (records != null) {
            if (records.isInFlight(head)) {
                throw new GuestFaultException("chain %d is available again before it was used".formatted(head));
            }
            records.taken(head);
        }
        chain.ringPosition(completions.take());
        nextAvailable = (index + 1) & 0xffff;
        inFlight++;
        return true;
    }

    @Override
    public void giveBack(DescriptorChain chain) {
        int position = chain.finish(0);
        SplitInflight records = inflight;
        if (chain.isResumed()) {
            Objects.requireNonNull(records).restoreUnfinished(chain.id());
            return;
        }
        int index = (nextAvailable - 1) & 0xffff;
        completions.untake(position);
        if (records != null) {
            records.untaken(chain.id());
        }
        nextAvailable = index;
        inFlight--;
    }

    /** Reads the driver's index; whether it is ahead. */
    private boolean lookAhead() throws GuestFaultException {
        // Acquire: entries and descriptors are read after the index that covers them.
        int index = RingAccess.loadShortAcquire(available, RingLayout.AVAILABLE_INDEX);
        int ahead = (index - nextAvailable) & 0xffff;
        if (ahead > size) {
            throw new GuestFaultException(
                    "available index %d is %d ahead in a queue of %d".formatted(index, ahead, size));
        }
        knownAvailable = index;
        return ahead > 0;
    }

    private void readChain(DescriptorChain chain, int head) throws GuestFaultException {
        chain.begin(memory, head);
        MemorySegment table = descriptors;
        int index = head;
        int count = 0;
        while (true) {
            if (index >= size || count == size) {
                throw badLink(head, index);
            }
            count++;
            long address = RingAccess.loadLong(table, RingLayout.descriptor(index));
            long word = RingAccess.loadLong(table, RingLayout.descriptor(index) + RingLayout.DESCRIPTOR_LENGTH);
            long byteCount = word & 0xffff_ffffL;
            int flags = flags(word);
            if ((flags & RingLayout.INDIRECT) != 0) {
                readTable(chain, address, byteCount, flags);
                break;
            }
            chain.add(address, byteCount, (flags & RingLayout.WRITE) != 0);
            if ((flags & RingLayout.NEXT) == 0) {
                break;
            }
            index = next(word);
        }
        chain.descriptorCount(count);
    }

    /** Adds an indirect table (virtio 1.4, 2.7.5.3), which may follow descriptors of the ring. */
    private void readTable(DescriptorChain chain, long address, long byteCount, int flags) throws GuestFaultException {
        IndirectTable.check(chain, address, byteCount, indirect && (flags & RingLayout.NEXT) == 0);
        int entries = (int) (byteCount / RingLayout.DESCRIPTOR_BYTES);
        int region = memory.regionOf(address);
        int index = 0;
        // The chain's own bound on segments ends a loop, as every descriptor adds one.
        while (true) {
            if (index >= entries) {
                throw badLink(chain.id(), index);
            }
            long at = address + RingLayout.descriptor(index);
            region = IndirectTable.regionOf(memory, at, region);
            MemorySegment segment = memory.segment(region);
            long offset = at - memory.start(region);
            long buffer = RingAccess.loadLongUnaligned(segment, offset);
            long word = RingAccess.loadLongUnaligned(segment, offset + RingLayout.DESCRIPTOR_LENGTH);
            int entryFlags = flags(word);
            if ((entryFlags & RingLayout.INDIRECT) != 0) {
                throw IndirectTable.nested(chain);
            }
            chain.add(buffer, word & 0xffff_ffffL, (entryFlags & RingLayout.WRITE) != 0);
            if ((entryFlags & RingLayout.NEXT) == 0) {
                return;
            }
            index = next(word);
        }
    }

    private static int flags(long word) {
        return (int) (word >>> 32) & 0xffff;
    }

    private static int next(long word) {
        return (int) (word >>> 48);
    }

    private static GuestFaultException badLink(int head, int index) {
        return new GuestFaultException(
                "chain %d goes on at descriptor %d, which is outside its table or was seen before"
                        .formatted(head, index));
    }

    @Override
    public boolean hasNext() {
        return (inflight != null && hasUnfinished(inflight))
                || RingAccess.loadShortAcquire(available, RingLayout.AVAILABLE_INDEX) != nextAvailable;
    }

    private boolean hasUnfinished(SplitInflight records) {
        return records.unfinishedCount() > 0 && !unfinishedHeld;
    }

    @Override
    public void complete(DescriptorChain chain, long writtenBytes) {
        int position = chain.finish(writtenBytes);
        DirtyLog dirty = log;
        if (dirty != null) {
            chain.markWritten(dirty, writtenBytes);
        }
        completions.put(position, CompletionBuffer.entry(chain, writtenBytes));
    }

    @Override
    public boolean publish() {
        int before = usedIndex;
        int after = before;
        for (int place = completions.poll(); place >= 0; place = completions.poll()) {
            writeUsed(after, completions.entryAt(place));
            after = (after + 1) & 0xffff;
        }
        boolean signal = signalDue;
        signalDue = false;
        if (after == before) {
            return signal;
        }
        // Release: the driver reads elements and buffers after the index that covers them.
        RingAccess.storeShortRelease(used, RingLayout.USED_INDEX, after);
        if (inflight != null) {
            inflight.stored();
            inflight.published(after);
        }
        mark(RingLayout.USED_INDEX, 2);
        usedIndex = after;
        inFlight -= (after - before) & 0xffff;
        // Full: the driver writes its wish and then looks at the index; this side the other way round.
        VarHandle.fullFence();
        return wantsSignal(before, after) || signal;
    }

    private void writeUsed(int index, long entry) {
        int id = CompletionBuffer.id(entry);
        long offset = RingLayout.usedElement(index & (size - 1));
        RingAccess.storeLongUnaligned(used, offset, (CompletionBuffer.writtenBytes(entry) << 32) | id);
        mark(offset, RingLayout.USED_ELEMENT_BYTES);
        if (inflight != null) {
            inflight.stored();
            inflight.batched(id);
        }
    }

    private boolean wantsSignal(int before, int after) {
        if (eventIndex) {
            return RingLayout.passed(RingAccess.loadShort(available, RingLayout.usedEvent(size)), after, before);
        }
        int flags = RingAccess.loadShort(available, RingLayout.AVAILABLE_FLAGS);
        return (flags & RingLayout.AVAILABLE_NO_INTERRUPT) == 0;
    }

    @Override
    public void disableNotifications() {
        // With EVENT_IDX the flag must stay 0, and the event index, left behind, asks for nothing.
        if (!eventIndex) {
            RingAccess.storeShort(used, RingLayout.USED_FLAGS, RingLayout.USED_NO_NOTIFY);
            mark(RingLayout.USED_FLAGS, 2);
        }
    }

    @Override
    public boolean enableNotifications() {
        if (eventIndex) {
            long offset = RingLayout.availableEvent(size);
            RingAccess.storeShort(used, offset, nextAvailable);
            mark(offset, 2);
        } else {
            RingAccess.storeShort(used, RingLayout.USED_FLAGS, 0);
            mark(RingLayout.USED_FLAGS, 2);
        }
        // Full: the driver writes its index and then looks at the wish; this side the other way round.
        VarHandle.fullFence();
        return hasNext();
    }

    /** Logs a part of the used ring as written. */
    private void mark(long offset, long byteCount) {
        DirtyLog dirty = log;
        if (dirty != null) {
            dirty.mark(config.deviceAddress() + offset, byteCount);
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
    public QueueState.Split state() {
        return new QueueState.Split(nextAvailable, usedIndex);
    }

    @Override
    public void memory(GuestMemory newMemory) throws GuestFaultException {
        Rings rings = Rings.of(config, newMemory);
        memory = newMemory;
        descriptors = rings.descriptors();
        available = rings.driver();
        used = rings.device();
    }

    @Override
    public void dirtyLog(@Nullable DirtyLog newLog) {
        log = newLog;
    }
}
