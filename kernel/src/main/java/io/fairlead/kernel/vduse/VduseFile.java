package io.fairlead.kernel.vduse;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Vduse;
import io.fairlead.linux.VduseRequest;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A VDUSE device of this host's kernel, by its device file. */
final class VduseFile implements KernelEnd {
    private final Fd fd;
    private final MemorySegment message = Arena.ofAuto().allocate(VduseRequest.BYTES, Long.BYTES);

    /** The numbers of the queues, as the request for an interrupt wants them. */
    private final MemorySegment indices;

    private final long indicesAddress;

    /** @param fd owned from now on */
    VduseFile(Fd fd, int queueCount) {
        this.fd = fd;
        indices = Arena.ofAuto().allocate(JAVA_INT, queueCount);
        for (int queue = 0; queue < queueCount; queue++) {
            indices.setAtIndex(JAVA_INT, queue, queue);
        }
        indicesAddress = indices.address();
    }

    @Override
    public Fd events() {
        return fd;
    }

    @Override
    public @Nullable VduseRequest receive() throws IOException {
        return Vduse.receive(fd, message);
    }

    @Override
    public void answer(int requestId, boolean success) throws IOException {
        Vduse.answer(fd, requestId, success);
    }

    @Override
    public void answerState(int requestId, int queue, long state) throws IOException {
        Vduse.answerState(fd, requestId, queue, state);
    }

    @Override
    public long driverFeatures() throws IOException {
        return Vduse.driverFeatures(fd);
    }

    @Override
    public Vduse.QueueInfo queueInfo(int queue) throws IOException {
        return Vduse.queueInfo(fd, queue);
    }

    @Override
    public void kick(int queue, EventFd kick) throws IOException {
        Vduse.kick(fd, queue, kick);
    }

    @Override
    public int interrupt(int queue) {
        return Vduse.interrupt(fd.raw(), indicesAddress + (long) Integer.BYTES * queue);
    }

    @Override
    public void config(MemorySegment bytes) throws IOException {
        Vduse.config(fd, bytes);
    }

    @Override
    public boolean configInterrupt() throws IOException {
        return Vduse.configInterrupt(fd);
    }

    @Override
    public Vduse.@Nullable Entry entry(long start) throws IOException {
        return Vduse.entry(fd, start);
    }

    @Override
    public boolean isKernelMemory(Fd memory) throws IOException {
        return Vduse.isKernelMemory(memory);
    }

    @Override
    public void close() {
        fd.close();
    }
}
