package io.fairlead.kernel.vduse;

import io.fairlead.linux.Errno;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.linux.Vduse;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.VdpaDevice.StopMode;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The queues of one VDUSE device, from the kernel's words to the device contract. On the session's thread. */
final class VduseQueues {
    /** The kernel takes interrupts as soon as it has read the answer to DRIVER_OK: after microseconds. */
    private static final int INTERRUPT_TRIES = 1000;

    private static final long RETRY_NANOS = TimeUnit.MICROSECONDS.toNanos(100);

    private final VdpaDevice device;
    private final KernelEnd kernel;
    private final VduseRecord record;
    private final int count;

    /** Those that ran since the last reset. */
    private final boolean[] started;

    VduseQueues(VdpaDevice device, KernelEnd kernel, VduseRecord record, int count) {
        this.device = device;
        this.kernel = kernel;
        this.record = record;
        this.count = count;
        started = new boolean[count];
    }

    boolean has(int queue) {
        return queue >= 0 && queue < count;
    }

    /** Starts all queues that the driver made ready. */
    void startReady() throws IOException, GuestFaultException {
        for (int queue = 0; queue < count; queue++) {
            Vduse.QueueInfo info = kernel.queueInfo(queue);
            if (info.ready() && !device.queueReady(queue)) {
                start(queue, info);
            }
        }
    }

    /** Starts a queue that is about to be ready. */
    void start(int queue) throws IOException, GuestFaultException {
        if (!device.queueReady(queue)) {
            start(queue, kernel.queueInfo(queue));
        }
    }

    private void start(int queue, Vduse.QueueInfo info) throws IOException, GuestFaultException {
        if (info.size() < 1 || info.size() > device.maxQueueSize(queue)) {
            throw new GuestFaultException("queue %d has %s entries, at most %d are offered"
                    .formatted(queue, Integer.toUnsignedString(info.size()), device.maxQueueSize(queue)));
        }
        device.queueSize(queue, info.size());
        device.queueAddresses(queue, info.descriptorAddress(), info.driverAddress(), info.deviceAddress());
        device.queueState(queue, RingState.decode(info.state(), isPacked()));
        device.queueInflight(queue, record.inflight(queue));
        EventFd kick = EventFd.create("kick of queue %d of %s".formatted(queue, device.name()));
        boolean given = false;
        try {
            kernel.kick(queue, kick);
            given = true;
        } finally {
            if (!given) {
                kick.close();
            }
        }
        device.queueKick(queue, kick);
        Signal interrupt = () -> kernel.interrupt(queue);
        if (!device.queueSignal(queue, interrupt)) {
            throw new IllegalStateException(device.name() + " cannot signal");
        }
        device.queueReady(queue, true);
        started[queue] = true;
    }

    private boolean isPacked() {
        return Feature.has(device.driverFeatures(), Feature.RING_PACKED);
    }

    /**
     * Signals all queues that run until the kernel takes it: an interrupt of a queue that was quicker than the kernel with the
     * answer to DRIVER_OK is refused, and so may be that of a process before this one. Drivers expect signals without cause.
     */
    void signalAll() {
        for (int queue = 0; queue < count; queue++) {
            if (device.queueReady(queue)) {
                for (int i = 0; i < INTERRUPT_TRIES && kernel.interrupt(queue) == -Errno.EINVAL; i++) {
                    LockSupport.parkNanos(RETRY_NANOS);
                }
            }
        }
    }

    /** Stops one queue for good; it may be set up anew. */
    void stop(int queue) throws IOException {
        if (device.queueReady(queue)) {
            device.queueReady(queue, false);
            record.forget(queue);
        }
    }

    /** Where a queue stands. One that runs stops for a moment. */
    long state(int queue) throws IOException {
        if (!started[queue]) {
            return record.isSuspended()
                    ? record.suspendedState(queue)
                    : kernel.queueInfo(queue).state();
        }
        if (device.queueReady(queue) && !record.isSuspended()) {
            device.queueReady(queue, false);
            long state = RingState.encode(device.queueState(queue));
            device.queueReady(queue, true);
            return state;
        }
        return RingState.encode(device.queueState(queue));
    }

    /**
     * Suspends the device, for a driver that reads the queues' states then and goes on elsewhere. It cannot take requests in
     * flight along.
     *
     * @return false where some did not end in time: the device goes on
     */
    boolean suspend() throws IOException {
        device.stopMode(mayFreeze() ? StopMode.DRAIN_THEN_FREEZE : StopMode.DRAIN);
        device.suspend();
        long[] states = new long[count];
        for (int queue = 0; queue < count; queue++) {
            if (started[queue] && !device.inflightRequests(queue).isEmpty()) {
                device.resume();
                return false;
            }
            states[queue] = started[queue]
                    ? RingState.encode(device.queueState(queue))
                    : kernel.queueInfo(queue).state();
        }
        record.suspended(states);
        return true;
    }

    /** Stops all queues so that another process can go on with them: what hangs stays recorded as in flight. */
    void leave() throws IOException {
        device.stopMode(mayFreeze() ? StopMode.DRAIN_THEN_FREEZE : StopMode.DRAIN);
        for (int queue = 0; queue < count; queue++) {
            if (device.queueReady(queue)) {
                device.queueReady(queue, false);
            }
        }
    }

    private boolean mayFreeze() {
        return device.capabilities().contains(Capability.FREEZE);
    }

    /** The device was reset. */
    void forget() throws IOException {
        for (int queue = 0; queue < count; queue++) {
            device.queueKick(queue, null);
            device.queueCall(queue, null);
            started[queue] = false;
        }
    }
}
