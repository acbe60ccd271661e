package io.fairlead.testbed.blkio;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fairlead.linux.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A block device ({@code struct blkio}): created, then connected, then started; requests go by its queues and need
 * memory of {@link #allocate}.
 *
 * <p>One thread at a time, which may be another one than the queues'. Every method but {@link #close} throws
 * {@link IllegalStateException} after close.
 */
public final class BlkioDevice implements AutoCloseable {
    private final BlkioFunctions functions;
    private final List<BlkioMemory> memories = new ArrayList<>();
    private long handle;

    BlkioDevice(BlkioFunctions functions, long handle) {
        this.functions = functions;
        this.handle = handle;
    }

    /** Connects by the properties that were set ({@code path} above all). */
    public void connect() throws BlkioException {
        int result;
        try {
            result = (int) functions.connect.invokeExact(handle());
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        functions.check(result, "blkio_connect");
    }

    /** Starts the queues ({@code num-queues}, {@code num-poll-queues}). */
    public void start() throws BlkioException {
        int result;
        try {
            result = (int) functions.start.invokeExact(handle());
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        functions.check(result, "blkio_start");
    }

    /**
     * Sets a property, given as text whatever its type is.
     *
     * @throws BlkioException where there is none of that name, or not in this state, or not with that value
     */
    public void set(String property, String value) throws BlkioException {
        int result;
        try (Arena arena = Arena.ofConfined()) {
            result = (int)
                    functions.setStr.invokeExact(handle(), arena.allocateFrom(property), arena.allocateFrom(value));
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        functions.check(result, "blkio_set_str(" + property + "=" + value + ")");
    }

    public void set(String property, long value) throws BlkioException {
        set(property, Long.toString(value));
    }

    public void set(String property, boolean value) throws BlkioException {
        set(property, Boolean.toString(value));
    }

    /** A property as text, whatever its type is. */
    public String get(String property) throws BlkioException {
        int result;
        String value = "";
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(JAVA_LONG);
            result = (int) functions.getStr.invokeExact(handle(), arena.allocateFrom(property), pointer);
            if (result >= 0) {
                long text = pointer.get(JAVA_LONG, 0);
                value = NativeLibrary.text(text);
                functions.free.invokeExact(text);
            }
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        functions.check(result, "blkio_get_str(" + property + ")");
        return value;
    }

    public long getLong(String property) throws BlkioException {
        return Long.parseLong(get(property));
    }

    public boolean getBoolean(String property) throws BlkioException {
        return Boolean.parseBoolean(get(property));
    }

    /** The device's size in bytes; after {@link #connect}. */
    public long capacityBytes() throws BlkioException {
        return getLong("capacity");
    }

    /**
     * Memory for requests, shared with the device; after {@link #start}. It belongs to the device: closing either frees
     * it.
     *
     * @param byteCount rounded up to the device's {@code mem-region-alignment}
     */
    public BlkioMemory allocate(long byteCount) throws IOException {
        long alignment = getLong("mem-region-alignment");
        BlkioMemory memory = new BlkioMemory(this, functions, (byteCount + alignment - 1) / alignment * alignment);
        memories.add(memory);
        return memory;
    }

    /**
     * An ordinary queue.
     *
     * @param index from 0
     * @throws IllegalArgumentException where there is none of that number
     */
    public BlkioQueue queue(int index) {
        long queue;
        try {
            queue = (long) functions.getQueue.invokeExact(handle(), index);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        return queue(queue, "queue " + index);
    }

    /**
     * A poll queue: it never asks the device for notifications, and a wait in it spins.
     *
     * @param index from 0
     * @throws IllegalArgumentException where there is none of that number
     */
    public BlkioQueue pollQueue(int index) {
        long queue;
        try {
            queue = (long) functions.getPollQueue.invokeExact(handle(), index);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        }
        return queue(queue, "poll queue " + index);
    }

    private BlkioQueue queue(long queue, String name) {
        if (queue == 0) {
            throw new IllegalArgumentException("the device has no " + name);
        }
        return new BlkioQueue(this, functions, queue);
    }

    /**
     * Disconnects and frees everything, also what is in flight; nothing of the device may be used any more. Further calls
     * do nothing.
     */
    @Override
    public void close() {
        if (handle == 0) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(JAVA_LONG);
            pointer.set(JAVA_LONG, 0, handle);
            functions.destroy.invokeExact(pointer);
        } catch (Throwable e) {
            throw BlkioFunctions.unexpected(e);
        } finally {
            handle = 0;
            memories.forEach(BlkioMemory::release);
            memories.clear();
        }
    }

    long handle() {
        if (handle == 0) {
            throw new IllegalStateException("the device is closed");
        }
        return handle;
    }

    void forget(BlkioMemory memory) {
        memories.remove(memory);
    }

    boolean isClosed() {
        return handle == 0;
    }
}
