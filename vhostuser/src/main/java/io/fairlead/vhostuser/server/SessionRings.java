package io.fairlead.vhostuser.server;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.InflightBuffer;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolException;
import io.fairlead.vhostuser.protocol.VringBase;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The rings of one client's session, and the record of requests in flight that goes with them. A ring is ready when it
 * was started (SET_VRING_KICK) and is enabled. The session's thread; {@link #signalErrors} any.
 */
final class SessionRings implements AutoCloseable {
    private static final int INDEX_MASK = 0xff;
    private static final int NO_DESCRIPTOR = 1 << 8;
    private static final long PAYLOAD_MASK = INDEX_MASK | NO_DESCRIPTOR;

    private final VdpaDevice device;
    private final Connection connection;
    private final SessionMemory memory;
    private final RingTimes times;
    private final List<Vring> vrings;
    private @Nullable InflightBuffer inflight;
    private boolean freezing;

    /** Whether a ring was ready when one was last started or stopped. For any thread, which may not ask the device. */
    private volatile boolean anyStarted;

    SessionRings(VdpaDevice device, Connection connection, SessionMemory memory, RingTimes times) {
        this.device = device;
        this.connection = connection;
        this.memory = memory;
        this.times = times;
        vrings = Stream.generate(Vring::new).limit(device.queueCount()).toList();
    }

    boolean anyReady() {
        for (int queue = 0; queue < vrings.size(); queue++) {
            if (device.queueReady(queue)) {
                return true;
            }
        }
        return false;
    }

    /** As {@link #anyReady}, for any thread: the device may be locked by whoever waits for it. */
    boolean anyStarted() {
        return anyStarted;
    }

    /** Without protocol features there is no message that enables a ring: all are. */
    void enableAll() {
        vrings.forEach(vring -> vring.enabled = true);
    }

    /**
     * Whether the client keeps what is in flight, so that nothing waits for it (GET_VRING_BASE_INFLIGHT); else rings stop as
     * the device's owner said.
     */
    void freezeWhenStopped(boolean freeze) {
        freezing = freeze;
    }

    /** After a reset of the device. */
    void forget() {
        vrings.forEach(Vring::reset);
        anyStarted = false;
    }

    void signalErrors() {
        vrings.forEach(Vring::signalError);
    }

    private int checkedIndex(int index) throws ProtocolException {
        if (index < 0 || index >= vrings.size()) {
            throw new ProtocolException(
                    "ring %s, the device has %d".formatted(Integer.toUnsignedString(index), vrings.size()));
        }
        return index;
    }

    private void requireStopped(int queue, String what) throws ProtocolException {
        if (device.queueReady(queue)) {
            throw new ProtocolException("the %s of ring %d changed while it is running".formatted(what, queue));
        }
    }

    /** SET_VRING_NUM. */
    void size(Payload.VringState state) throws ProtocolException {
        int queue = checkedIndex(state.index());
        requireStopped(queue, "size");
        int max = device.maxQueueSize(queue);
        if (state.value() < 1 || state.value() > max) {
            throw new ProtocolException("ring %d with %s entries, at most %d are offered"
                    .formatted(queue, Integer.toUnsignedString(state.value()), max));
        }
        vrings.get(queue).size = state.value();
    }

    /**
     * SET_VRING_ADDR. Of a running ring only flags and log address may change. Both are of no consequence: a device marks its
     * used rings, where they lie, whenever it logs at all.
     */
    void address(Payload.VringAddress address) throws ProtocolException {
        int queue = checkedIndex(address.index());
        Vring vring = vrings.get(queue);
        if (vring.address == null || !address.hasRingsOf(vring.address)) {
            requireStopped(queue, "address");
        }
        vring.address = address;
    }

    /** SET_VRING_BASE. */
    void base(Payload.VringState state) throws ProtocolException {
        int queue = checkedIndex(state.index());
        requireStopped(queue, "base");
        vrings.get(queue).base = state.value();
    }

    /** GET_VRING_BASE. */
    void answerBase() throws IOException, ProtocolException {
        int queue = checkedIndex(Payload.VringState.read(connection.payload()).index());
        Vring vring = vrings.get(queue);
        stop(queue);
        if (freezing) {
            awaitSettled();
        }
        vring.started = false;
        vring.hasRun = false;
        device.queueKick(queue, null);
        new Payload.VringState(queue, vring.base).write(connection.replyPayload());
        connection.reply(Payload.VRING_STATE_BYTES, List.of());
    }

    /**
     * The client hands on what is in flight without a word of when it has ended here, so the next owner may take it up at
     * once: a write still under way on this host would come after that one's, and a read would reach a machine that stands
     * still. QEMU disables all rings before it asks for the first, so that all are waited for together.
     */
    private void awaitSettled() throws IOException {
        try {
            device.settled().toCompletableFuture().get();
        } catch (ExecutionException e) {
            throw new IOException("what is in flight did not end: " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while requests in flight were ending", e);
        }
    }

    /** SET_VRING_KICK. */
    void kick() throws IOException, ProtocolException, GuestFaultException {
        int queue = indexOfPayload();
        device.queueKick(queue, takeDescriptor());
        vrings.get(queue).started = true;
        startOrStop(queue);
    }

    /** SET_VRING_ENABLE. */
    void enabled(Payload.VringState state) throws IOException, ProtocolException, GuestFaultException {
        int queue = checkedIndex(state.index());
        if (state.value() != 0 && state.value() != 1) {
            throw new ProtocolException(
                    "ring %d enabled with %s, not 0 or 1".formatted(queue, Integer.toUnsignedString(state.value())));
        }
        vrings.get(queue).enabled = state.value() == 1;
        startOrStop(queue);
    }

    /** Whether all rings of which a kick came are enabled, and there are any. */
    boolean allStartedAreEnabled() {
        return vrings.stream().anyMatch(vring -> vring.started)
                && vrings.stream().noneMatch(vring -> vring.started && !vring.enabled);
    }

    private void startOrStop(int queue) throws IOException, ProtocolException, GuestFaultException {
        Vring vring = vrings.get(queue);
        boolean wanted = vring.started && vring.enabled;
        if (wanted && !device.queueReady(queue)) {
            start(queue, vring);
        } else if (!wanted) {
            stop(queue);
        }
    }

    private void start(int queue, Vring vring) throws IOException, ProtocolException, GuestFaultException {
        long startNanos = System.nanoTime();
        Payload.VringAddress address = vring.address;
        if (vring.size == 0 || address == null) {
            throw new ProtocolException("ring %d started without size or address".formatted(queue));
        }
        boolean packed = Feature.has(device.driverFeatures(), Feature.RING_PACKED);
        boolean eventIndex = Feature.has(device.driverFeatures(), Feature.EVENT_IDX);
        int size = vring.size;
        MemorySegment records = inflight == null ? null : inflight.part(queue);
        if (records != null && records.byteSize() < InflightRegion.byteCount(size, packed)) {
            throw new ProtocolException("ring %d of %d entries started with an in-flight region of only %d bytes"
                    .formatted(queue, size, records.byteSize()));
        }
        long driverBytes = packed ? RingLayout.EVENT_BYTES : RingLayout.availableBytes(size, eventIndex);
        long deviceBytes = packed ? RingLayout.EVENT_BYTES : RingLayout.usedBytes(size, eventIndex);
        device.queueSize(queue, size);
        device.queueAddresses(
                queue,
                memory.guestAddress(address.descriptor(), RingLayout.descriptorBytes(size)),
                memory.guestAddress(address.available(), driverBytes),
                memory.guestAddress(address.used(), deviceBytes));
        QueueState state = VringBase.decode(vring.base, packed);
        if (records == null && state instanceof QueueState.Packed place) {
            // Nothing can be in flight without a record of it; and DPDK's virtio-user leaves the used half empty.
            state = place.allDone();
        }
        device.queueState(queue, state);
        device.queueInflight(queue, records);
        device.queueReady(queue, true);
        vring.hasRun = true;
        anyStarted = true;
        times.started(System.nanoTime() - startNanos);
    }

    /** Stops a ring where it runs and keeps where it stands. */
    private void stop(int queue) throws IOException {
        if (device.queueReady(queue)) {
            long startNanos = System.nanoTime();
            if (freezing) {
                device.stopMode(VdpaDevice.StopMode.FREEZE);
            }
            device.queueReady(queue, false);
            times.stopped(System.nanoTime() - startNanos);
            anyStarted = anyReady();
            vrings.get(queue).base = device.queueState(queue).vringBase();
        }
    }

    /**
     * SET_VRING_CALL. Of a running ring the new descriptor is signalled once: QEMU switches between two, looks at the old one
     * for the last time as soon as it has sent this message, and would not see a signal that went there until the message
     * was read here. With EVENT_IDX the driver would get no further one. It expects signals without cause. So it is for a
     * ring that was disabled: the answers that it waited for went to the old one.
     */
    void call() throws IOException, ProtocolException {
        int queue = indexOfPayload();
        EventFd call = takeDescriptor();
        if (call == null || !vrings.get(queue).hasRun) {
            device.queueCall(queue, call);
            return;
        }
        boolean given = false;
        // The device may close its own at any time.
        try (EventFd again = EventFd.adopt(call.fd().duplicate())) {
            given = true;
            device.queueCall(queue, call);
            again.signal();
        } finally {
            if (!given) {
                call.close();
            }
        }
    }

    /** SET_VRING_ERR. */
    void error() throws IOException, ProtocolException {
        vrings.get(indexOfPayload()).error(takeDescriptor());
    }

    private int indexOfPayload() throws ProtocolException {
        long payload = Payload.u64(connection.payload());
        if ((payload & ~PAYLOAD_MASK) != 0) {
            throw new ProtocolException("ring payload 0x%x has unknown bits".formatted(payload));
        }
        return checkedIndex((int) payload & INDEX_MASK);
    }

    private @Nullable EventFd takeDescriptor() throws IOException, ProtocolException {
        boolean none = (Payload.u64(connection.payload()) & NO_DESCRIPTOR) != 0;
        if (none != (connection.descriptorCount() == 0)) {
            throw new ProtocolException(
                    none ? "a descriptor came with the word that none would" : "a ring descriptor is missing");
        }
        if (none) {
            return null;
        }
        Fd fd = connection.takeDescriptor();
        boolean isEvent = false;
        try {
            isEvent = EventFd.isEventFd(fd);
        } finally {
            if (!isEvent) {
                fd.close();
            }
        }
        if (!isEvent) {
            throw new ProtocolException("a ring descriptor is not an eventfd");
        }
        return EventFd.adopt(fd);
    }

    /**
     * GET_INFLIGHT_FD. There is room for the largest rings that the device takes, whatever was asked for: QEMU asks for its
     * device's {@code queue-size}, and 10.0.13 starts rings of 1024 entries nevertheless.
     */
    void answerInflight() throws IOException, ProtocolException {
        Payload.Inflight asked = Payload.Inflight.read(connection.payload());
        if (asked.queueCount() < 1 || asked.queueCount() > vrings.size()) {
            throw new ProtocolException(
                    "in-flight region for %d queues, the device has %d".formatted(asked.queueCount(), vrings.size()));
        }
        if (asked.queueSize() < 1 || asked.queueSize() > device.maxQueueSize(0)) {
            throw new ProtocolException("in-flight region for queues of %d entries, at most %d are offered"
                    .formatted(asked.queueSize(), device.maxQueueSize(0)));
        }
        int replyBytes = (int) connection.payload().byteSize();
        int roomFor = device.maxQueueSize(0);
        long byteCount = asked.queueCount() * InflightBuffer.partBytes(roomFor);
        try (Fd fd = InflightBuffer.create(device.name(), asked.queueCount(), roomFor)) {
            new Payload.Inflight(byteCount, 0, asked.queueCount(), asked.queueSize()).write(connection.replyPayload());
            connection.reply(replyBytes, List.of(fd));
        }
    }

    /** SET_INFLIGHT_FD. */
    void inflight() throws IOException, ProtocolException {
        if (anyReady()) {
            throw new ProtocolException("the in-flight region changed while a ring is running");
        }
        InflightBuffer next = InflightBuffer.map(
                connection.takeDescriptor(), Payload.Inflight.read(connection.payload()), vrings.size());
        closeInflight();
        inflight = next;
    }

    private void closeInflight() throws IOException {
        if (inflight != null) {
            for (int queue = 0; queue < vrings.size(); queue++) {
                device.queueInflight(queue, null);
            }
            inflight.close();
            inflight = null;
        }
    }

    /** Lets go of what the client gave; the device has been reset. */
    @Override
    public void close() throws IOException {
        for (int queue = 0; queue < vrings.size(); queue++) {
            device.queueKick(queue, null);
            device.queueCall(queue, null);
            vrings.get(queue).error(null);
        }
        closeInflight();
    }
}
