package io.fairlead.vhostuser.client;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Fd;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolException;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.vhostuser.protocol.VringBase;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One connection to a daemon and what it was told there: the messages of starting and stopping rings, in the order in
 * which QEMU sends them. Under the device's lock, or of one thread as long as the device does not have it.
 */
final class BackendLink implements AutoCloseable {
    private static final long NO_DESCRIPTOR = 1 << 8;
    private static final int WORKING =
            DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK;

    private static final long FIRST_PAUSE_NANOS = 20_000;
    private static final long LONGEST_PAUSE_NANOS = 1_000_000;

    private final BackendConnection connection;
    private final BackendOffer offer;
    private final BackendMemory memory;
    private final Duration drainTimeout;

    /** Whether avail_event tells what the daemon works on: not of who polls the rings and never writes it. */
    private final boolean tellsUnderWay;

    /** Given to the daemon for a ring's kick while the ring comes to rest; never signalled. */
    private final EventFd silence;

    private long sentFeatures = -1;
    private @Nullable SharedDirtyLog sentLog;
    private @Nullable BackendInflight sentInflight;
    private boolean statusTold;
    private @Nullable BackendWatch watch;

    private BackendLink(
            BackendConnection connection, BackendOffer offer, EventFd silence, VhostUserBackendSettings settings) {
        this.connection = connection;
        this.offer = offer;
        this.silence = silence;
        drainTimeout = settings.drainTimeout();
        // A packet that was taken has gone by the time the ring stops; what is offered to be filled nobody works on.
        tellsUnderWay = settings.deviceId() != DeviceId.NET;
        memory = new BackendMemory(connection, offer);
    }

    /** @param connection owned by the link; by the caller where this fails */
    static BackendLink open(BackendConnection connection, VhostUserBackendSettings settings) throws IOException {
        BackendOffer offer = BackendOffer.negotiate(connection, settings);
        return new BackendLink(connection, offer, EventFd.create("silence of " + settings.socket()), settings);
    }

    BackendOffer offer() {
        return offer;
    }

    BackendMemory memory() {
        return memory;
    }

    BackendConnection connection() {
        return connection;
    }

    /** Listens to the daemon from now on; whoever is told must not wait for the device. */
    void watch(EventLoop loop, int queueCount, BackendWatch.Events events) throws IOException {
        watch = BackendWatch.open(loop, this, queueCount, events);
    }

    /** SET_BACKEND_REQ_FD: the channel on which the daemon speaks first. */
    void channel(Fd daemonsEnd) throws IOException {
        connection.command(Request.SET_BACKEND_REQ_FD, 0, List.of(daemonsEnd));
    }

    // ---- features, log, record of requests in flight ----

    /** SET_FEATURES where they are others than before. */
    void features(long driverFeatures, boolean logging) throws IOException {
        long wanted = driverFeatures
                | (offer.features() & Feature.VHOST_USER_PROTOCOL_FEATURES)
                | (logging ? Feature.VHOST_LOG_ALL : 0);
        if (wanted != sentFeatures) {
            connection.commandU64(Request.SET_FEATURES, wanted, List.of());
            sentFeatures = wanted;
        }
    }

    /** SET_LOG_BASE where it is another log than before; it is in use from SET_FEATURES with LOG_ALL on. */
    void log(@Nullable SharedDirtyLog log) throws IOException {
        if (log != null && log != sentLog) {
            new Payload.Log(log.byteCount(), log.fdOffset()).write(connection.payload());
            connection.send(Request.SET_LOG_BASE, 0, Payload.LOG_BYTES, List.of(log.fd()));
            // What the answer says is not settled: some send nothing in it, some the size.
            MemorySegment answer = connection.receive(Request.SET_LOG_BASE);
            connection.requireNoDescriptors(Request.SET_LOG_BASE);
            if (answer.byteSize() > Payload.LOG_BYTES) {
                throw connection.violation("the answer to SET_LOG_BASE has %d bytes".formatted(answer.byteSize()));
            }
        }
        sentLog = log;
    }

    /** Gives the daemon memory for its requests in flight where it has not got this already. No ring may run. */
    void inflight(@Nullable BackendInflight region) throws IOException {
        if (region != null && region != sentInflight) {
            region.give(connection);
            sentInflight = region;
        }
    }

    // ---- rings ----

    void start(BackendQueue queue, boolean packed, boolean logging) throws IOException {
        int index = queue.index();
        connection.command(Request.SET_VRING_NUM, new Payload.VringState(index, queue.size()));
        connection.command(
                Request.SET_VRING_BASE,
                new Payload.VringState(index, queue.stateFor(packed).vringBase()));
        address(queue, logging);
        // The ring may start with the kick: what it signals is known before.
        call(queue);
        kick(index, queue.kick());
        connection.command(Request.SET_VRING_ENABLE, new Payload.VringState(index, 1));
        if (offer.has(ProtocolFeature.STATUS) && !statusTold) {
            statusTold = true;
            connection.commandU64(Request.SET_STATUS, WORKING, List.of());
        }
        if (queue.kick() != null) {
            // What waits in the ring was perhaps kicked for long ago.
            queue.kick().signal();
        }
    }

    void address(BackendQueue queue, boolean logging) throws IOException {
        new Payload.VringAddress(
                        queue.index(),
                        logging ? Payload.VRING_FLAG_LOG : 0,
                        BackendMemory.USER_BASE + queue.setup().descriptorAddress(),
                        BackendMemory.USER_BASE + queue.setup().deviceAddress(),
                        BackendMemory.USER_BASE + queue.setup().driverAddress(),
                        logging ? queue.setup().deviceAddress() : 0)
                .write(connection.payload());
        connection.command(Request.SET_VRING_ADDR, Payload.VRING_ADDRESS_BYTES, List.of());
    }

    void kick(int index, @Nullable EventFd kick) throws IOException {
        descriptor(index, kick);
        connection.command(Request.SET_VRING_KICK, Long.BYTES, files(kick));
    }

    void call(BackendQueue queue) throws IOException {
        descriptor(queue.index(), queue.call());
        connection.command(Request.SET_VRING_CALL, Long.BYTES, files(queue.call()));
    }

    void error(int index, EventFd error) throws IOException {
        descriptor(index, error);
        connection.command(Request.SET_VRING_ERR, Long.BYTES, files(error));
    }

    private void descriptor(int index, @Nullable EventFd file) {
        connection.payload().set(ValueLayout.JAVA_LONG_UNALIGNED, 0, file == null ? index | NO_DESCRIPTOR : index);
    }

    private static List<Fd> files(@Nullable EventFd file) {
        return file == null ? List.of() : List.of(file.fd());
    }

    /**
     * Stops a ring when what it took is answered.
     *
     * <p>Not every daemon waits for that before it answers GET_VRING_BASE: libvhost-user answers at once, and a request
     * that it ends after that finds no descriptor to signal and breaks its connection. So the ring is brought to rest
     * first: it gets a kick descriptor that nobody signals and takes nothing more, what it took is waited for as far as
     * its avail_event tells, and the call descriptor is given anew right behind GET_VRING_BASE for what is still under
     * way.
     *
     * @param indices of a split ring; null for a packed one, where only the daemon itself can wait
     * @return where it stands
     * @throws IOException where requests took too long; the ring goes on then
     */
    QueueState stop(BackendQueue queue, @Nullable RingIndices indices) throws IOException {
        int index = queue.index();
        if (indices != null) {
            kick(index, silence);
            if (tellsUnderWay && !await(() -> !indices.saysUnderWay())) {
                kick(index, queue.kick());
                if (queue.kick() != null) {
                    queue.kick().signal();
                }
                throw new IOException(
                        "queue %d has requests under way that are not answered within %d ms; it was not stopped"
                                .formatted(index, drainTimeout.toMillis()));
            }
        }
        int usedBefore = indices == null ? 0 : indices.used();
        new Payload.VringState(index, 0).write(connection.payload());
        connection.send(Request.GET_VRING_BASE, 0, Payload.VRING_STATE_BYTES, List.of());
        descriptor(index, queue.call());
        connection.sendCommand(Request.SET_VRING_CALL, Long.BYTES, files(queue.call()));
        int base = base(index, drainTimeout);
        connection.finishCommand(Request.SET_VRING_CALL);
        QueueState state = indices == null ? packedState(index, base) : splitState(index, base, indices);
        if (queue.call() != null && (indices == null || indices.used() != usedBefore)) {
            // Answers of the last moments were perhaps not signalled.
            queue.call().signal();
        }
        return state;
    }

    private int base(int index, Duration timeout) throws BackendLostException {
        MemorySegment answer = connection.receive(Request.GET_VRING_BASE, timeout);
        connection.requireNoDescriptors(Request.GET_VRING_BASE);
        if (answer.byteSize() != Payload.VRING_STATE_BYTES) {
            throw connection.violation("the answer to GET_VRING_BASE has %d bytes".formatted(answer.byteSize()));
        }
        Payload.VringState state = Payload.VringState.read(answer);
        if (state.index() != index) {
            throw connection.violation("the base of ring %d was asked for, that of %s came"
                    .formatted(index, Integer.toUnsignedString(state.index())));
        }
        return state.value();
    }

    private QueueState packedState(int index, int base) throws BackendLostException {
        try {
            QueueState.Packed state = (QueueState.Packed) VringBase.decode(base, true);
            if (state.availableIndex() != state.usedIndex() || state.availableWrap() != state.usedWrap()) {
                throw connection.violation(
                        "packed ring %d stopped with requests under way (%s)".formatted(index, state));
            }
            return state;
        } catch (ProtocolException e) {
            throw connection.violation(String.valueOf(e.getMessage()));
        }
    }

    private QueueState splitState(int index, int base, RingIndices indices) throws BackendLostException {
        if (base >>> 16 != 0 || (base - indices.used() & 0xffff) > indices.size()) {
            throw connection.violation("ring %d of %d entries stopped at %s with its used index at %d"
                    .formatted(index, indices.size(), Integer.toUnsignedString(base), indices.used()));
        }
        if (!await(() -> indices.used() == base)) {
            throw connection.lost(
                    "queue %d has requests under way that are not answered within %d ms after it was stopped"
                            .formatted(index, drainTimeout.toMillis()),
                    null);
        }
        return new QueueState.Split(base, base);
    }

    private boolean await(BooleanSupplier condition) {
        long start = System.nanoTime();
        long pause = FIRST_PAUSE_NANOS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > drainTimeout.toNanos()) {
                return false;
            }
            LockSupport.parkNanos(pause);
            pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
        return true;
    }

    // ---- device ----

    /** Tells the daemon that the driver is gone; all rings are stopped. */
    void reset() throws IOException {
        if (offer.has(ProtocolFeature.RESET_DEVICE)) {
            connection.command(Request.RESET_DEVICE, 0, List.of());
        } else if (offer.has(ProtocolFeature.STATUS)) {
            connection.commandU64(Request.SET_STATUS, 0, List.of());
        }
        statusTold = false;
        sentFeatures = -1;
        sentLog = null;
    }

    /** The configuration space as it is now. */
    byte[] config() throws IOException {
        int byteCount = offer.config().length;
        byte[] config = BackendOffer.config(connection, byteCount);
        if (config == null) {
            throw connection.violation("it gives its configuration space no more");
        }
        return config;
    }

    /** SET_CONFIG. */
    void writeConfig(int offset, MemorySegment source) throws IOException {
        int byteCount = (int) source.byteSize();
        new Payload.Config(offset, byteCount, 0).write(connection.payload());
        connection.payload().asSlice(Payload.CONFIG_BYTES, byteCount).copyFrom(source);
        connection.command(Request.SET_CONFIG, Payload.CONFIG_BYTES + byteCount, List.of());
    }

    @Override
    public void close() {
        if (watch != null) {
            watch.close();
        }
        connection.close();
        silence.close();
    }
}
