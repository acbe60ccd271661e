package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueRunner;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/** Receive queues that got frames during a batch and are woken at its end, each once. One thread. */
final class TouchedReceivers {
    private static final int CAPACITY = 64;

    private final @Nullable QueueRunner[] runners = new QueueRunner[CAPACITY];
    private int count;

    void add(QueueRunner runner) {
        // Frames of a batch mostly go to the same few.
        for (int i = count - 1; i >= 0; i--) {
            if (runners[i] == runner) {
                return;
            }
        }
        if (count == CAPACITY) {
            wakeAll();
        }
        runners[count++] = runner;
    }

    void wakeAll() {
        if (count == 0) {
            return;
        }
        // Full: the frames are there before the look whether the receiver sleeps; it does so the other way round.
        VarHandle.fullFence();
        for (int i = 0; i < count; i++) {
            QueueRunner runner = runners[i];
            runners[i] = null;
            if (runner != null) {
                runner.wake();
            }
        }
        count = 0;
    }
}
