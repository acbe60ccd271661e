package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueRunner;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Where a device's frames go and come from. */
interface NetBackend extends AutoCloseable {
    /** Frames for one receive queue, each behind a virtio-net header. On the queue's loop. */
    interface Source extends AutoCloseable {
        /** Goes to the next frame, the first that {@link #release} has not taken away; whether there is one. */
        boolean next();

        /** Holds the frame that {@link #next} found, which may be changed in place. */
        MemorySegment memory();

        /** Where its header begins. */
        long offset();

        /** Bytes of header and frame. */
        int byteCount();

        void release();

        /** The queue has stopped. */
        @Override
        void close();
    }

    /** Takes the frames of one transmit queue. On the queue's loop. */
    interface Sink extends AutoCloseable {
        void send(OutgoingFrame frame);

        /** The batch is over: receivers are woken. */
        void flush();

        /** The queue has stopped. */
        @Override
        void close();
    }

    /** A receive queue starts; whoever brings frames wakes its runner. */
    Source source(int pair, QueueRunner runner);

    /** A transmit queue starts. */
    Sink sink(int pair);

    /** How many receive queues the driver uses; -1 for all that run. Any thread. */
    void pairsInUse(int count);

    /** What the driver takes now: {@link NetPort#offloads} changed. Any thread. */
    default void offloadsChanged() {}

    /** Makes the network learn where an address is now. On an event loop. */
    void announce(long mac);

    /** No queue runs. On no event loop. */
    @Override
    void close() throws IOException;
}
