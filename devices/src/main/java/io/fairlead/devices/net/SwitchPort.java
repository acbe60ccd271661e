package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueRunner;
import io.fairlead.linux.LinuxException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One device at a {@link Switch}: an inbox for each receive queue, and which flow goes to which. Frames come from the loops
 * of all devices at the switch; none waits for another.
 */
final class SwitchPort {
    /** A receive queue that runs. */
    private record Receiver(int pair, FrameInbox inbox, QueueRunner runner) {}

    private static final Receiver[] NONE = {};
    private static final int FLOWS = 256;

    final int index;
    final NetPort net;
    private final List<FrameInbox> inboxes = new ArrayList<>();
    private final List<@Nullable Receiver> running = new ArrayList<>();
    private int pairsInUse = -1;

    /** Those that frames may go to; replaced as a whole. */
    private volatile Receiver[] receivers = NONE;

    /** The pair on which the driver last sent a packet of a flow (virtio 1.4, 5.1.6.5.6); plain bytes, as a late one does no harm. */
    private final byte[] pairOfFlow = new byte[FLOWS];

    /** @param pairs queue pairs of the device */
    SwitchPort(int index, int pairs, NetPort net) throws LinuxException {
        this.index = index;
        this.net = net;
        try {
            for (int i = 0; i < pairs; i++) {
                inboxes.add(new FrameInbox());
                running.add(null);
            }
        } catch (LinuxException e) {
            close();
            throw e;
        }
    }

    int pairs() {
        return inboxes.size();
    }

    // ---- the device ----

    /** A receive queue starts; what lay in its inbox is old and forgotten. */
    synchronized FrameInbox start(int pair, QueueRunner runner) {
        FrameInbox inbox = inboxes.get(pair);
        while (inbox.next()) {
            inbox.release();
        }
        running.set(pair, new Receiver(pair, inbox, runner));
        choose();
        return inbox;
    }

    synchronized void stop(int pair) {
        running.set(pair, null);
        choose();
    }

    synchronized void pairsInUse(int count) {
        pairsInUse = count;
        choose();
    }

    private void choose() {
        List<Receiver> chosen = new ArrayList<>();
        for (int i = 0; i < running.size(); i++) {
            Receiver receiver = running.get(i);
            if (receiver != null && (pairsInUse < 0 || i < pairsInUse)) {
                chosen.add(receiver);
            }
        }
        receivers = chosen.toArray(NONE);
    }

    /** The device's driver sends on a pair; what comes back goes there, too. */
    void sends(OutgoingFrame frame, int pair) {
        if (inboxes.size() > 1) {
            pairOfFlow[frame.flowHash() & (FLOWS - 1)] = (byte) pair;
        }
    }

    // ---- other devices' loops ----

    /**
     * Brings a frame, or drops and counts it.
     *
     * @param batch what the sender has in hand
     */
    void deliver(OutgoingFrame frame, SwitchBatch batch) {
        if (!net.accepts(frame)) {
            return;
        }
        Receiver[] now = receivers;
        Receiver receiver;
        if (now.length == 1) {
            receiver = now[0];
        } else if (now.length == 0) {
            net.drops.noRoom.increment();
            return;
        } else {
            receiver = receiverOf(frame.flowHash(), now);
        }
        FrameInbox inbox = receiver.inbox;
        int byteCount = frame.byteCount();
        long position = batch.reserve(inbox, receiver.runner, byteCount);
        if (position < 0) {
            net.drops.noRoom.increment();
            return;
        }
        boolean written = false;
        try {
            frame.copyTo(inbox.memory(), FrameInbox.frameOffset(position));
            written = true;
        } finally {
            if (written) {
                inbox.commit(position);
            } else {
                inbox.giveUp(position, byteCount);
            }
        }
    }

    private Receiver receiverOf(int flowHash, Receiver[] now) {
        int pair = pairOfFlow[flowHash & (FLOWS - 1)] & 0xff;
        for (Receiver receiver : now) {
            if (receiver.pair == pair) {
                return receiver;
            }
        }
        return now[flowHash % now.length];
    }

    /** When no loop can know the port any more. */
    void close() {
        inboxes.forEach(FrameInbox::close);
        inboxes.clear();
    }
}
