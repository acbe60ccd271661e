package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The device behind the relay: how its queues are stopped and where they then stand, by what it can do. One that cannot
 * stop a queue, or cannot tell where it stands, is drained and reset as a whole and set up again.
 *
 * <p>Under the relay's lock.
 */
final class InnerDevice {
    private static final long LOOK_NANOS = 500_000;
    private static final int LIVE =
            DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK;

    private final VdpaDevice device;
    private final boolean stopsQueues;
    private final boolean suspends;
    private final long deadlineNanos;

    /** What the generation lost by resets that the driver does not know of. */
    private int generationOffset;

    /** The status to write when the queues are set up again after a reset; 0 where none is due. */
    private int dueStatus;

    InnerDevice(VdpaDevice device, Duration drainDeadline) {
        this.device = device;
        Set<Capability> can = device.capabilities();
        stopsQueues = can.contains(Capability.QUEUE_STOP) && can.contains(Capability.QUEUE_STATE);
        suspends = can.contains(Capability.SUSPEND) && can.contains(Capability.QUEUE_STATE);
        deadlineNanos = drainDeadline.toNanos();
    }

    VdpaDevice device() {
        return device;
    }

    /** Whether one queue can be stopped without the others, at a position that the device tells. */
    boolean stopsQueues() {
        return stopsQueues;
    }

    /** Whether the device tells where its queues stand; else it takes a look at the guest's ring, which must be split. */
    boolean tellsStates() {
        return stopsQueues || suspends;
    }

    int configGeneration() throws IOException {
        return device.configGeneration() + generationOffset;
    }

    /**
     * Stops queues that the device serves from the guest's rings and notes where they stand. Of a device that must be
     * reset these have to be all that are ready; where it fails they go on as before.
     */
    void stopDirect(List<RelayQueue> queues, GuestMemory memory) throws IOException, DeviceFaultException {
        if (stopsQueues) {
            for (RelayQueue queue : queues) {
                device.queueReady(queue.index(), false);
                queue.state(device.queueState(queue.index()));
            }
            return;
        }
        if (suspends) {
            device.suspend();
            for (RelayQueue queue : queues) {
                queue.state(device.queueState(queue.index()));
            }
            resetKeeping();
            return;
        }
        List<SplitRingLook> rings = lookAt(queues, memory);
        // One each: whoever drains a descriptor that two share takes the other's wake-up with it.
        List<EventFd> decoys = new ArrayList<>();
        try {
            await(rings, decoys);
            resetKeeping();
            for (SplitRingLook ring : rings) {
                ring.queue().state(ring.afterReset());
                // For what was answered while the signals were taken away.
                signal(ring.queue().call());
            }
        } finally {
            decoys.forEach(EventFd::close);
        }
    }

    /**
     * Notes where queues stand that the device served from the guest's rings and will serve no more.
     *
     * @throws DeviceFaultException where the ring does not show which requests it left
     */
    void abandonDirect(RelayQueue queue, GuestMemory memory) throws IOException, DeviceFaultException {
        if (Feature.has(device.driverFeatures(), Feature.RING_PACKED)) {
            throw new DeviceFaultException(
                    "queue %d: a packed ring does not show what a device left unanswered".formatted(queue.index()));
        }
        queue.state(lookAt(List.of(queue), memory).getFirst().afterLoss());
        // Signals of the last answers may be lost with it.
        signal(queue.call());
    }

    private static List<SplitRingLook> lookAt(List<RelayQueue> queues, GuestMemory memory) throws IOException {
        try {
            List<SplitRingLook> rings = new ArrayList<>();
            for (RelayQueue queue : queues) {
                rings.add(new SplitRingLook(queue, memory));
            }
            return rings;
        } catch (GuestFaultException e) {
            throw new IOException("the guest's rings cannot be read: " + e.getMessage(), e);
        }
    }

    /** Takes kicks and signals away until all rings are idle; gives them back where that does not happen in time. */
    private void await(List<SplitRingLook> rings, List<EventFd> decoys) throws IOException {
        boolean idle = false;
        try {
            for (SplitRingLook ring : rings) {
                int queue = ring.queue().index();
                EventFd kick = EventFd.create("decoy kick of " + device.name());
                decoys.add(kick);
                device.queueKick(queue, RelayQueue.duplicate(kick));
                // Without signals the guest's driver soon has nothing more to do. A descriptor all the same:
                // libvhost-user
                // breaks off where it has none.
                device.queueCall(queue, EventFd.create("decoy call of " + device.name()));
            }
            awaitIdle(rings, decoys);
            idle = true;
        } finally {
            if (!idle) {
                giveBack(rings);
            }
        }
    }

    private void awaitIdle(List<SplitRingLook> rings, List<EventFd> kicks) throws IOException {
        long end = System.nanoTime() + deadlineNanos;
        while (true) {
            SplitRingLook busy = null;
            for (int i = 0; i < rings.size(); i++) {
                if (!rings.get(i).isIdle()) {
                    busy = rings.get(i);
                    // For what the guest added after its kicks were taken away.
                    kicks.get(i).signal();
                }
            }
            if (busy == null) {
                return;
            }
            if (System.nanoTime() > end) {
                throw overdue(busy.queue().index(), busy.outstanding());
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    private IOException overdue(int queue, int outstanding) {
        return new IOException(
                ("%s: queue %d still had %d requests outstanding after %d ms; the device can only be stopped when it has"
                                + " none, so everything goes on as before")
                        .formatted(device.name(), queue, outstanding, deadlineNanos / 1_000_000));
    }

    /** The guest's descriptors again, and a wake-up for both sides, as each may have missed one. */
    private void giveBack(List<SplitRingLook> rings) throws IOException {
        for (SplitRingLook ring : rings) {
            RelayQueue queue = ring.queue();
            device.queueKick(queue.index(), RelayQueue.duplicate(queue.kick()));
            device.queueCall(queue.index(), RelayQueue.duplicate(queue.call()));
            signal(queue.kick());
            signal(queue.call());
        }
    }

    private static void signal(@Nullable EventFd event) {
        if (event != null) {
            event.signal();
        }
    }

    /** Waits until requests that others left in flight are answered: a position in the ring does not tell of them. */
    void awaitTakenOver(List<RelayQueue> queues) throws IOException {
        long end = System.nanoTime() + deadlineNanos;
        for (RelayQueue queue : queues) {
            RelayRunner runner = queue.runner;
            while (runner != null && runner.takenOver() > 0) {
                if (System.nanoTime() > end) {
                    throw new IOException(
                            "%s: queue %d still had %d requests of its time before outstanding after %d ms"
                                    .formatted(
                                            device.name(),
                                            queue.index(),
                                            runner.takenOver(),
                                            deadlineNanos / 1_000_000));
                }
                LockSupport.parkNanos(LOOK_NANOS);
            }
        }
    }

    /**
     * Stops queues that the device serves from the relay's rings, whose runners take nothing more. Of a device that must
     * be reset these have to be all that are ready; where it fails none has stopped.
     */
    void stopRelayed(List<RelayQueue> queues) throws IOException {
        if (stopsQueues) {
            for (RelayQueue queue : queues) {
                device.queueReady(queue.index(), false);
            }
            return;
        }
        if (suspends) {
            device.suspend();
            resetKeeping();
            return;
        }
        long end = System.nanoTime() + deadlineNanos;
        for (RelayQueue queue : queues) {
            RelayRunner runner = queue.runner;
            while (runner != null && runner.outstanding() > 0 && !queue.loop.call(runner::onlyReceives)) {
                if (System.nanoTime() > end) {
                    throw overdue(queue.index(), runner.outstanding());
                }
                LockSupport.parkNanos(LOOK_NANOS);
            }
        }
        resetKeeping();
    }

    /** Resets the device and brings it as far as its queues can be set up: features, status, what the driver configured. */
    private void resetKeeping() throws IOException {
        int status = device.status() & ~DeviceStatus.DEVICE_NEEDS_RESET;
        long features = device.driverFeatures();
        int generation = configGeneration();
        MemorySegment config = MemorySegment.ofArray(new byte[device.configByteCount()]);
        device.readConfig(0, config);
        device.reset();
        agree(status, features);
        restore(config);
        generationOffset += generation - configGeneration();
    }

    /** Another device in the place of this one, which was not used yet; brought as far as its queues can be set up. */
    InnerDevice replacedBy(VdpaDevice next) throws IOException {
        InnerDevice made = new InnerDevice(next, Duration.ofNanos(deadlineNanos));
        if (device.driverFeatures() != 0) {
            made.agree(status() & ~DeviceStatus.DEVICE_NEEDS_RESET, device.driverFeatures());
        }
        // Its configuration may be another.
        made.generationOffset = configGeneration() + 1 - next.configGeneration();
        return made;
    }

    /** Has the device agree to what the driver settled; DRIVER_OK is due when the queues are set up. */
    private void agree(int settledStatus, long features) throws IOException {
        int status = settledStatus;
        if (!tellsStates() && !DeviceStatus.has(status, DeviceStatus.FEATURES_OK)) {
            // Its front-end writes no status. All queues begin together all the same, or the first would be under way.
            status |= LIVE;
        }
        int begun = status & (DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
        if (begun != 0) {
            device.status(begun);
        }
        device.driverFeatures(features);
        int agreed = status & ~DeviceStatus.DRIVER_OK;
        if (agreed != begun) {
            device.status(agreed);
            if (device.status() != agreed) {
                throw new IOException("%s: it refused what was agreed on before: status 0x%x instead of 0x%x"
                        .formatted(device.name(), device.status(), agreed));
            }
        }
        dueStatus = status == agreed ? 0 : status;
    }

    /** Writes what differs; bytes that are not the driver's stay as the device has them. */
    private void restore(MemorySegment wanted) throws IOException {
        MemorySegment now = MemorySegment.ofArray(new byte[(int) wanted.byteSize()]);
        device.readConfig(0, now);
        for (long from = wanted.mismatch(now); from >= 0; ) {
            long to = from + 1;
            while (to < wanted.byteSize() && differ(wanted, now, to)) {
                to++;
            }
            device.writeConfig((int) from, wanted.asSlice(from, to - from));
            long next = to == wanted.byteSize() ? -1 : wanted.asSlice(to).mismatch(now.asSlice(to));
            from = next < 0 ? -1 : to + next;
        }
    }

    private static boolean differ(MemorySegment a, MemorySegment b, long offset) {
        return a.get(ValueLayout.JAVA_BYTE, offset) != b.get(ValueLayout.JAVA_BYTE, offset);
    }

    /** The status as the driver wrote it, though the device may not have all of it yet. */
    int status() {
        return device.status() | dueStatus;
    }

    /** The queues are set up again. */
    void endSetUp() throws IOException {
        int status = dueStatus;
        dueStatus = 0;
        if (status != 0) {
            device.status(status);
        }
    }

    /** The guest reset the device: what was hidden from its driver is of no interest any more. */
    void forget() {
        dueStatus = 0;
    }
}
