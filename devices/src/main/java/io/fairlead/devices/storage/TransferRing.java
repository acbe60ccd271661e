package io.fairlead.devices.storage;

import io.fairlead.devices.base.QueueRunner;
import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.IoUring;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads and writes of one queue by io_uring: no thread of ours waits for them. Made at the first request that needs it, so
 * that an idle disk has none. Completions are polled while the queue is awake and signalled while it sleeps.
 *
 * <p>On the queue's loop alone.
 */
final class TransferRing implements AutoCloseable {
    private static final int ENTRIES = 128;
    private static final Logger LOG = LoggerFactory.getLogger(TransferRing.class);
    private static final AtomicBoolean REFUSAL_LOGGED = new AtomicBoolean();

    private final QueueRunner runner;
    private final IoUring ring;
    private final EventFd signal;

    /** By the user data of their requests. */
    private final List<StorageTask> tasks = new ArrayList<>();

    private int prepared;
    private boolean signalled;

    private TransferRing(QueueRunner runner, IoUring ring) throws IOException {
        this.runner = runner;
        this.ring = ring;
        signal = EventFd.create("completions of io_uring");
        ring.registerEventFd(signal);
        ring.notifications(false);
        runner.loop().register(signal.raw(), Epoll.EPOLLIN, events -> {
            signal.drain();
            runner.wake();
        });
    }

    /** @return null where the kernel does not let us: then workers do it */
    static @Nullable TransferRing tryCreate(QueueRunner runner) {
        IoUring ring = IoUring.tryCreate(ENTRIES);
        if (ring == null) {
            refused(IoUring.unavailableReason());
            return null;
        }
        try {
            return new TransferRing(runner, ring);
        } catch (IOException e) {
            ring.close();
            refused(e.getMessage());
            return null;
        }
    }

    private static void refused(@Nullable String reason) {
        if (!REFUSAL_LOGGED.getAndSet(true)) {
            LOG.info("disks use threads in place of io_uring: {}", reason);
        }
    }

    /**
     * Takes a plain read or write, which starts at the next {@link #submit}.
     *
     * @return false where there is no room
     */
    boolean add(StorageTask task, int descriptor) {
        if (task.ringIndex() < 0) {
            task.ringIndex(tasks.size());
            tasks.add(task);
        }
        boolean taken = prepare(task, descriptor);
        if (!taken) {
            submit();
            taken = prepare(task, descriptor);
        }
        if (taken) {
            prepared++;
        }
        return taken;
    }

    private boolean prepare(StorageTask task, int descriptor) {
        return task.isRead()
                ? ring.readv(descriptor, task.iovecAddress(), task.iovecCount(), task.offset(), 0, task.ringIndex())
                : ring.writev(descriptor, task.iovecAddress(), task.iovecCount(), task.offset(), 0, task.ringIndex());
    }

    /** Starts what was added; what the kernel does not take now goes with the next call. */
    void submit() {
        if (prepared > 0) {
            int taken = ring.submit();
            if (taken > 0) {
                prepared -= taken;
            }
        }
    }

    /**
     * Finishes what has completed and submits what was left.
     *
     * @return whether there was something
     */
    boolean poll(StorageQueue queue) {
        if (signalled) {
            signalled = false;
            ring.notifications(false);
        }
        boolean found = finish(queue);
        if (prepared > 0) {
            submit();
            found = true;
        }
        return found;
    }

    private boolean finish(StorageQueue queue) {
        boolean found = false;
        while (ring.nextCompletion()) {
            found = true;
            queue.transferred(tasks.get((int) ring.completionUserData()), ring.completionResult());
        }
        return found;
    }

    /**
     * Asks for a signal at the next completion and finishes what came before that.
     *
     * @return whether there was something, so that no signal may follow
     */
    boolean arm(StorageQueue queue) {
        if (ring.inFlight() == 0 && prepared == 0) {
            return false;
        }
        signalled = true;
        ring.notifications(true);
        return prepared > 0 || finish(queue);
    }

    @Override
    public void close() {
        try {
            runner.loop().unregister(signal.raw());
        } catch (IOException e) {
            LOG.error("io_uring's eventfd", e);
        }
        ring.close();
        signal.close();
    }
}
