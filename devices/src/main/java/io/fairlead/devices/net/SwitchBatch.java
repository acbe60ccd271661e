package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueRunner;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * What a sender has in hand while a batch of its frames goes through a switch: receive queues that got something and are
 * woken at the end, each once; room in the inbox that the last frames went to; what the switch said of the last addresses.
 * Empty between batches. One thread.
 */
final class SwitchBatch {
    static final long NO_MAC = -1;

    private static final int MAX_RECEIVERS = 64;

    /** Taken at once for frames that follow each other into one inbox. What is left goes back. */
    private static final int ROOM_CELLS = 32;

    private final @Nullable QueueRunner[] runners = new QueueRunner[MAX_RECEIVERS];
    private int runnerCount;

    /** Where the last frame went. */
    private @Nullable FrameInbox lastInbox;

    /** Positions of {@link #lastInbox} that are taken and hold nothing so far. */
    private long roomStart;

    private long roomEnd;

    // What the switch knows.
    private int seconds;
    private boolean begun;
    long learned = NO_MAC;
    long lookedUp = NO_MAC;
    int foundPort;

    /** {@link Switch#nowSeconds}, asked once a batch. */
    int seconds() {
        if (!begun) {
            begun = true;
            seconds = Switch.nowSeconds();
        }
        return seconds;
    }

    /**
     * Takes room for a frame, as {@link FrameInbox#reserve}.
     *
     * @return the record's position; -1 where there is no room
     */
    long reserve(FrameInbox inbox, QueueRunner receiver, int byteCount) {
        int cells = FrameInbox.cellsFor(byteCount);
        if (inbox == lastInbox) {
            if (cells > roomEnd - roomStart) {
                endRoom();
                if (cells <= ROOM_CELLS / 2) {
                    long at = inbox.reserveCells(ROOM_CELLS);
                    if (at >= 0) {
                        roomStart = at;
                        roomEnd = at + ROOM_CELLS;
                    }
                }
            }
            if (cells <= roomEnd - roomStart) {
                long at = roomStart;
                roomStart += cells;
                inbox.begin(at, byteCount);
                return at;
            }
        } else {
            endRoom();
            lastInbox = inbox;
            add(receiver);
        }
        return inbox.reserve(byteCount);
    }

    private void endRoom() {
        FrameInbox inbox = lastInbox;
        if (inbox != null && roomStart < roomEnd) {
            inbox.giveBack(roomStart, roomEnd);
        }
        roomStart = 0;
        roomEnd = 0;
    }

    private void add(QueueRunner runner) {
        // Frames of a batch mostly go to the same few.
        for (int i = runnerCount - 1; i >= 0; i--) {
            if (runners[i] == runner) {
                return;
            }
        }
        if (runnerCount == MAX_RECEIVERS) {
            wakeAll();
        }
        runners[runnerCount++] = runner;
    }

    /** The batch is over: room goes back, receivers are woken. */
    void end() {
        endRoom();
        lastInbox = null;
        begun = false;
        learned = NO_MAC;
        lookedUp = NO_MAC;
        wakeAll();
    }

    private void wakeAll() {
        if (runnerCount == 0) {
            return;
        }
        // Full: the frames are there before the look whether the receiver sleeps; it does so the other way round.
        VarHandle.fullFence();
        for (int i = 0; i < runnerCount; i++) {
            QueueRunner runner = runners[i];
            runners[i] = null;
            if (runner != null) {
                runner.wake();
            }
        }
        runnerCount = 0;
    }
}
