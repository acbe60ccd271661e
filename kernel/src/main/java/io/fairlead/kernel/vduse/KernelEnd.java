package io.fairlead.kernel.vduse;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Vduse;
import io.fairlead.linux.VduseRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The kernel's end of one VDUSE device; see {@link Vduse} for what the calls mean. Of the session's thread, but {@link #interrupt}. */
interface KernelEnd extends AutoCloseable {
    /** Readable while a message waits; with an error where the kernel has given the device up. */
    Fd events();

    /** The next message; null where none waits. */
    @Nullable
    VduseRequest receive() throws IOException;

    void answer(int requestId, boolean success) throws IOException;

    void answerState(int requestId, int queue, long state) throws IOException;

    long driverFeatures() throws IOException;

    Vduse.QueueInfo queueInfo(int queue) throws IOException;

    /** @param kick stays the caller's */
    void kick(int queue, EventFd kick) throws IOException;

    /** Signals a queue's driver. On the queue's thread. 0 or a negative error number. */
    int interrupt(int queue);

    void config(MemorySegment bytes) throws IOException;

    /** False where no driver is there to be told. */
    boolean configInterrupt() throws IOException;

    /** The first piece of memory at or after an I/O address. */
    Vduse.@Nullable Entry entry(long start) throws IOException;

    /** See {@link Vduse#isKernelMemory}. */
    boolean isKernelMemory(Fd fd) throws IOException;

    @Override
    void close();
}
