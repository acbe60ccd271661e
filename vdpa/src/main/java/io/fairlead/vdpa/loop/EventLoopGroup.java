package io.fairlead.vdpa.loop;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Event loops of a process, or of one device; queues are dealt out to them in turn. Thread-safe. */
public final class EventLoopGroup implements AutoCloseable {
    private final List<EventLoop> loops = new ArrayList<>();
    private final AtomicInteger next = new AtomicInteger();

    /**
     * Starts the threads.
     *
     * @param loopCount at least 1; one a processor is a sensible number
     */
    public EventLoopGroup(int loopCount) throws IOException {
        this("fairlead-loop", loopCount);
    }

    /**
     * Starts the threads.
     *
     * @param name of the threads, before their numbers
     * @param loopCount at least 1
     */
    public EventLoopGroup(String name, int loopCount) throws IOException {
        if (loopCount < 1) {
            throw new IllegalArgumentException("loopCount " + loopCount + " is not positive");
        }
        try {
            for (int i = 0; i < loopCount; i++) {
                loops.add(new EventLoop(name + "-" + i));
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    public List<EventLoop> loops() {
        return List.copyOf(loops);
    }

    /** The loop for the next queue. */
    public EventLoop next() {
        return loops.get(Math.floorMod(next.getAndIncrement(), loops.size()));
    }

    /** Ends all loops; whoever has queues on them stops those first. */
    @Override
    public void close() {
        loops.forEach(EventLoop::close);
    }
}
