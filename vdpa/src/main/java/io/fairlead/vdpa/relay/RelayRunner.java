package io.fairlead.vdpa.relay;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DeviceQueue;
import io.fairlead.virtio.DirtyLog;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One relayed queue from its start to its stop, on one event loop: the device of the guest's ring and the driver of the
 * device's. Buffers stay where they are; chains go over with their guest addresses, used lengths come back, and the log
 * is marked before the guest learns of a completion. One kick and one signal a batch.
 *
 * <p>Neither side is trusted: a fault of either ends the taking of requests and is reported.
 *
 * <p>Requests that an earlier process or another device left in flight come first, once they are settled there.
 *
 * <p>On the loop's thread; {@link #outstanding} and {@link #takenOver} by any.
 */
final class RelayRunner implements EventLoop.Pollable {
    /** The most chains moved one way before other queues of the loop have their turn. */
    private static final int BATCH_CHAINS = 64;

    /** Completions are made visible this often within a batch, so that the driver works on them at the same time. */
    private static final int PUBLISH_CHAINS = 8;

    private static final int NONE = -1;

    private final EventLoop loop;
    private final EventLoop.Polling polling;
    private final DeviceQueue guest;
    private final DriverQueue device;
    private final ChainSlots slots;
    private final ChainPieces pieces = new ChainPieces();
    private final EventFd deviceKick;
    private final EventFd deviceCall;
    private final QueueStatistics statistics;
    private final Consumer<Throwable> faultListener;
    private GuestMemory memory;
    private @Nullable EventFd kick;
    private @Nullable EventFd call;

    /** A chain that found no room in the device's ring; it waits in its slot. */
    private int held = NONE;

    private boolean notificationsEnabled;
    private boolean interruptsEnabled = true;
    private boolean firstPublishDue = true;
    private boolean signalWanted;
    private boolean stopping;
    private boolean released;
    private boolean broken;
    private volatile int outstanding;

    /** Requests left in flight by others and not answered. */
    private int leftByOthers;

    /** The same for other threads. */
    private volatile int takenOver;

    /**
     * Starts a queue and looks at the guest's ring at once.
     *
     * @param config of the guest's queue
     * @param guestMemory the guest's, without the relay's own
     * @param rings of the device's queue, which must not run yet
     * @param deviceKick the device's; stays the caller's, as all descriptors here
     * @param kick null where the guest does not kick
     * @param call null where the guest does not want signals
     * @param settled completed when nobody else works on the requests that the queue takes over
     * @param faultListener told of the first fault
     * @throws GuestFaultException where the guest's rings are unfit
     */
    RelayRunner(
            EventLoop loop,
            QueueConfig config,
            GuestMemory guestMemory,
            DriverRings rings,
            EventFd deviceKick,
            EventFd deviceCall,
            @Nullable EventFd kick,
            @Nullable EventFd call,
            @Nullable DirtyLog log,
            CompletionStage<Void> settled,
            QueueStatistics statistics,
            Consumer<Throwable> faultListener)
            throws GuestFaultException, IOException {
        this.loop = loop;
        this.deviceKick = deviceKick;
        this.deviceCall = deviceCall;
        this.call = call;
        this.statistics = statistics;
        this.faultListener = faultListener;
        guest = DeviceQueue.create(config, guestMemory);
        guest.dirtyLog(log);
        leftByOthers = guest.unfinished();
        takenOver = leftByOthers;
        device = DriverQueue.create(rings);
        slots = new ChainSlots(config.size());
        memory = guestMemory;
        memory.retain();
        polling = loop.polling(this);
        boolean started = false;
        try {
            kick(kick);
            loop.register(deviceCall.raw(), Epoll.EPOLLIN, _ -> deviceSignalled());
            started = true;
        } finally {
            if (!started) {
                released = true;
                kick(null);
                polling.stop();
                release();
            }
        }
        polling.wake();
        if (leftByOthers > 0) {
            guest.holdUnfinished(true);
            var _ = settled.whenComplete((_, failure) -> loop.execute(() -> settled(failure)));
        }
    }

    private void settled(@Nullable Throwable failure) {
        if (released) {
            return;
        }
        if (failure == null) {
            guest.holdUnfinished(false);
            polling.wake();
        } else {
            fault(new IOException("another device did not settle the requests in flight that it left", failure));
        }
    }

    // ---- the loop ----

    @Override
    public boolean poll() {
        boolean worked = false;
        try {
            if (!broken) {
                worked = takeUsed();
                if (!stopping) {
                    worked |= takeAvailable();
                }
            }
        } catch (GuestFaultException | DeviceFaultException | RuntimeException | InternalError e) {
            fault(e);
        }
        signal();
        return worked;
    }

    /** From the device's ring to the guest's. */
    private boolean takeUsed() throws DeviceFaultException {
        if (interruptsEnabled) {
            interruptsEnabled = false;
            device.disableInterrupts();
        }
        int count = 0;
        long written = 0;
        long read = 0;
        while (count < BATCH_CHAINS && device.poll()) {
            int slot = (int) device.token();
            DescriptorChain chain = slots.chain(slot);
            read += chain.readableBytes();
            written += device.writtenBytes();
            guest.complete(chain, device.writtenBytes());
            if (slots.isTakenOver(slot)) {
                takenOver = --leftByOthers;
            }
            slots.giveBack(slot);
            count++;
            if (count % PUBLISH_CHAINS == 0) {
                publish();
            }
        }
        if (count > 0 || firstPublishDue) {
            firstPublishDue = false;
            publish();
        }
        if (count > 0) {
            outstanding = slots.usedCount();
            statistics.countRequests(count, written, read);
        }
        return count > 0;
    }

    private void publish() {
        if (guest.publish()) {
            signalWanted = true;
        }
    }

    private void signal() {
        if (signalWanted) {
            signalWanted = false;
            EventFd target = call;
            if (target != null) {
                target.signal();
                statistics.countSignal();
            }
        }
    }

    /** From the guest's ring to the device's. */
    private boolean takeAvailable() throws GuestFaultException {
        if (notificationsEnabled) {
            notificationsEnabled = false;
            guest.disableNotifications();
        }
        int count = 0;
        try {
            while (count < BATCH_CHAINS && addNext()) {
                count++;
            }
        } finally {
            // What was added before a fault of the guest is the device's.
            if (count > 0) {
                outstanding = slots.usedCount();
                if (device.publish()) {
                    deviceKick.signal();
                }
            }
        }
        return count > 0;
    }

    /** Takes a chain, or the one that is held, and adds it; false where there is none or no room. */
    private boolean addNext() throws GuestFaultException {
        int slot = held;
        if (slot == NONE) {
            slot = slots.peek();
            int unfinished = guest.unfinished();
            if (slot == NONE || !guest.next(slots.chain(slot))) {
                return false;
            }
            slots.take(guest.unfinished() < unfinished);
            held = slot;
            pieces.set(slots.chain(slot));
        }
        if (!device.add(pieces.addresses(), pieces.lengths(), pieces.readableCount(), pieces.writableCount(), slot)) {
            return false;
        }
        held = NONE;
        return true;
    }

    @Override
    public boolean arm() {
        if (broken || released) {
            return false;
        }
        try {
            interruptsEnabled = true;
            boolean used = device.enableInterrupts();
            return used || guestHasMore();
        } catch (RuntimeException | InternalError e) {
            fault(e);
            return false;
        }
    }

    private boolean guestHasMore() {
        if (stopping || held != NONE || slots.peek() == NONE) {
            return false;
        }
        if (kick == null) {
            return true;
        }
        notificationsEnabled = true;
        return guest.enableNotifications();
    }

    @Override
    public void failed(Throwable cause) {
        fault(cause);
    }

    private void deviceSignalled() {
        if (deviceCall.drain()) {
            polling.wake();
        }
    }

    private void kicked(EventFd source, int events) {
        if (source.drain()) {
            statistics.countKick();
            polling.wake();
        } else if ((events & (Epoll.EPOLLERR | Epoll.EPOLLHUP)) != 0) {
            fault(new IOException("the kick descriptor is broken"));
            try {
                kick(null);
            } catch (IOException e) {
                fault(e);
            }
        }
    }

    private void fault(Throwable cause) {
        if (!broken) {
            halt();
            faultListener.accept(cause);
        }
    }

    // ---- for the device ----

    /** Chains that the device has, or that wait for room in its ring. */
    int outstanding() {
        return outstanding;
    }

    /** Requests that somebody else left in flight and that are not answered yet. */
    int takenOver() {
        return takenOver;
    }

    /** Whether what is outstanding waits to be filled by the device and so may wait for ever. */
    boolean onlyReceives() {
        return slots.onlyReceive();
    }

    /** Moves nothing any more because the device failed elsewhere. */
    void halt() {
        broken = true;
        outstanding = 0;
        takenOver = 0;
    }

    /** Replaces what the guest kicks; the caller closes the old one. */
    void kick(@Nullable EventFd newKick) throws IOException {
        EventFd old = kick;
        kick = null;
        if (old != null) {
            loop.unregister(old.raw());
        }
        if (newKick != null) {
            loop.register(newKick.raw(), Epoll.EPOLLIN, events -> kicked(newKick, events));
        }
        kick = newKick;
        if (!released) {
            polling.wake();
        }
    }

    /** Replaces what the guest is signalled with; the caller closes the old one. */
    void call(@Nullable EventFd newCall) {
        call = newCall;
    }

    void dirtyLog(@Nullable DirtyLog log) {
        guest.dirtyLog(log);
    }

    /** Goes on with another memory table of the guest. What is outstanding needs no memory here, only its addresses. */
    void memory(GuestMemory newMemory) {
        newMemory.retain();
        memory.release();
        memory = newMemory;
        if (!broken) {
            try {
                guest.memory(newMemory);
            } catch (GuestFaultException | RuntimeException | InternalError e) {
                fault(e);
            }
        }
    }

    /** Takes nothing more from the guest; completions still go to it. */
    void stopTaking() {
        stopping = true;
    }

    /** Takes from the guest again. */
    void goOn() {
        stopping = false;
        polling.wake();
    }

    /**
     * Ends the run after the device's queue has stopped: gives the guest the last completions, and what the device never
     * used back to the guest's ring.
     *
     * @return where the guest's queue stands
     * @throws DeviceFaultException where the device broke the rules, or stopped with requests in the middle unanswered
     */
    QueueState finish() throws IOException, DeviceFaultException {
        try {
            while (!broken && takeUsed()) {
                // All that there is; no more than the ring holds.
            }
            signal();
            outstanding = 0;
            if (!broken && slots.usedCount() > 0 && !slots.isTail()) {
                throw new DeviceFaultException("the device stopped with %d requests unanswered, and answered later ones"
                        .formatted(slots.usedCount()));
            }
            return takenBack(guest.state());
        } finally {
            released = true;
            polling.stop();
            kick(null);
            loop.unregister(deviceCall.raw());
            release();
        }
    }

    /**
     * The state without the chains that the device did not use. All others are complete, so that the used position has
     * come to where the oldest of them begins.
     */
    private static QueueState takenBack(QueueState state) {
        return switch (state) {
            case QueueState.Split split -> new QueueState.Split(split.usedIndex(), split.usedIndex());
            case QueueState.Packed packed ->
                new QueueState.Packed(packed.usedIndex(), packed.usedWrap(), packed.usedIndex(), packed.usedWrap());
        };
    }

    private void release() {
        slots.close();
        memory.release();
    }
}
