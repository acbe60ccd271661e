package io.fairlead.vdpa;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * The configuration space of a software device: little-endian bytes with a generation that moves with every change of
 * the device's own (virtio 1.4, 2.5), so that a driver never takes half of an old and half of a new value.
 *
 * <p>Thread-safe: one lock, held for a copy of a few bytes.
 */
public final class ConfigSpace {
    private final MemorySegment bytes;
    private final BitSet driverWritable;
    private int generation;

    /**
     * @param byteCount size of the space
     * @param driverWritable the offsets that a driver may write
     */
    public ConfigSpace(int byteCount, BitSet driverWritable) {
        // Longs, so that every field may be set as what it is: a byte array has no alignment.
        bytes = MemorySegment.ofArray(new long[(byteCount + Long.BYTES - 1) / Long.BYTES])
                .asSlice(0, byteCount);
        this.driverWritable = (BitSet) driverWritable.clone();
    }

    public int byteCount() {
        return (int) bytes.byteSize();
    }

    public synchronized int generation() {
        return generation;
    }

    /**
     * Copies a part of it.
     *
     * @throws IndexOutOfBoundsException where the range is not inside the space
     */
    public synchronized void read(int offset, MemorySegment target) {
        Objects.checkFromIndexSize(offset, target.byteSize(), bytes.byteSize());
        MemorySegment.copy(bytes, offset, target, 0, target.byteSize());
    }

    /**
     * Takes what a driver wrote.
     *
     * @return whether a byte that a driver may write got another value
     * @throws IndexOutOfBoundsException where the range is not inside the space
     */
    public synchronized boolean write(int offset, MemorySegment source) {
        Objects.checkFromIndexSize(offset, source.byteSize(), bytes.byteSize());
        boolean changed = false;
        for (int i = 0; i < source.byteSize(); i++) {
            byte value = source.get(ValueLayout.JAVA_BYTE, i);
            if (driverWritable.get(offset + i) && bytes.get(ValueLayout.JAVA_BYTE, offset + i) != value) {
                bytes.set(ValueLayout.JAVA_BYTE, offset + i, value);
                changed = true;
            }
        }
        return changed;
    }

    /** Changes fields as one step and moves the generation; the caller then tells the driver. */
    public synchronized void update(Consumer<MemorySegment> change) {
        change.accept(bytes);
        generation++;
    }
}
