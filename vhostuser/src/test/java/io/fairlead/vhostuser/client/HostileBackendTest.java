package io.fairlead.vhostuser.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vhostuser.client.FakeDaemon.Answer;
import io.fairlead.vhostuser.client.FakeDaemon.Lie;
import io.fairlead.vhostuser.client.FakeDaemon.Message;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.RingLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a daemon does against the protocol: it is named and left, nothing hangs, nothing leaks, and its successor serves. */
@Timeout(120)
class HostileBackendTest {
    private static final int REPLY = Connection.VERSION | Connection.FLAG_REPLY;
    private static final long BLK_FEATURES = Feature.VERSION_1 | Feature.EVENT_IDX;

    @TempDir
    Path folder;

    private long descriptorsBefore;
    private long mappingsBefore;
    private EventLoop loop;

    @BeforeEach
    void begin() throws IOException {
        descriptorsBefore = Fd.openCount();
        mappingsBefore = Mapping.openCount();
        loop = new EventLoop("test");
    }

    @AfterEach
    void nothingIsLeft() {
        loop.close();
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }

    private VhostUserBackendSettings settings() {
        return VhostUserBackendSettings.of(folder.resolve("d.sock"), DeviceId.BLOCK)
                .withTimeouts(Duration.ofMillis(400), Duration.ofMillis(400));
    }

    private VhostUserBackend connect() throws IOException {
        return VhostUserBackend.connect("taken", settings(), loop);
    }

    /** Lies that are told to one request. */
    private static Lie on(Request request, Lie lie) {
        return message -> message.code() == request.code ? lie.to(message) : null;
    }

    private static Lie raw(Request request, int code, int flags, int announced, byte[] payload, boolean close) {
        return on(request, message -> {
            byte[] bytes = FakeDaemon.message(code, flags, payload);
            ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(8, announced);
            return new Answer(bytes, List.of(), close);
        });
    }

    private static Lie value(Request request, byte[] payload) {
        return on(request, message -> Answer.of(FakeDaemon.reply(message, payload)));
    }

    private static Lie withDescriptor(Request request, byte[] payload) {
        return on(
                request,
                message ->
                        new Answer(FakeDaemon.reply(message, payload), List.of(Memfd.create("surplus", 4096)), false));
    }

    @SuppressWarnings("ImmutableEnumChecker") // lies are lambdas without state
    enum Greeting {
        OTHER_MESSAGE("as answer to GET_FEATURES", raw(Request.GET_FEATURES, 2, REPLY, 8, new byte[8], false)),
        NO_REPLY("has flags 0x1", raw(Request.GET_FEATURES, 1, 1, 8, new byte[8], false)),
        OTHER_VERSION("has flags 0x6", raw(Request.GET_FEATURES, 1, 6, 8, new byte[8], false)),
        HUGE("announces 1048576 bytes", raw(Request.GET_FEATURES, 1, REPLY, 1 << 20, new byte[8], false)),
        NEGATIVE("announces 4294967295 bytes", raw(Request.GET_FEATURES, 1, REPLY, -1, new byte[8], false)),
        SHORT("has 4 bytes, not 8", raw(Request.GET_FEATURES, 1, REPLY, 4, new byte[4], false)),
        LONG("has 16 bytes, not 8", raw(Request.GET_FEATURES, 1, REPLY, 16, new byte[16], false)),
        TORN("closed the connection", raw(Request.GET_FEATURES, 1, REPLY, 8, new byte[3], true)),
        STALLED("did not answer GET_FEATURES within", raw(Request.GET_FEATURES, 1, REPLY, 8, new byte[3], false)),
        GONE("closed the connection", on(Request.GET_FEATURES, m -> new Answer(new byte[0], List.of(), true))),
        SILENT("did not answer GET_FEATURES within 400 ms", on(Request.GET_FEATURES, m -> Answer.nothing())),
        SILENT_LATER("did not answer GET_CONFIG within", on(Request.GET_CONFIG, m -> Answer.nothing())),
        DESCRIPTOR("came with 1 descriptors", withDescriptor(Request.GET_FEATURES, FakeDaemon.u64(0))),
        CONFIG_DESCRIPTOR("came with 1 descriptors", withDescriptor(Request.GET_CONFIG, new byte[108])),
        NO_QUEUES("has 0 queues", value(Request.GET_QUEUE_NUM, FakeDaemon.u64(0))),
        TOO_MANY_QUEUES("queues", value(Request.GET_QUEUE_NUM, FakeDaemon.u64(1L << 40))),
        NEGATIVE_QUEUES("18446744073709551615 queues", value(Request.GET_QUEUE_NUM, FakeDaemon.u64(-1))),
        NO_MEMORY("takes 0 memory regions", value(Request.GET_MAX_MEM_SLOTS, FakeDaemon.u64(0))),
        CONFIG_TOO_SHORT("bytes of configuration space were asked for", value(Request.GET_CONFIG, new byte[40])),
        CONFIG_TOO_LONG("bytes of configuration space were asked for", value(Request.GET_CONFIG, new byte[400])),
        NO_CONFIG("gives no configuration space", value(Request.GET_CONFIG, new byte[0])),
        REFUSES_US("refused SET_OWNER (answer 1)", value(Request.SET_OWNER, FakeDaemon.u64(1))),
        REFUSES_THE_CHANNEL("refused SET_BACKEND_REQ_FD", value(Request.SET_BACKEND_REQ_FD, FakeDaemon.u64(22)));

        private final String reason;
        private final Lie lie;

        Greeting(String reason, Lie lie) {
            this.reason = reason;
            this.lie = lie;
        }
    }

    @ParameterizedTest
    @EnumSource(Greeting.class)
    void aDaemonThatGreetsWronglyIsNotTaken(Greeting greeting) throws Exception {
        try (FakeDaemon _ = new FakeDaemon(folder.resolve("d.sock"), greeting.lie)) {
            assertThatThrownBy(this::connect)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(greeting.reason)
                    .hasMessageContaining(folder.resolve("d.sock").toString());
        }
    }

    @Test
    void aDaemonThatIsNotThereIsNamed() {
        assertThatThrownBy(this::connect)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("d.sock")
                .hasMessageContaining("start it");
    }

    @Test
    void aDaemonWithFewerQueuesThanWantedIsNotTaken() throws Exception {
        try (FakeDaemon _ = new FakeDaemon(folder.resolve("d.sock"), message -> null)) {
            assertThatThrownBy(() -> VhostUserBackend.connect("d", settings().withQueueCount(2), loop))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("has 1 queues, not 2");
        }
    }

    private static byte[] inflight(long byteCount, long offset, int queues, int size) {
        return ByteBuffer.allocate(24)
                .order(ByteOrder.nativeOrder())
                .putLong(byteCount)
                .putLong(offset)
                .putShort((short) queues)
                .putShort((short) size)
                .array();
    }

    /** Wrong answers while a queue starts, logs, or stops. */
    @SuppressWarnings("ImmutableEnumChecker") // lies are lambdas without state
    enum Service {
        BASE_OF_ANOTHER_RING(value(Request.GET_VRING_BASE, FakeDaemon.state(1, 0))),
        BASE_TOO_LARGE(value(Request.GET_VRING_BASE, FakeDaemon.state(0, 1 << 20))),
        BASE_BEYOND_THE_RING(value(Request.GET_VRING_BASE, FakeDaemon.state(0, 1000))),
        BASE_NEVER_REACHED(value(Request.GET_VRING_BASE, FakeDaemon.state(0, 3))),
        BASE_SHORT(value(Request.GET_VRING_BASE, new byte[4])),
        BASE_WITH_DESCRIPTOR(withDescriptor(Request.GET_VRING_BASE, FakeDaemon.state(0, 0))),
        BASE_NEVER_TOLD(on(Request.GET_VRING_BASE, m -> Answer.nothing())),
        LOG_ANSWER_LONG(value(Request.SET_LOG_BASE, new byte[64])),
        LOG_NOT_ANSWERED(on(Request.SET_LOG_BASE, m -> Answer.nothing())),
        LOG_WITH_DESCRIPTOR(withDescriptor(Request.SET_LOG_BASE, FakeDaemon.u64(0))),
        MEMORY_NOT_TAKEN(on(Request.ADD_MEM_REG, m -> Answer.nothing())),
        GONE_AT_THE_KICK(on(Request.SET_VRING_KICK, m -> new Answer(new byte[0], List.of(), true))),
        RECORD_WITHOUT_FILE(value(Request.GET_INFLIGHT_FD, inflight(4096, 0, 1, BlkGuest.QUEUE_SIZE))),
        RECORD_SHORT(withDescriptor(Request.GET_INFLIGHT_FD, new byte[8])),
        RECORD_TOO_SMALL(withDescriptor(Request.GET_INFLIGHT_FD, inflight(64, 0, 1, BlkGuest.QUEUE_SIZE))),
        RECORD_OUTSIDE_ITS_FILE(withDescriptor(Request.GET_INFLIGHT_FD, inflight(8192, 4096, 1, BlkGuest.QUEUE_SIZE))),
        RECORD_HUGE(withDescriptor(Request.GET_INFLIGHT_FD, inflight(1L << 40, 0, 1, BlkGuest.QUEUE_SIZE))),
        RECORD_NEGATIVE(withDescriptor(Request.GET_INFLIGHT_FD, inflight(-8, 0, 1, BlkGuest.QUEUE_SIZE))),
        RECORD_OF_OTHER_QUEUES(withDescriptor(Request.GET_INFLIGHT_FD, inflight(4096, 0, 7, BlkGuest.QUEUE_SIZE)));

        private final Lie lie;

        Service(Lie lie) {
            this.lie = lie;
        }
    }

    private static boolean needsReset(VhostUserBackend device) {
        return DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET);
    }

    @ParameterizedTest
    @EnumSource(Service.class)
    void aDaemonThatServesWronglyIsLeftAndItsSuccessorServes(Service service) throws Exception {
        try (FakeDaemon daemon = new FakeDaemon(folder.resolve("d.sock"), service.lie)) {
            if (service.name().startsWith("RECORD")) {
                daemon.protocolFeatures |= ProtocolFeature.INFLIGHT_SHMFD;
            }
            try (VhostUserBackend device = connect();
                    BlkGuest guest = new BlkGuest(new byte[1 << 20], BLK_FEATURES, 1);
                    SharedDirtyLog log = SharedDirtyLog.create("test", BlkGuest.BASE + BlkGuest.MEMORY_BYTES)) {
                guest.start(device);
                guest.submit();
                guest.publish();
                device.dirtyLog(log);
                device.queueReady(0, false);
                assertThat(daemon.received).contains(Request.GET_FEATURES.code);

                daemon.lie = message -> null;
                daemon.protocolFeatures = FakeDaemon.PROTOCOL;
                device.reset();
                OtherDaemon.eventually().until(device::isConnected);
                guest.start(device);
                device.queueReady(0, false);
                assertThat(device.isConnected()).isTrue();
                assertThat(needsReset(device)).isFalse();
            }
        }
    }

    /** Of network cards daemons count pairs of queues; and where those poll, avail_event is as it always was. */
    @ParameterizedTest
    @ValueSource(ints = {DeviceId.BLOCK, DeviceId.NET})
    void availEventTellsOfRequestsUnderWayButNotOfPackets(int deviceId) throws Exception {
        boolean card = deviceId == DeviceId.NET;
        VhostUserBackendSettings settings = VhostUserBackendSettings.of(folder.resolve("d.sock"), deviceId)
                .withTimeouts(Duration.ofMillis(400), Duration.ofMillis(20));
        try (FakeDaemon _ = new FakeDaemon(folder.resolve("d.sock"), message -> null);
                VhostUserBackend device = VhostUserBackend.connect("taken", settings, loop);
                BlkGuest guest = new BlkGuest(new byte[1 << 20], BLK_FEATURES, 1)) {
            assertThat(device.queueCount()).isEqualTo(card ? 2 : 1);
            guest.start(device);
            MemorySegment used = guest.region
                    .segment()
                    .asSlice(
                            guest.rings.deviceAddress() - BlkGuest.BASE,
                            RingLayout.usedBytes(BlkGuest.QUEUE_SIZE, true));
            used.set(ValueLayout.JAVA_SHORT, RingLayout.availableEvent(BlkGuest.QUEUE_SIZE), (short) 3);
            if (card) {
                device.queueReady(0, false);
            } else {
                assertThatThrownBy(() -> device.queueReady(0, false)).hasMessageContaining("under way");
                used.set(ValueLayout.JAVA_SHORT, RingLayout.availableEvent(BlkGuest.QUEUE_SIZE), (short) 0);
                device.queueReady(0, false);
            }
            assertThat(device.queueReady(0)).isFalse();
            assertThat(device.isConnected()).isTrue();
        }
    }

    @Test
    void aDaemonThatGoesWithRequestsUnderWayNeedsAReset() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon(folder.resolve("d.sock"), message -> null);
                VhostUserBackend device = connect();
                BlkGuest guest = new BlkGuest(new byte[1 << 20], BLK_FEATURES, 1)) {
            guest.start(device);
            guest.submit();
            guest.publish();
            daemon.lie = on(Request.GET_CONFIG, m -> new Answer(new byte[0], List.of(), true));
            device.readConfig(0, MemorySegment.ofArray(new byte[8]));
            assertThat(needsReset(device)).isTrue();
            assertThat(device.isConnected()).isFalse();
            daemon.lie = message -> null;
            OtherDaemon.eventually().until(device::isConnected);
            int count = daemon.received.size();
            // Nothing is started before the driver resets.
            device.queueReady(0, false);
            device.queueReady(0, true);
            assertThat(daemon.received.subList(count, daemon.received.size()))
                    .doesNotContain(Request.SET_VRING_KICK.code);
            device.reset();
            guest.start(device);
            assertThat(daemon.received.subList(count, daemon.received.size())).contains(Request.SET_VRING_KICK.code);
            assertThat(needsReset(device)).isFalse();
        }
    }

    @Test
    void whatIsSaidUnaskedIsChecked() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon(folder.resolve("d.sock"), message -> null);
                VhostUserBackend device = connect();
                Fd file = Memfd.create("surplus", 1)) {
            byte[] changed = FakeDaemon.message(2, Connection.VERSION, new byte[0]);
            int generation = device.configGeneration();
            daemon.sayUnasked(changed);
            OtherDaemon.eventually().until(() -> device.configGeneration() == generation + 1);
            // In pieces, too.
            daemon.sayUnasked(Arrays.copyOf(changed, 5));
            daemon.sayUnasked(Arrays.copyOfRange(changed, 5, 12));
            OtherDaemon.eventually().until(() -> device.configGeneration() == generation + 2);

            List<byte[]> wrong = List.of(
                    FakeDaemon.message(3, Connection.VERSION, new byte[8]),
                    FakeDaemon.message(2, 7, new byte[0]),
                    FakeDaemon.message(99, Connection.VERSION, new byte[0]));
            for (byte[] bytes : wrong) {
                afterViolation(daemon, device, () -> daemon.sayUnasked(bytes));
            }
            afterViolation(daemon, device, () -> daemon.sayUnasked(changed, file));
            byte[] huge = changed.clone();
            huge[10] = 0x7f;
            afterViolation(daemon, device, () -> daemon.sayUnasked(huge));
        }
    }

    private interface Deed {
        void run() throws IOException;
    }

    private static void afterViolation(FakeDaemon daemon, VhostUserBackend device, Deed deed) throws IOException {
        long greetings = greetings(daemon);
        OtherDaemon.eventually().until(device::isConnected);
        deed.run();
        OtherDaemon.eventually().until(() -> greetings(daemon) > greetings && device.isConnected());
    }

    private static long greetings(FakeDaemon daemon) {
        return daemon.received.stream()
                .filter(code -> code == Request.SET_OWNER.code)
                .count();
    }

    /** Any answer may have any of its bytes changed, be cut, doubled or missing; whatever happens, it ends and is clean. */
    @Test
    void mutatedAnswersHarmNothing() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon(folder.resolve("d.sock"), message -> null);
                BlkGuest guest = new BlkGuest(new byte[1 << 20], BLK_FEATURES, 1)) {
            for (int seed = 0; seed < 300; seed++) {
                Random random = new Random(seed);
                int target = random.nextInt(30);
                int[] count = {0};
                daemon.lie = message -> count[0]++ == target ? mutant(message, random) : null;
                VhostUserBackendSettings quick = settings().withTimeouts(Duration.ofMillis(20), Duration.ofMillis(20));
                try (VhostUserBackend device = VhostUserBackend.connect("taken", quick, loop)) {
                    guest.start(device);
                    device.queueReady(0, false);
                } catch (IOException | IllegalArgumentException e) {
                    assertThat(e.getMessage()).as("seed %d", seed).isNotBlank();
                } catch (RuntimeException e) {
                    throw new AssertionError("seed " + seed, e);
                }
            }
        }
    }

    private static Answer mutant(Message message, Random random) {
        byte[] payload = new byte[random.nextInt(24)];
        random.nextBytes(payload);
        byte[] bytes = FakeDaemon.reply(message, payload);
        if (random.nextBoolean()) {
            bytes[random.nextInt(12)] ^= (byte) (1 << random.nextInt(8));
        }
        return new Answer(bytes, List.of(), random.nextInt(4) == 0);
    }
}
