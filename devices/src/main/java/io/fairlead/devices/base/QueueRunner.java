package io.fairlead.devices.base;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceQueue;
import io.fairlead.virtio.DirtyLog;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.QueueConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
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
 * <p>On the loop's thread but for {@link #wake}.
 */
public final class QueueRunner implements EventLoop.Pollable {
    /** Makes the handler of a queue that starts. */
    @FunctionalInterface
    public interface HandlerFactory {
        QueueHandler create(QueueRunner runner);
    }

    /** Told that a queue cannot go on. */
    @FunctionalInterface
    interface FaultListener {
        void failed(Throwable cause);
    }

    /** The most requests taken before other queues of the loop have their turn. */
    private static final int BATCH_REQUESTS = 64;

    /** Completions are made visible this often within a batch, so that the driver works on them at the same time. */
    private static final int PUBLISH_REQUESTS = 8;

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
    private final MemoryUses memory;
    private final ChainPool pool;
    private final QueueStatistics statistics;
    private final FaultListener faultListener;
    private final QueueHandler handler;
    private final CompletableFuture<QueueState> drained = new CompletableFuture<>();
    private @Nullable EventFd kick;
    private @Nullable EventFd call;
    private int inFlight;
    private int unpublished;
    private boolean signalWanted;

    /** The process that served this queue before may have died between publishing and signalling. */
    private boolean firstPublishDue = true;

    private boolean notificationsEnabled;
    private boolean polled;
    private boolean draining;
    private boolean stopped;
    private boolean broken;

    /** Whether only a kick or {@link #wake} brings it back; written with a fence before the last look. */
    private volatile boolean asleep;

    /**
     * Starts a queue and looks at its ring at once.
     *
     * @param kick stays the caller's; null where the driver does not kick
     * @param call likewise; null where the driver does not want signals
     * @throws GuestFaultException where the guest's rings are unfit
     */
    QueueRunner(
            EventLoop loop,
            QueueConfig config,
            GuestMemory guestMemory,
            @Nullable EventFd kick,
            @Nullable EventFd call,
            @Nullable DirtyLog dirtyLog,
            QueueStatistics statistics,
            HandlerFactory handlerFactory,
            FaultListener faultListener)
            throws GuestFaultException, IOException {
        this.loop = loop;
        this.call = call;
        this.statistics = statistics;
        this.faultListener = faultListener;
        queue = DeviceQueue.create(config, guestMemory);
        queue.dirtyLog(dirtyLog);
        pool = new ChainPool(config.size());
        memory = new MemoryUses(guestMemory);
        polling = loop.polling(this);
        boolean started = false;
        try {
            handler = handlerFactory.create(this);
            kick(kick);
            started = true;
        } finally {
            if (!started) {
                release();
            }
        }
        polling.wake();
    }

    // ---- for handlers ----

    public EventLoop loop() {
        return loop;
    }

    public QueueStatistics statistics() {
        return statistics;
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
        if (!broken) {
            try {
                queue.complete(chain, writtenBytes);
                unpublished++;
            } catch (RuntimeException | InternalError e) {
                fault(e);
            }
        }
        giveBack(chain);
    }

    /** Gives a request up without an answer because of a fault; the device will need a reset. */
    public void abandon(DescriptorChain chain, Throwable cause) {
        fault(cause);
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
        if (!stopped) {
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
            if (!draining && !broken) {
                worked |= takeBatch();
            }
            publish();
        } catch (GuestFaultException | RuntimeException | InternalError e) {
            fault(e);
        } finally {
            polled = false;
        }
        signal();
        if (draining && inFlight == 0) {
            finish();
        }
        return worked;
    }

    private boolean takeBatch() throws GuestFaultException {
        if (notificationsEnabled) {
            notificationsEnabled = false;
            queue.disableNotifications();
        }
        int taken = 0;
        try {
            while (taken < BATCH_REQUESTS && handler.wantsRequest()) {
                DescriptorChain chain = pool.peek();
                if (chain == null || !queue.next(chain)) {
                    break;
                }
                pool.take();
                memory.begin();
                inFlight++;
                taken++;
                handle(chain);
                if (unpublished >= PUBLISH_REQUESTS) {
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
        if ((unpublished > 0 || firstPublishDue) && !broken) {
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
            EventFd target = call;
            if (target != null) {
                target.signal();
                statistics.countSignal();
            }
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
        if (handler.hasWork() || (unpublished > 0 && !broken)) {
            return true;
        }
        if (draining || broken || !handler.wantsRequest() || pool.peek() == null) {
            return false;
        }
        if (kick == null) {
            return true;
        }
        notificationsEnabled = true;
        return queue.enableNotifications();
    }

    @Override
    public void failed(Throwable cause) {
        fault(cause);
    }

    private void kicked(EventFd source, int events) {
        if (source.drain()) {
            statistics.countKick();
            awaken();
        } else if ((events & (Epoll.EPOLLERR | Epoll.EPOLLHUP)) != 0) {
            fault(new IOException("the kick descriptor is broken"));
            try {
                kick(null);
            } catch (IOException e) {
                fault(e);
            }
        }
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
    }

    /** Replaces what the driver kicks; the caller closes the old one. */
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
        awaken();
    }

    /** Replaces what the driver is signalled with; the caller closes the old one. */
    void call(@Nullable EventFd newCall) {
        call = newCall;
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
     * Takes no further request and ends when none is in flight.
     *
     * @return completed on the loop with where the queue stands
     */
    CompletableFuture<QueueState> drain() {
        draining = true;
        awaken();
        return drained;
    }

    private void finish() {
        stopped = true;
        draining = false;
        QueueState end = null;
        Throwable failure = null;
        try {
            polling.stop();
            kick(null);
            handler.stopped();
            end = queue.state();
        } catch (IOException | RuntimeException | InternalError e) {
            failure = e;
        }
        // Whoever waits may count on everything being given back.
        release();
        if (end != null) {
            drained.complete(end);
        } else {
            drained.completeExceptionally(Objects.requireNonNull(failure));
        }
    }

    private void release() {
        pool.close();
        memory.close();
    }
}
