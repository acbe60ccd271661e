package io.fairlead.vdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A device whose rings somebody else serves, such as the kernel or another daemon, who is handed memory, kicks and calls:
 * what is alike in these is how they keep what was settled for a queue, and that they neither freeze nor record what is in
 * flight.
 *
 * @param <Q> its queues
 */
public abstract class PassThroughDevice<Q extends SettledQueue<EventFd>> implements VdpaDevice {
    private final String name;
    private final Object lock;
    private final List<Q> queues;

    /** @param lock serializes the control calls */
    protected PassThroughDevice(String name, Object lock, List<Q> queues) {
        this.name = name;
        this.lock = lock;
        this.queues = queues;
    }

    // ---- what whoever serves does; under the lock ----

    protected abstract boolean isClosed();

    protected abstract boolean isSuspended();

    /** Whether the driver took packed rings. */
    protected abstract boolean packed();

    /** The driver's choice, of what is offered and other than before, while no queue is ready. */
    protected abstract void takeFeatures(long features) throws IOException;

    /** A queue has another kick. */
    protected abstract void tellKick(Q queue) throws IOException;

    /** A queue has another call. */
    protected abstract void tellCall(Q queue) throws IOException;

    /** Makes a queue ready, whose size and state fit; where that fails, it is not. */
    protected abstract void start(Q queue) throws IOException;

    /** Makes a queue no longer ready. */
    protected abstract void stop(Q queue) throws IOException;

    // ---- identity and features ----

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final void driverFeatures(long features) throws IOException {
        synchronized (lock) {
            requireOpen();
            long surplus = features & ~deviceFeatures();
            if (surplus != 0) {
                throw new IllegalArgumentException("%s does not offer feature bits 0x%x; it offers 0x%x"
                        .formatted(name, surplus, deviceFeatures()));
            }
            if (features != driverFeatures()) {
                queues.forEach(queue -> requireNotReady(queue.index()));
                takeFeatures(features);
            }
        }
    }

    // ---- queues ----

    @Override
    public final int queueCount() {
        return queues.size();
    }

    @Override
    public final void queueSize(int queue, int size) {
        synchronized (lock) {
            Q settled = requireNotReady(queue);
            if (size < 1 || size > maxQueueSize(queue)) {
                throw new IllegalArgumentException(
                        "%s: queue size %d is not in 1..%d".formatted(name, size, maxQueueSize(queue)));
            }
            settled.size(size);
        }
    }

    @Override
    public final void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) {
        synchronized (lock) {
            requireNotReady(queue).addresses(descriptorAddress, driverAddress, deviceAddress);
        }
    }

    @Override
    public final QueueSetup queueSetup(int queue) {
        synchronized (lock) {
            return queue(queue).setup();
        }
    }

    @Override
    public final void queueState(int queue, QueueState state) {
        synchronized (lock) {
            requireNotReady(queue).state(state);
        }
    }

    @Override
    public final QueueState queueState(int queue) {
        synchronized (lock) {
            Q settled = queue(queue);
            if (settled.ready() && !isSuspended()) {
                throw new IllegalStateException("%s: queue %d is running".formatted(name, queue));
            }
            return settled.stateFor(packed());
        }
    }

    @Override
    public final void queueKick(int queue, @Nullable EventFd kick) throws IOException {
        synchronized (lock) {
            Q settled = queue(queue);
            settled.kick(kick, () -> tellKick(settled));
        }
    }

    @Override
    public final void queueCall(int queue, @Nullable EventFd call) throws IOException {
        synchronized (lock) {
            Q settled = queue(queue);
            settled.call(call, () -> tellCall(settled));
        }
    }

    /**
     * Without effect: a segment cannot be handed to the kernel or another process, so {@link Capability#INFLIGHT} is not
     * offered.
     */
    @Override
    public final void queueInflight(int queue, @Nullable MemorySegment region) {
        synchronized (lock) {
            requireNotReady(queue);
        }
    }

    @Override
    public final boolean queueReady(int queue) {
        synchronized (lock) {
            return queues.get(queue).ready();
        }
    }

    @Override
    public final void queueReady(int queue, boolean ready) throws IOException {
        synchronized (lock) {
            Q settled = queue(queue);
            if (settled.ready() == ready) {
                return;
            }
            if (!ready) {
                stop(settled);
                return;
            }
            settled.startState(name, packed());
            if (!RingLayout.isValidSize(settled.size(), packed())) {
                throw new IllegalStateException(
                        "%s: queue %d cannot have %d entries".formatted(name, queue, settled.size()));
            }
            start(settled);
        }
    }

    // ---- migration ----

    @Override
    public final void stopMode(StopMode mode) {
        synchronized (lock) {
            requireOpen();
            if (mode != StopMode.DRAIN) {
                throw new UnsupportedOperationException(name + " cannot freeze");
            }
        }
    }

    @Override
    public final CompletionStage<Void> settled() {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public final InflightRequests inflightRequests(int queue) {
        synchronized (lock) {
            requireNotReady(queue);
            return InflightRequests.none();
        }
    }

    @Override
    public final void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settledElsewhere) {
        synchronized (lock) {
            requireNotReady(queue);
            if (!requests.isEmpty()) {
                throw new UnsupportedOperationException(name + " cannot take up requests of another device");
            }
        }
    }

    private Q queue(int index) {
        requireOpen();
        return queues.get(Objects.checkIndex(index, queues.size()));
    }

    private Q requireNotReady(int index) {
        Q queue = queue(index);
        if (queue.ready()) {
            throw new IllegalStateException("%s: queue %d is ready".formatted(name, index));
        }
        return queue;
    }

    protected final void requireOpen() {
        if (isClosed()) {
            throw new IllegalStateException(name + " is closed");
        }
    }
}
