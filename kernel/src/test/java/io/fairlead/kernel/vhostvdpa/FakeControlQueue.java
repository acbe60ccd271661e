package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Memfd;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.LongUnaryOperator;

/** The device's side of a split control queue, by a thread of its own; reaches memory only through what is mapped for it. */
final class FakeControlQueue implements AutoCloseable {
    /** What it does with each command. */
    interface Answer {
        /** The byte to acknowledge with, or a negative number for none at all. */
        int to(byte[] command);
    }

    private final int size;
    private final long descriptors;
    private final long available;
    private final long used;
    private final Answer answer;
    private final LongUnaryOperator readable;
    private final LongUnaryOperator writable;
    private final Thread thread;
    private volatile boolean closed;

    /**
     * @param readable translates an address that the device reads, or throws
     * @param writable of one that it writes
     */
    FakeControlQueue(int size, long[] rings, Answer answer, LongUnaryOperator readable, LongUnaryOperator writable) {
        this.size = size;
        descriptors = rings[0];
        available = rings[1];
        used = rings[2];
        this.answer = answer;
        this.readable = readable;
        this.writable = writable;
        thread = Thread.ofPlatform().daemon().start(this::run);
    }

    private void run() {
        int taken = 0;
        while (!closed) {
            int offered = u16(available + RingLayout.AVAILABLE_INDEX);
            while (taken != offered) {
                int head = u16(available + RingLayout.availableEntry(taken % size));
                taken = (taken + 1) & 0xffff;
                serve(head, taken);
            }
            Thread.onSpinWait();
        }
    }

    private void serve(int head, int usedIndex) {
        byte[] command = {};
        int at = head;
        while (true) {
            MemorySegment descriptor = read(descriptors + RingLayout.descriptor(at), RingLayout.DESCRIPTOR_BYTES);
            long address = descriptor.get(ValueLayout.JAVA_LONG_UNALIGNED, RingLayout.DESCRIPTOR_ADDRESS);
            int length = descriptor.get(ValueLayout.JAVA_INT_UNALIGNED, RingLayout.DESCRIPTOR_LENGTH);
            int flags = descriptor.get(ValueLayout.JAVA_SHORT_UNALIGNED, RingLayout.SPLIT_DESCRIPTOR_FLAGS);
            if ((flags & RingLayout.WRITE) == 0) {
                command = read(address, length).toArray(ValueLayout.JAVA_BYTE);
            } else {
                int said = answer.to(command);
                if (said < 0) {
                    return;
                }
                write(address, new byte[] {(byte) said});
            }
            if ((flags & RingLayout.NEXT) == 0) {
                break;
            }
            at = descriptor.get(ValueLayout.JAVA_SHORT_UNALIGNED, RingLayout.SPLIT_DESCRIPTOR_NEXT);
        }
        long element = used + RingLayout.usedElement((usedIndex - 1) % size);
        write(element, new byte[] {(byte) head, 0, 0, 0, 1, 0, 0, 0});
        write(used + RingLayout.USED_INDEX, new byte[] {(byte) usedIndex, (byte) (usedIndex >> 8)});
    }

    private int u16(long address) {
        return Short.toUnsignedInt(read(address, 2).get(ValueLayout.JAVA_SHORT_UNALIGNED, 0));
    }

    private MemorySegment read(long address, int byteCount) {
        MemorySegment copy = Arena.ofAuto().allocate(byteCount);
        move(readable.applyAsLong(address), copy.address(), byteCount);
        return copy;
    }

    private void write(long address, byte[] bytes) {
        MemorySegment copy = Arena.ofAuto().allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        move(copy.address(), writable.applyAsLong(address), bytes.length);
    }

    /** By way of a file: addresses are numbers, as for a kernel. */
    private static void move(long from, long to, int byteCount) {
        try (Fd fd = Memfd.create("dma", byteCount)) {
            if (FileIo.pwrite(fd.raw(), from, byteCount, 0) != byteCount
                    || FileIo.pread(fd.raw(), to, byteCount, 0) != byteCount) {
                throw new AssertionError("memory that is mapped cannot be reached");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        closed = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
