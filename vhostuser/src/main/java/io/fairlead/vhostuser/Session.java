package io.fairlead.vhostuser;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client at one device: translates vhost-user messages into the device contract. Follows QEMU's
 * docs/interop/vhost-user.rst.
 *
 * <p>A ring is ready when it was started (SET_VRING_KICK) and is enabled. What breaks the protocol ends the session with
 * a logged reason; what the host cannot do is answered with an error where the client asked for an answer, and ends the
 * session otherwise. In the end the device is reset and the guest's memory let go.
 *
 * <p>Runs on one thread of its own; only {@link #shutdown} and the device's listener come from others.
 */
final class Session implements DeviceListener {
    private static final Logger LOG = LoggerFactory.getLogger(Session.class);

    private static final int VRING_INDEX_MASK = 0xff;
    private static final int VRING_NO_DESCRIPTOR = 1 << 8;
    private static final long VRING_PAYLOAD_MASK = VRING_INDEX_MASK | VRING_NO_DESCRIPTOR;

    /** QEMU shows a region for each piece of plugged memory; the kernel's own limit for KVM slots is of this order. */
    private static final int MAX_MEMORY_SLOTS = 509;

    private final VdpaDevice device;
    private final Connection connection;
    private final List<Vring> vrings;
    private final SessionMemory memory;
    private final Object channelLock = new Object();
    private @Nullable BackendChannel channel;
    private @Nullable InflightBuffer inflight;
    private long protocolFeatures;

    Session(VdpaDevice device, Connection connection) {
        this.device = device;
        this.connection = connection;
        vrings = Stream.generate(Vring::new).limit(device.queueCount()).toList();
        memory = new SessionMemory(device, MAX_MEMORY_SLOTS);
    }

    /**
     * Serves the client until it goes or has to go.
     *
     * @return why it ended, for log and operator
     */
    String run() {
        String reason;
        try {
            device.listener(this);
            reason = serve();
        } catch (ProtocolException e) {
            reason = "protocol violation: " + e.getMessage();
        } catch (GuestFaultException | IOException e) {
            reason = String.valueOf(e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.error("{}: the session failed", device.name(), e);
            reason = "internal error: " + e;
        }
        release();
        return reason;
    }

    private String serve() throws IOException, ProtocolException, GuestFaultException {
        while (connection.receive()) {
            Request request = Request.of(connection.request());
            request.check((int) connection.payload().byteSize(), connection.descriptorCount(), protocolFeatures);
            LOG.debug("{}: {}", device.name(), request);
            boolean acknowledge = !request.hasReply
                    && connection.needsReply()
                    && Feature.has(protocolFeatures, ProtocolFeature.REPLY_ACK);
            if (request.hasReply) {
                answer(request);
            } else if (acknowledge) {
                connection.reply(tryHandle(request) ? 0 : 1);
            } else {
                handle(request);
            }
        }
        return "the client closed the connection";
    }

    private boolean tryHandle(Request request) throws ProtocolException, GuestFaultException {
        try {
            handle(request);
            return true;
        } catch (IOException e) {
            LOG.warn("{}: {} failed: {}", device.name(), request, e.getMessage());
            return false;
        }
    }

    private void answer(Request request) throws IOException, ProtocolException {
        switch (request) {
            case GET_FEATURES -> connection.reply(device.deviceFeatures() | Feature.VHOST_USER_PROTOCOL_FEATURES);
            case GET_PROTOCOL_FEATURES -> connection.reply(offeredProtocolFeatures());
            case GET_QUEUE_NUM -> connection.reply(device.queueCount());
            case GET_VRING_BASE -> answerVringBase();
            case GET_CONFIG -> answerConfig();
            case GET_INFLIGHT_FD -> answerInflight();
            case GET_MAX_MEM_SLOTS -> connection.reply(MAX_MEMORY_SLOTS);
            case GET_STATUS -> connection.reply(device.status());
            default -> throw new IllegalStateException(request + " has no answer");
        }
    }

    private void handle(Request request) throws IOException, ProtocolException, GuestFaultException {
        switch (request) {
            case SET_FEATURES -> setFeatures(Payload.u64(connection.payload()));
            case SET_PROTOCOL_FEATURES -> setProtocolFeatures(Payload.u64(connection.payload()));
            case SET_OWNER -> {}
            // Deprecated; the specification lets a back-end ignore it, and known clients send it at their end.
            case RESET_OWNER -> {}
            case SET_MEM_TABLE -> memory.replace(connection);
            case ADD_MEM_REG -> memory.add(connection);
            case REM_MEM_REG -> memory.remove(connection);
            case SET_VRING_NUM -> setVringSize(Payload.VringState.read(connection.payload()));
            case SET_VRING_ADDR -> setVringAddress(Payload.VringAddress.read(connection.payload()));
            case SET_VRING_BASE -> setVringBase(Payload.VringState.read(connection.payload()));
            case SET_VRING_KICK -> setVringKick();
            case SET_VRING_CALL -> device.queueCall(vringOfPayload(), takeVringDescriptor());
            case SET_VRING_ERR -> vrings.get(vringOfPayload()).error(takeVringDescriptor());
            case SET_VRING_ENABLE -> setVringEnabled(Payload.VringState.read(connection.payload()));
            case SET_BACKEND_REQ_FD -> setChannel(new BackendChannel(connection.takeDescriptor()));
            case SET_CONFIG -> setConfig();
            case SET_INFLIGHT_FD -> setInflight();
            case RESET_DEVICE -> resetDevice();
            case SET_STATUS -> setStatus(Payload.u64(connection.payload()));
            default -> throw new IllegalStateException(request + " is not handled");
        }
    }

    // ---- features and status ----

    private long offeredProtocolFeatures() {
        long offered = ProtocolFeature.MQ
                | ProtocolFeature.REPLY_ACK
                | ProtocolFeature.BACKEND_REQ
                | ProtocolFeature.RESET_DEVICE
                | ProtocolFeature.CONFIGURE_MEM_SLOTS
                | ProtocolFeature.STATUS;
        if (device.configByteCount() > 0) {
            offered |= ProtocolFeature.CONFIG;
        }
        if (device.capabilities().contains(VdpaDevice.Capability.INFLIGHT)) {
            offered |= ProtocolFeature.INFLIGHT_SHMFD;
        }
        return offered;
    }

    private void setProtocolFeatures(long features) throws ProtocolException {
        long surplus = features & ~offeredProtocolFeatures();
        if (surplus != 0) {
            throw new ProtocolException("protocol features 0x%x were not offered".formatted(surplus));
        }
        protocolFeatures = features;
    }

    private void setFeatures(long features) throws IOException, ProtocolException {
        long driverFeatures = features & ~Feature.VHOST_USER_PROTOCOL_FEATURES;
        long surplus = driverFeatures & ~device.deviceFeatures();
        if (surplus != 0) {
            throw new ProtocolException("features 0x%x were not offered".formatted(surplus));
        }
        if (anyReady() && driverFeatures != device.driverFeatures()) {
            throw new ProtocolException("features changed while a ring is running");
        }
        if (!anyReady()) {
            device.driverFeatures(driverFeatures);
        }
        if (!Feature.has(features, Feature.VHOST_USER_PROTOCOL_FEATURES)) {
            for (int queue = 0; queue < vrings.size(); queue++) {
                vrings.get(queue).enabled = true;
            }
        }
    }

    private void setStatus(long status) throws IOException, ProtocolException {
        if (status < 0 || status > 0xff) {
            throw new ProtocolException("device status 0x%x is not a byte".formatted(status));
        }
        if (status == 0) {
            resetDevice();
        } else {
            device.status((int) status);
        }
    }

    private void resetDevice() throws IOException {
        device.reset();
        vrings.forEach(Vring::reset);
    }

    private boolean anyReady() {
        for (int queue = 0; queue < vrings.size(); queue++) {
            if (device.queueReady(queue)) {
                return true;
            }
        }
        return false;
    }

    // ---- rings ----

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

    private void setVringSize(Payload.VringState state) throws ProtocolException {
        int queue = checkedIndex(state.index());
        requireStopped(queue, "size");
        int max = device.maxQueueSize(queue);
        if (state.value() < 1 || state.value() > max) {
            throw new ProtocolException("ring %d with %s entries, at most %d are offered"
                    .formatted(queue, Integer.toUnsignedString(state.value()), max));
        }
        vrings.get(queue).size = state.value();
    }

    private void setVringAddress(Payload.VringAddress address) throws ProtocolException {
        int queue = checkedIndex(address.index());
        Vring vring = vrings.get(queue);
        if (!address.equals(vring.address)) {
            requireStopped(queue, "address");
        }
        vring.address = address;
    }

    private void setVringBase(Payload.VringState state) throws ProtocolException {
        int queue = checkedIndex(state.index());
        requireStopped(queue, "base");
        vrings.get(queue).base = state.value();
    }

    private void answerVringBase() throws IOException, ProtocolException {
        int queue = checkedIndex(Payload.VringState.read(connection.payload()).index());
        Vring vring = vrings.get(queue);
        stop(queue);
        vring.started = false;
        device.queueKick(queue, null);
        new Payload.VringState(queue, vring.base).write(connection.replyPayload());
        connection.reply(Payload.VRING_STATE_BYTES, List.of());
    }

    private void setVringKick() throws IOException, ProtocolException, GuestFaultException {
        int queue = vringOfPayload();
        device.queueKick(queue, takeVringDescriptor());
        vrings.get(queue).started = true;
        startOrStop(queue);
    }

    private void setVringEnabled(Payload.VringState state) throws IOException, ProtocolException, GuestFaultException {
        int queue = checkedIndex(state.index());
        if (state.value() != 0 && state.value() != 1) {
            throw new ProtocolException(
                    "ring %d enabled with %s, not 0 or 1".formatted(queue, Integer.toUnsignedString(state.value())));
        }
        vrings.get(queue).enabled = state.value() == 1;
        startOrStop(queue);
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
        Payload.VringAddress address = vring.address;
        if (vring.size == 0 || address == null) {
            throw new ProtocolException("ring %d started without size or address".formatted(queue));
        }
        boolean packed = Feature.has(device.driverFeatures(), Feature.RING_PACKED);
        boolean eventIndex = Feature.has(device.driverFeatures(), Feature.EVENT_IDX);
        int size = vring.size;
        long driverBytes = packed ? RingLayout.EVENT_BYTES : RingLayout.availableBytes(size, eventIndex);
        long deviceBytes = packed ? RingLayout.EVENT_BYTES : RingLayout.usedBytes(size, eventIndex);
        device.queueSize(queue, size);
        device.queueAddresses(
                queue,
                memory.guestAddress(address.descriptor(), RingLayout.descriptorBytes(size)),
                memory.guestAddress(address.available(), driverBytes),
                memory.guestAddress(address.used(), deviceBytes));
        device.queueState(queue, Vring.decode(vring.base, packed));
        device.queueInflight(queue, inflight == null ? null : inflight.part(queue));
        device.queueReady(queue, true);
    }

    /** Stops a ring where it runs and keeps where it stands. */
    private void stop(int queue) throws IOException {
        if (device.queueReady(queue)) {
            device.queueReady(queue, false);
            vrings.get(queue).base = Vring.encode(device.queueState(queue));
        }
    }

    private int vringOfPayload() throws ProtocolException {
        long payload = Payload.u64(connection.payload());
        if ((payload & ~VRING_PAYLOAD_MASK) != 0) {
            throw new ProtocolException("ring payload 0x%x has unknown bits".formatted(payload));
        }
        return checkedIndex((int) payload & VRING_INDEX_MASK);
    }

    private @Nullable EventFd takeVringDescriptor() throws IOException, ProtocolException {
        boolean none = (Payload.u64(connection.payload()) & VRING_NO_DESCRIPTOR) != 0;
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

    // ---- configuration space ----

    private void answerConfig() throws IOException, ProtocolException {
        MemorySegment payload = connection.payload();
        Payload.Config config = Payload.Config.read(payload);
        MemorySegment bytes = payload.asSlice(Payload.CONFIG_BYTES);
        int known = device.configByteCount();
        if (config.offset() > known) {
            connection.reply(0, List.of());
            return;
        }
        // A client of a newer version asks for fields that came later: they read as zero.
        bytes.fill((byte) 0);
        device.readConfig(config.offset(), bytes.asSlice(0, Math.min(bytes.byteSize(), known - config.offset())));
        connection.reply((int) payload.byteSize(), List.of());
    }

    private void setConfig() throws IOException, ProtocolException {
        MemorySegment payload = connection.payload();
        Payload.Config config = Payload.Config.read(payload);
        if (config.offset() > device.configByteCount() - config.byteCount()) {
            throw new ProtocolException("%d bytes at %d are outside the configuration space of %d bytes"
                    .formatted(config.byteCount(), config.offset(), device.configByteCount()));
        }
        device.writeConfig(config.offset(), payload.asSlice(Payload.CONFIG_BYTES));
    }

    // ---- requests in flight ----

    private void answerInflight() throws IOException, ProtocolException {
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
        long byteCount = asked.queueCount() * InflightBuffer.partBytes(asked.queueSize());
        try (Fd fd = InflightBuffer.create(device.name(), asked.queueCount(), asked.queueSize())) {
            new Payload.Inflight(byteCount, 0, asked.queueCount(), asked.queueSize()).write(connection.replyPayload());
            connection.reply(replyBytes, List.of(fd));
        }
    }

    private void setInflight() throws IOException, ProtocolException {
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

    // ---- up to the client ----

    private void setChannel(@Nullable BackendChannel next) throws IOException {
        synchronized (channelLock) {
            if (channel != null) {
                channel.close();
            }
            channel = next;
        }
    }

    @Override
    public void configChanged() {
        synchronized (channelLock) {
            if (channel == null) {
                return;
            }
            try {
                channel.sendConfigChanged();
            } catch (IOException e) {
                LOG.warn("{}: the client was not told of a configuration change: {}", device.name(), e.getMessage());
            }
        }
    }

    @Override
    public void needsReset(String reason) {
        vrings.forEach(Vring::signalError);
        configChanged();
    }

    // ---- the end ----

    /** Ends the session from another thread; {@link #run} returns soon. */
    void shutdown() {
        connection.shutdown();
    }

    private void release() {
        List<AutoCloseable> steps = new ArrayList<>();
        steps.add(() -> device.listener(null));
        steps.add(device::reset);
        for (int queue = 0; queue < vrings.size(); queue++) {
            int index = queue;
            steps.add(() -> device.queueKick(index, null));
            steps.add(() -> device.queueCall(index, null));
            steps.add(() -> vrings.get(index).error(null));
        }
        steps.add(this::closeInflight);
        steps.add(memory);
        steps.add(() -> setChannel(null));
        steps.add(connection);
        for (AutoCloseable step : steps) {
            try {
                step.close();
            } catch (Exception e) {
                LOG.warn("{}: while ending a session: {}", device.name(), e.getMessage());
            }
        }
    }
}
