package io.fairlead.vhostuser.server;

import io.fairlead.linux.Fd;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolException;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client at one device: translates vhost-user messages into the device contract. Follows QEMU's
 * docs/interop/vhost-user.rst.
 *
 * <p>What breaks the protocol ends the session with a logged reason; what the host cannot do is answered with an error
 * where the client asked for an answer, and ends the session otherwise. In the end the device is reset and the guest's
 * memory let go.
 *
 * <p>Runs on one thread of its own; only {@link #shutdown}, {@link #retainedMemory} and the device's listener come from
 * others.
 */
final class Session implements DeviceListener {
    private static final Logger LOG = LoggerFactory.getLogger(Session.class);

    /** QEMU shows a region for each piece of plugged memory; the kernel's own limit for KVM slots is of this order. */
    private static final int MAX_MEMORY_SLOTS = 509;

    /** With these a client sets the device up anew. */
    private static final Set<Request> SETUP = EnumSet.of(
            Request.SET_FEATURES,
            Request.SET_STATUS,
            Request.SET_VRING_NUM,
            Request.SET_VRING_ADDR,
            Request.SET_VRING_BASE,
            Request.SET_VRING_KICK,
            Request.SET_VRING_ENABLE,
            Request.SET_INFLIGHT_FD);

    private final VdpaDevice device;
    private final Connection connection;
    private final RingGate gate;
    private final SessionMemory memory;
    private final SessionRings rings;
    private final SessionLog log;
    private final SessionState state;
    private final Object channelLock = new Object();
    private @Nullable BackendChannel channel;
    private long protocolFeatures;

    /** The client wrote a status of 0; the device is reset when the client goes on (see {@link #setStatus}). */
    private boolean resetDue;

    /** The configuration changed while no ring ran. Set by any thread, after which a ring may start. */
    private volatile boolean changeUnheard;

    Session(VdpaDevice device, Connection connection, RingGate gate, RingTimes times) {
        this.device = device;
        this.connection = connection;
        this.gate = gate;
        memory = new SessionMemory(device, MAX_MEMORY_SLOTS);
        rings = new SessionRings(device, connection, memory, times);
        log = new SessionLog(device);
        state = new SessionState(device, gate);
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
            LOG.warn("{}: {}", device.name(), reason);
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
            gate.pass(request);
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
            if (changeUnheard && rings.anyStarted()) {
                configChanged();
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
            case GET_FEATURES -> connection.reply(offeredFeatures());
            case GET_PROTOCOL_FEATURES -> connection.reply(offeredProtocolFeatures());
            // Of a network device, pairs: so front-ends understand it.
            case GET_QUEUE_NUM ->
                connection.reply(device.deviceId() == DeviceId.NET ? device.queueCount() / 2 : device.queueCount());
            case SET_LOG_BASE -> setLogBase();
            case GET_VRING_BASE -> rings.answerBase();
            case GET_CONFIG -> answerConfig();
            case GET_INFLIGHT_FD -> rings.answerInflight();
            case GET_MAX_MEM_SLOTS -> connection.reply(MAX_MEMORY_SLOTS);
            case GET_STATUS -> connection.reply(resetDue ? 0 : device.status());
            case SET_DEVICE_STATE_FD -> setDeviceState();
            case CHECK_DEVICE_STATE -> connection.reply(state.check() ? 0 : 1);
            default -> throw new IllegalStateException(request + " has no answer");
        }
    }

    private void handle(Request request) throws IOException, ProtocolException, GuestFaultException {
        if (resetDue && SETUP.contains(request)) {
            beginAgain();
        }
        switch (request) {
            case SET_FEATURES -> setFeatures(Payload.u64(connection.payload()));
            case SET_PROTOCOL_FEATURES -> setProtocolFeatures(Payload.u64(connection.payload()));
            case SET_OWNER -> {}
            // Deprecated; the specification lets a back-end ignore it, and known clients send it at their end.
            case RESET_OWNER -> {}
            case SET_MEM_TABLE -> memory.replace(connection);
            case ADD_MEM_REG -> memory.add(connection);
            case REM_MEM_REG -> memory.remove(connection);
            // We could signal that pages were marked. Nobody has to be woken for that: who reads the log polls it.
            case SET_LOG_FD -> {}
            case SET_VRING_NUM -> rings.size(Payload.VringState.read(connection.payload()));
            case SET_VRING_ADDR -> rings.address(Payload.VringAddress.read(connection.payload()));
            case SET_VRING_BASE -> rings.base(Payload.VringState.read(connection.payload()));
            case SET_VRING_KICK -> rings.kick();
            case SET_VRING_CALL -> rings.call();
            case SET_VRING_ERR -> rings.error();
            case SET_VRING_ENABLE -> {
                rings.enabled(Payload.VringState.read(connection.payload()));
                takeForDriverOk();
            }
            case SET_BACKEND_REQ_FD -> setChannel(new BackendChannel(connection.takeDescriptor()));
            case SET_CONFIG -> setConfig();
            case SET_INFLIGHT_FD -> rings.inflight();
            case RESET_DEVICE -> resetDevice();
            case SEND_RARP -> sendRarp();
            case SET_STATUS -> setStatus(Payload.u64(connection.payload()));
            default -> throw new IllegalStateException(request + " is not handled");
        }
    }

    // ---- features and status ----

    private boolean can(VdpaDevice.Capability... capabilities) {
        return device.capabilities().containsAll(List.of(capabilities));
    }

    private long offeredFeatures() {
        long offered = device.deviceFeatures() | Feature.VHOST_USER_PROTOCOL_FEATURES;
        return can(Capability.DIRTY_LOG) ? offered | Feature.VHOST_LOG_ALL : offered;
    }

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
        if (device.deviceId() == DeviceId.NET) {
            offered |= ProtocolFeature.RARP;
        }
        if (can(Capability.DIRTY_LOG)) {
            offered |= ProtocolFeature.LOG_SHMFD;
        }
        if (can(Capability.QUEUE_STATE, Capability.STREAM_STATE)) {
            offered |= ProtocolFeature.DEVICE_STATE;
        }
        if (can(Capability.INFLIGHT)) {
            offered |= ProtocolFeature.INFLIGHT_SHMFD;
        }
        if (can(Capability.INFLIGHT, Capability.FREEZE)) {
            offered |= ProtocolFeature.GET_VRING_BASE_INFLIGHT;
        }
        return offered;
    }

    private void setProtocolFeatures(long features) throws ProtocolException {
        long surplus = features & ~offeredProtocolFeatures();
        if (surplus != 0) {
            throw new ProtocolException("protocol features 0x%x were not offered".formatted(surplus));
        }
        boolean freezes = Feature.has(features, ProtocolFeature.GET_VRING_BASE_INFLIGHT);
        if (freezes && !Feature.has(features, ProtocolFeature.INFLIGHT_SHMFD)) {
            throw new ProtocolException("GET_VRING_BASE_INFLIGHT was taken without INFLIGHT_SHMFD");
        }
        protocolFeatures = features;
        rings.freezeWhenStopped(freezes);
    }

    private void setFeatures(long features) throws IOException, ProtocolException {
        long surplus = features & ~offeredFeatures();
        if (surplus != 0) {
            throw new ProtocolException("features 0x%x were not offered".formatted(surplus));
        }
        long driverFeatures = features & ~(Feature.VHOST_USER_PROTOCOL_FEATURES | Feature.VHOST_LOG_ALL);
        if (rings.anyReady() && driverFeatures != device.driverFeatures()) {
            throw new ProtocolException("features changed while a ring is running");
        }
        if (!rings.anyReady()) {
            device.driverFeatures(driverFeatures);
        }
        if (!Feature.has(features, Feature.VHOST_USER_PROTOCOL_FEATURES)) {
            rings.enableAll();
        }
        log.enabled(Feature.has(features, Feature.VHOST_LOG_ALL));
    }

    /**
     * A status of 0 resets the device, but not at once where its rings were stopped before: QEMU writes it whenever a machine
     * stops, also for its migration, and then the device's state is still to be taken, and nothing may wait for what is in
     * flight.
     */
    private void setStatus(long status) throws IOException, ProtocolException {
        if (status < 0 || status > 0xff) {
            throw new ProtocolException("device status 0x%x is not a byte".formatted(status));
        }
        if (status == 0 && !rings.anyReady()) {
            resetDue = true;
        } else if (status == 0) {
            resetDevice();
        } else {
            device.status((int) status);
        }
    }

    /**
     * QEMU's generic devices, and its rng's, write the status when features are negotiated and never again: with them the
     * driver is ready when the last of its rings is enabled. Network cards have their rings enabled pair by pair, and a status
     * that says when that is over.
     */
    private void takeForDriverOk() throws IOException {
        int status = device.status();
        if (device.deviceId() != DeviceId.NET
                && DeviceStatus.has(status, DeviceStatus.FEATURES_OK)
                && !DeviceStatus.has(status, DeviceStatus.DRIVER_OK)
                && rings.allStartedAreEnabled()) {
            device.status(status | DeviceStatus.DRIVER_OK);
        }
    }

    private void resetDevice() throws IOException {
        device.reset();
        forgetSetup();
    }

    /** A client that tells of its driver's resets, and did not, has a machine that stood still and goes on. */
    private void beginAgain() throws IOException {
        if (Feature.has(protocolFeatures, ProtocolFeature.RESET_DEVICE)) {
            device.restart();
        } else {
            device.resetOrRestart();
        }
        forgetSetup();
    }

    private void forgetSetup() throws IOException {
        resetDue = false;
        rings.forget();
        log.end();
    }

    /**
     * Answered only where the log is in use: whoever cannot log must not be believed to. The value of the answer says
     * success to clients that take it for an acknowledgement; others do not look at it.
     */
    private void setLogBase() throws IOException {
        Payload.Log described = Payload.Log.read(connection.payload());
        log.replace(SharedDirtyLog.map(connection.takeDescriptor(), described.fileOffset(), described.byteCount()));
        connection.reply(0);
    }

    /** The payload has the card's address in its first six bytes, as it stands in a frame. */
    private void sendRarp() throws IOException {
        device.announce(Long.reverseBytes(Payload.u64(connection.payload())) >>> 16);
    }

    private void setDeviceState() throws IOException {
        Payload.Transfer transfer = Payload.Transfer.read(connection.payload());
        Fd pipe = connection.takeDescriptor();
        if (resetDue && transfer.direction() == Payload.Transfer.LOAD) {
            // Not afterwards: it would undo what is loaded.
            resetDevice();
        }
        boolean taken = state.begin(transfer, pipe);
        connection.reply((taken ? 0 : 1) | Payload.Transfer.ANSWER_NO_DESCRIPTOR);
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
        // QEMU forgets what it hears before it has started the device, as that of a machine that only arrives.
        changeUnheard = !rings.anyStarted();
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
        rings.signalErrors();
        configChanged();
    }

    // ---- the end ----

    /** Ends the session from another thread; {@link #run} returns soon. */
    void shutdown() {
        connection.shutdown();
        state.shutdown();
    }

    /** See {@link VhostUserEndpoint#retainedMemory}. Any thread. */
    MemoryTable retainedMemory() {
        return memory.retained();
    }

    private void release() {
        List<AutoCloseable> steps = new ArrayList<>();
        steps.add(() -> device.listener(null));
        steps.add(state);
        steps.add(device::reset);
        steps.add(log::end);
        steps.add(rings);
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
