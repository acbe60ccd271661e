package io.fairlead.devices.base;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceQueue;
import io.fairlead.virtio.DirtyLog;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One queue from its start to its stop, on one event loop: takes requests in batches, gives them to its {@link
 * QueueHandler}, publishes what is complete and signals the driver once a batch. Asleep until the driver kicks or {@link
 * #wake} is called.
 *
 * <p>A fault of the guest or of the code ends the taking of requests and is reported to the device; requests in flight
 * still come to their end.
 *
 * <p>A frozen queue has stopped for the driver while the host may still work on its requests: the rings are not touched
 * any more, results are thrown away, and guest memory stays mapped until the last of them has ended.
 *
 * <p>On the loop's thread but for {@link #wake}.
 */
public final class QueueRunner implements EventLoop.Pollable {
    /** Makes the handler of a queue that starts. */
    @FunctionalInterface
    public interface HandlerFactory {
        QueueHandler create(QueueRunner runner);
    }

    /** How a queue stops. */
    enum Stop {
        /** When every request that is in flight is answered, also those that it took over and had not begun. */
        DRAIN,
        /** As DRAIN, but what it took over and had not begun stays as it is. */
        FINISH,
        /** At once, where there is memory that records what is in flight; else as DRAIN. */
        FREEZE
    }

    /**
     * Where a stopped queue stands.
     *
     * @param left what it left in flight
     */
    record End(QueueState state, InflightRequests left) {}

    /** Told that a queue cannot go on. */
    @FunctionalInterface
    interface FaultListener {
        void failed(Throwable cause);
    }

    /** The most requests taken before other queues of the loop have their turn. */
    public static final int BATCH_REQUESTS = 64;

    private static final VarHandle ASLEEP;

    static {
        try {
            ASLEEP = MethodHandles.lookup().findVarHandle(QueueRunner.class, "asleep", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final EventLoop loop;
    private final EventLoop.Polling polling;
    private final Runnable wakeTask = this::awaken;
    private final DeviceQueue queue;
    private final @Nullable MemorySegment inflightMemory;
    private final boolean beganAnew;
    private final QueueSignals signals;
    private final MemoryUses memory;
    private final ChainPool pool;
    private final QueueStatistics statistics;
    private final FaultListener faultListener;
    private final QueueHandler handler;
    private final CompletableFuture<End> stopped = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final int publishRequests;
    private int inFlight;
    private int unpublished;
    private boolean signalWanted;

    /** The process that served this queue before may have died between publishing and signalling. */
    private boolean firstPublishDue = true;

    /** At first as whoever had the ring before left it: a driver's new ring asks for kicks. */
    private boolean notificationsEnabled = true;

    private boolean polled;
    private boolean broken;
    private boolean finished;
    private @Nullable Stop stop;

    /** Unfinished requests of others are held. */
    private boolean held;

    /** New requests are held, too. */
    private boolean allHeld;

    /** Written on the loop, read by any thread. */
    private volatile boolean frozen;

    /** Whether only a kick or {@link #wake} brings it back; written with a fence before the last look. */
    private volatile boolean asleep;

    /**
     * Starts a queue and looks at its ring at once.
     *
     * @param kick stays the caller's; null where the driver does not kick
     * @param call likewise; null where the driver does not want signals
     * @param gate opens when requests that somebody else left in flight may be taken up
     * @throws GuestFaultException where the guest's rings are unfit
     */
    QueueRunner(
            EventLoop loop,
            QueueConfig config,
            GuestMemory guestMemory,
            @Nullable EventFd kick,
            @Nullable Signal call,
            @Nullable DirtyLog dirtyLog,
            Gate gate,
            QueueStatistics statistics,
            HandlerFactory handlerFactory,
            FaultListener faultListener)
            throws GuestFaultException, IOException {
        this.loop = loop;
        this.statistics = statistics;
        this.faultListener = faultListener;
        queue = DeviceQueue.create(config, guestMemory);
        queue.dirtyLog(dirtyLog);
        inflightMemory = config.inflight();
        beganAnew = queue.state().equals(QueueState.initial(config.packed()));
        signals = new QueueSignals(loop, statistics, call, this::awaken, this::fault);
        pool = new ChainPool(config.size());
        memory = new MemoryUses(guestMemory);
        polling = loop.polling(this);
        boolean started = false;
        try {
            handler = handlerFactory.create(this);
            publishRequests = handler.publishRequests();
            signals.kick(kick);
            started = true;
        } finally {
            if (!started) {
                release();
            }
        }
        polling.wake();
        waitFor(gate);
    }

    private void waitFor(Gate gate) {
        if (!gate.isOpen()) {
            held = true;
            allHeld = gate.forAll();
            queue.holdUnfinished(true);
            var _ = gate.opened().whenComplete((_, failure) -> loop.execute(() -> opened(failure)));
        }
    }

    private void opened(@Nullable Throwable failure) {
        if (finished || frozen) {
            return;
        }
        allHeld = false;
        if (failure == null || queue.unfinished() == 0) {
            held = false;
            queue.holdUnfinished(false);
        } else {
            fault(new IOException("another device did not settle the requests in flight that it left", failure));
        }
        awaken();
    }

    // ---- for handlers ----

    public EventLoop loop() {
        return loop;
    }

    public QueueStatistics statistics() {
        return statistics;
    }

    /** Whether the queue began at the start of its ring, as a driver's does that has just come. */
    public boolean beganAnew() {
        return beganAnew;
    }

    /** Entries of the queue. */
    public int queueSize() {
        return queue.size();
    }

    /** Whether the queue has stopped and what is still under way is thrown away. Any thread. */
    public boolean isFrozen() {
        return frozen;
    }

    /** Requests taken and not complete. */
    public int inFlight() {
        return inFlight;
    }

    /**
     * Gives a request back as used. The chain is not the handler's any more.
     *
     * @param writtenBytes how many device-writable bytes were written from the start on; those go into the dirty log
     */
    public void complete(DescriptorChain chain, long writtenBytes) {
        if (!broken && !frozen) {
            try {
                queue.complete(chain, writtenBytes);
                unpublished++;
            } catch (RuntimeException | InternalError e) {
                fault(e);
            }
        }
        giveBack(chain);
    }

    /**
     * Gives a request back as if it had not been taken, for a buffer that is not needed. Of several the youngest goes first,
     * and nothing that was taken later is in flight.
     */
    public void untake(DescriptorChain chain) {
        if (!broken && !frozen) {
            queue.giveBack(chain);
        }
        giveBack(chain);
    }

    /** Gives a request up without an answer because of a fault; the device will need a reset. */
    public void abandon(DescriptorChain chain, Throwable cause) {
        if (!frozen) {
            fault(cause);
        }
        giveBack(chain);
    }

    /** Whether the queue takes no further request and waits for those in flight. */
    public boolean isStopping() {
        return stop != null;
    }

    /**
     * Gives up a request that nothing was done for, when the queue stops: it stays in flight for whoever goes on with the
     * queue. For devices that say so ({@link SoftwareDevice#leavesRequests}).
     */
    public void leave(DescriptorChain chain) {
        giveBack(chain);
    }

    /** Brings the queue back from sleep, so that its handler's {@link QueueHandler#poll} is called soon. Any thread. */
    public void wake() {
        if (asleep && ASLEEP.compareAndSet(this, true, false)) {
            loop.execute(wakeTask);
        }
    }

    private void giveBack(DescriptorChain chain) {
        memory.end(chain.memory());
        pool.giveBack(chain);
        inFlight--;
        if (!polled) {
            awaken();
        }
    }

    private void awaken() {
        if (!finished) {
            asleep = false;
            polling.wake();
        }
    }

    // ---- the loop ----

    @Override
    public boolean poll() {
        polled = true;
        boolean worked = false;
        try {
            worked = handler.poll();
            if (stop != null) {
                handler.stopping();
            }
            if (mayTake()) {
                worked |= takeBatch();
            }
            publish();
        } catch (GuestFaultException | RuntimeException | InternalError e) {
            fault(e);
        } finally {
            polled = false;
        }
        signal();
        if (stop != null && inFlight == 0 && !mustTakeMore()) {
            finish();
        }
        return worked;
    }

    private boolean mayTake() {
        return !broken && !allHeld && (stop == null || (mustTakeMore() && !held));
    }

    /** Whether a queue that stops has requests to answer that it took over and has not begun. */
    private boolean mustTakeMore() {
        return stop == Stop.DRAIN && !frozen && !broken && queue.unfinished() > 0 && (held || handler.wantsRequest());
    }

    private boolean takeBatch() throws GuestFaultException {
        if (notificationsEnabled) {
            notificationsEnabled = false;
            queue.disableNotifications();
        }
        int taken = 0;
        try {
            while (taken < BATCH_REQUESTS && handler.wantsRequest()) {
                if (stop != null && queue.unfinished() == 0) {
                    break;
                }
                DescriptorChain chain = pool.peek();
                if (chain == null || !queue.next(chain)) {
                    break;
                }
                pool.take();
                memory.begin();
                inFlight++;
                taken++;
                handle(chain);
                if (unpublished >= publishRequests) {
                    publish();
                }
            }
        } finally {
            if (taken > 0) {
                handler.endBatch();
            }
        }
        return taken > 0;
    }

    private void handle(DescriptorChain chain) throws GuestFaultException {
        try {
            handler.handle(chain);
        } catch (GuestFaultException | RuntimeException | InternalError e) {
            giveBack(chain);
            throw e;
        }
    }

    private void publish() {
        if ((unpublished > 0 || firstPublishDue) && !broken && !frozen) {
            unpublished = 0;
            firstPublishDue = false;
            if (queue.publish()) {
                signalWanted = true;
            }
        }
    }

    private void signal() {
        if (signalWanted) {
            signalWanted = false;
            signals.signal();
        }
    }

    @Override
    public boolean arm() {
        asleep = true;
        boolean more;
        try {
            more = hasMore();
        } catch (RuntimeException | InternalError e) {
            fault(e);
            more = false;
        }
        if (more) {
            asleep = false;
        }
        return more;
    }

    private boolean hasMore() {
        if (handler.hasWork() || (unpublished > 0 && !broken && !frozen)) {
            return true;
        }
        if (!mayTake() || !handler.wantsRequest() || pool.peek() == null) {
            return false;
        }
        if (stop != null || !signals.hasKick()) {
            return true;
        }
        notificationsEnabled = true;
        return queue.enableNotifications();
    }

    @Override
    public void failed(Throwable cause) {
        fault(cause);
    }

    /** Stops the taking of requests; the device is told of the first cause. */
    private void fault(Throwable cause) {
        if (!broken) {
            broken = true;
            if (cause instanceof GuestFaultException) {
                statistics.countGuestFault();
            }
            faultListener.failed(cause);
        }
    }

    // ---- for the device ----

    /** Takes no request any more because the device failed elsewhere. */
    void halt() {
        broken = true;
        awaken();
    }

    /** Replaces what the driver kicks; the caller closes the old one. */
    void kick(@Nullable EventFd newKick) throws IOException {
        signals.kick(newKick);
        awaken();
    }

    /** Replaces what the driver is signalled with; the caller closes the old one. */
    void call(@Nullable Signal newCall) {
        signals.call(newCall);
    }

    void dirtyLog(@Nullable DirtyLog log) {
        queue.dirtyLog(log);
    }

    /** Goes on with another memory table; requests in flight keep the old one. */
    void memory(GuestMemory newMemory) {
        memory.replace(newMemory);
        if (!broken) {
            try {
                queue.memory(newMemory);
            } catch (GuestFaultException | RuntimeException | InternalError e) {
                fault(e);
            }
        }
    }

    /**
     * Takes no further request. Again: a queue that still drains may be frozen.
     *
     * @return completed on the loop with where the queue stands, when it has stopped
     */
    CompletableFuture<End> stop(Stop how) {
        if (stopped.isDone()) {
            return stopped;
        }
        boolean freezes = how == Stop.FREEZE && inflightMemory != null && handler.mayFreeze();
        stop = how == Stop.FREEZE && !freezes ? Stop.DRAIN : how;
        if (freezes) {
            freeze();
        }
        awaken();
        return stopped;
    }

    /** Completed on the loop when the host works on no request any more and everything is given back. */
    CompletableFuture<Void> ended() {
        return ended;
    }

    private void freeze() {
        polled = true;
        try {
            handler.poll();
            handler.stopping();
            publish();
        } catch (RuntimeException | InternalError e) {
            fault(e);
        } finally {
            polled = false;
        }
        signal();
        frozen = true;
        try {
            signals.kick(null);
            stopped.complete(end());
        } catch (GuestFaultException | IOException | RuntimeException | InternalError e) {
            stopped.completeExceptionally(e);
        }
    }

    private End end() throws GuestFaultException {
        QueueState state = queue.state();
        MemorySegment records = inflightMemory;
        InflightRequests left = records == null || queue.inFlight() == 0 || stop == Stop.FINISH
                ? InflightRequests.none()
                : InflightRegion.read(records, queue.size(), state);
        return new End(state, left);
    }

    private void finish() {
        finished = true;
        End end = null;
        Throwable failure = null;
        try {
            polling.stop();
            signals.kick(null);
            handler.stopped();
            end = frozen ? null : end();
        } catch (GuestFaultException | IOException | RuntimeException | InternalError e) {
            failure = e;
            fault(e);
        }
        // Whoever waits may count on everything being given back.
        release();
        ended.complete(null);
        if (end != null) {
            stopped.complete(end);
        } else if (failure != null) {
            stopped.completeExceptionally(failure);
        }
    }

    private void release() {
        pool.close();
        memory.close();
    }
}
