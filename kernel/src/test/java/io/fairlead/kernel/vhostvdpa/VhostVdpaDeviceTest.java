package io.fairlead.kernel.vhostvdpa;

import static io.fairlead.kernel.vhostvdpa.VhostVdpaFixture.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.Departure;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NoLeaks.class)
class VhostVdpaDeviceTest {
    private static final long RAM = 0x10_0000;
    private static final int AGREED = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;
    private static final int LIVE = AGREED | DeviceStatus.DRIVER_OK;

    private static FakeKernel pci() {
        FakeKernel kernel = new FakeKernel();
        kernel.backendFeatures = FakeKernel.BACKEND_PCI;
        kernel.tellsStates = false;
        return kernel;
    }

    private static FakeKernel entropy() {
        FakeKernel kernel = new FakeKernel();
        kernel.deviceId = DeviceId.RNG;
        return kernel;
    }

    /** Two queues, as a front-end with a status starts them. */
    private static void start(VhostVdpaFixture fixture) throws IOException {
        fixture.memory(RAM, 64);
        fixture.device.driverFeatures(Feature.VERSION_1);
        fixture.device.status(AGREED);
        for (int queue = 0; queue < 2; queue++) {
            fixture.prepare(queue, RAM + queue * 16L * PAGE);
            fixture.device.queueReady(queue, true);
        }
        fixture.device.status(LIVE);
    }

    @Test
    void whatItCanIsFoundWhenItIsOpened() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            assertThat(fixture.device.capabilities())
                    .containsExactlyInAnyOrder(
                            Capability.SUSPEND, Capability.RESUME, Capability.QUEUE_STATE, Capability.STREAM_STATE);
            assertThat(fixture.device.deviceId()).isEqualTo(DeviceId.BLOCK);
            assertThat(fixture.device.queueCount()).isEqualTo(2);
            assertThat(fixture.device.maxQueueSize(1)).isEqualTo(256);
        }
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(pci())) {
            assertThat(fixture.device.capabilities()).containsExactly(Capability.STREAM_STATE);
        }
    }

    @Test
    void aWindowOfAPageIsNoConfigurationSpace() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(pci())) {
            assertThat(fixture.device.configByteCount()).isBetween(60, 256);
            MemorySegment read = MemorySegment.ofArray(new byte[4]);
            fixture.device.readConfig(8, read);
            assertThat(read.toArray(ValueLayout.JAVA_BYTE)).containsExactly(8, 9, 10, 11);
            assertThatThrownBy(() -> fixture.device.readConfig(fixture.device.configByteCount(), read))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void theIommuIsBetweenUsAndTheDevice() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            assertThat(fixture.device.deviceFeatures() & (Feature.ACCESS_PLATFORM | Feature.RING_RESET))
                    .isZero();
            start(fixture);
            assertThat(fixture.kernel.driverFeatures).isEqualTo(Feature.VERSION_1 | Feature.ACCESS_PLATFORM);
        }
    }

    @Test
    void ofANetworkDeviceADriverSeesOnePairWithoutControl() throws Exception {
        FakeKernel kernel = new FakeKernel();
        kernel.deviceId = DeviceId.NET;
        kernel.queueCount = 5;
        kernel.features |= NetConfig.F_MQ | NetConfig.F_CTRL_VQ | NetConfig.F_MAC;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            assertThat(fixture.device.queueCount()).isEqualTo(2);
            assertThat(fixture.device.deviceFeatures() & (NetConfig.F_MQ | NetConfig.F_CTRL_VQ | NetConfig.F_MAC))
                    .isEqualTo(NetConfig.F_MAC);
        }
    }

    @Test
    void queuesAreSetUpAndEnabledBeforeTheDriverIsOkAndKickedAfter() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            start(fixture);
            assertThat(fixture.kernel.log)
                    .containsExactly(
                            "ACKNOWLEDGE",
                            "ACKNOWLEDGE|DRIVER",
                            "ACKNOWLEDGE|DRIVER|FEATURES_OK",
                            "ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK",
                            "kick 0 live",
                            "kick 1 live");
            assertThat(fixture.kernel.enabled).startsWith(true, true, false);
            assertThat(fixture.kernel.addresses.get(1))
                    .containsExactly(RAM + 16 * PAGE, RAM + 17 * PAGE, RAM + 18 * PAGE);
            assertThat(fixture.kernel.sizes[1]).isEqualTo(16);
        }
    }

    @Test
    void aFrontEndWithoutAStatusStartsTheDeviceWithItsFirstQueue() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(entropy())) {
            fixture.memory(RAM, 64);
            fixture.device.driverFeatures(Feature.VERSION_1);
            fixture.prepare(0, RAM);
            fixture.device.queueReady(0, true);
            assertThat(fixture.kernel.status).isEqualTo(LIVE);
            fixture.kernel.bases[0] = 7;
            fixture.prepare(1, RAM + 16 * PAGE);
            fixture.device.queueReady(1, true);
            // Stopped where it stood, and set up again with both.
            assertThat(fixture.kernel.resets).isEqualTo(1);
            assertThat(fixture.kernel.enabled).startsWith(true, true, false);
            assertThat(fixture.kernel.bases).startsWith(7, 0);
        }
    }

    @Test
    void aDeviceThatRefusesFeaturesDoesNotGetFeaturesOk() throws Exception {
        FakeKernel kernel = new FakeKernel();
        kernel.refusesFeatures = true;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            fixture.memory(RAM, 64);
            fixture.device.driverFeatures(Feature.VERSION_1);
            fixture.device.status(AGREED);
            assertThat(fixture.device.status()).isEqualTo(DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER);
            fixture.prepare(0, RAM);
            assertThatThrownBy(() -> fixture.device.queueReady(0, true))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("refuses features 0x300000000");
        }
    }

    @Test
    void oneQueueStopsAndTheOthersGoOnWhereTheyStood() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(entropy())) {
            start(fixture);
            fixture.kernel.bases[0] = 300;
            fixture.kernel.bases[1] = 65535;
            fixture.device.queueReady(0, false);
            assertThat(fixture.device.queueState(0)).isEqualTo(new QueueState.Split(300, 300));
            assertThat(fixture.kernel.enabled).startsWith(false, true);
            assertThat(fixture.kernel.bases[1]).isEqualTo(65535);
            assertThat(fixture.kernel.status).isEqualTo(LIVE);
            fixture.device.queueReady(1, false);
            assertThat(fixture.kernel.status).isZero();
            assertThat(fixture.kernel.log).contains("suspend");
        }
    }

    @Test
    void aDeviceThatCannotBeSuspendedSaysSoAndGoesOn() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(pci())) {
            start(fixture);
            MemoryTable table = VhostVdpaFixture.table(RAM, 64);
            used(table, RAM + 2 * PAGE, 3);
            fixture.device.memory(table);
            table.release();
            assertThatThrownBy(() -> fixture.device.queueReady(0, false))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("cannot be suspended");
            assertThat(fixture.kernel.status).isEqualTo(LIVE);
            assertThat(fixture.device.queueReady(0)).isTrue();
            assertThatThrownBy(fixture.device::suspend).isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void aDeviceThatStartsQueuesAtTheirBeginningOnlySaysSo() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(pci())) {
            fixture.memory(RAM, 64);
            fixture.device.driverFeatures(Feature.VERSION_1);
            fixture.prepare(0, RAM);
            fixture.device.queueState(0, new QueueState.Split(5, 5));
            assertThatThrownBy(() -> fixture.device.queueReady(0, true))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("beginning");
            fixture.device.queueState(0, new QueueState.Split(0, 0));
            fixture.device.queueReady(0, true);
            assertThat(fixture.kernel.status).isEqualTo(LIVE);
        }
    }

    private static void used(MemoryTable table, long address, int index) throws Exception {
        table.memory().slice(address, 4).set(ValueLayout.JAVA_SHORT, 2, (short) index);
    }

    @Test
    void aDiskThatLeavesRequestsUnansweredIsNotTakenAsSuspended() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            start(fixture);
            fixture.kernel.bases[1] = 2;
            assertThatThrownBy(fixture.device::suspend)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("2 requests of queue 1 unanswered");
            assertThat(fixture.kernel.suspended).isFalse();
        }
    }

    @Test
    void suspendThatTheKernelWouldIgnoreIsAnError() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            start(fixture);
            fixture.kernel.status = 0;
            assertThatThrownBy(fixture.device::suspend)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("lost its status");
        }
    }

    @Test
    void suspendAndResume() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            start(fixture);
            fixture.device.suspend();
            assertThat(fixture.kernel.suspended).isTrue();
            assertThat(fixture.device.queueState(1)).isEqualTo(new QueueState.Split(0, 0));
            fixture.device.resume();
            assertThat(fixture.kernel.suspended).isFalse();
            assertThat(fixture.kernel.resets).isZero();
        }
        FakeKernel kernel = new FakeKernel();
        kernel.backendFeatures &= ~(1L << 5);
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            start(fixture);
            fixture.device.suspend();
            fixture.device.resume();
            // Without RESUME, by a reset.
            assertThat(fixture.kernel.resets).isEqualTo(1);
            assertThat(fixture.kernel.status).isEqualTo(LIVE);
        }
    }

    @Test
    void packedStatesGoThere() {
        QueueState.Packed state = new QueueState.Packed(0x7ffe, true, 3, false);
        int base = state.vringBase();
        assertThat(base).isEqualTo(0x3fffe);
        assertThat(QueueState.ofVringBase(base, true)).isEqualTo(state);
        assertThat(QueueState.ofVringBase(new QueueState.Packed(1, false, 2, true).vringBase(), true))
                .isEqualTo(new QueueState.Packed(1, false, 2, true));
    }

    @Test
    void aDeviceThatGoesIsContainedAndSoughtAtTheNextReset() throws Exception {
        List<String> told = new ArrayList<>();
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            fixture.device.listener(new DeviceListener() {
                @Override
                public void configChanged() {}

                @Override
                public void needsReset(String reason) {
                    told.add(reason);
                }
            });
            start(fixture);
            fixture.kernel.gone = true;
            fixture.device.readConfig(0, MemorySegment.ofArray(new byte[8]));
            assertThat(told).hasSize(1).first().asString().contains("is gone", "ENODEV");
            assertThat(fixture.kernel.closed).isTrue();
            assertThat(DeviceStatus.has(fixture.device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                    .isTrue();
            fixture.device.queueReady(0, false);
            fixture.device.queueReady(1, false);
            fixture.memory(RAM, 32);
            FakeKernel other = new FakeKernel();
            other.deviceId = DeviceId.NET;
            fixture.next = other;
            fixture.device.reset();
            assertThat(other.closed).isTrue();
            assertThat(fixture.device.isThere()).isFalse();
            fixture.next = new FakeKernel();
            fixture.device.reset();
            assertThat(fixture.device.isThere()).isTrue();
            assertThat(fixture.device.status()).isZero();
            assertThat(fixture.next.mapped).isEqualTo(Map.of(RAM, 32 * PAGE));
        }
    }

    /** Says that it sees to it, and keeps what it was told. */
    private static final class SeesToIt implements DeviceListener {
        final List<Departure> departures = new CopyOnWriteArrayList<>();
        final List<String> told = new CopyOnWriteArrayList<>();

        @Override
        public void configChanged() {}

        @Override
        public void needsReset(String reason) {
            told.add(reason);
        }

        @Override
        public boolean leaving(Departure departure) {
            departures.add(departure);
            return true;
        }
    }

    @Test
    void aDeviceThatIsTakenAwayServesUntilItIsLetGo(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("vhost-vdpa-0"));
        SeesToIt listener = new SeesToIt();
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel(), VhostVdpaSettings.of(file))) {
            fixture.device.listener(listener);
            start(fixture);
            Files.delete(file);
            Awaitility.await().until(() -> !listener.departures.isEmpty());
            Departure departure = listener.departures.getFirst();
            assertThat(departure.serves()).isTrue();
            assertThat(departure.reason()).contains(file.toString());
            assertThat(fixture.kernel.closed).isFalse();
            fixture.device.suspend();
            assertThat(fixture.device.queueState(0)).isEqualTo(QueueState.initial(false));
            departure.letGo();
            assertThat(fixture.kernel.closed).isTrue();
            assertThat(fixture.device.isThere()).isFalse();
            departure.letGo();
            assertThat(listener.told).isEmpty();
            fixture.next = new FakeKernel();
            fixture.device.reset();
            assertThat(fixture.device.isThere()).isTrue();
        }
    }

    @Test
    void aDeviceThatIsDeadSaysSo() throws Exception {
        SeesToIt listener = new SeesToIt();
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            fixture.device.listener(listener);
            start(fixture);
            fixture.kernel.gone = true;
            fixture.device.readConfig(0, MemorySegment.ofArray(new byte[8]));
            assertThat(listener.departures).singleElement().satisfies(departure -> {
                assertThat(departure.serves()).isFalse();
                assertThat(departure.reason()).contains("is gone", "ENODEV");
                departure.letGo();
            });
            assertThat(fixture.kernel.closed).isTrue();
            assertThat(listener.told).isEmpty();
            assertThat(fixture.device.status() & DeviceStatus.DEVICE_NEEDS_RESET)
                    .isZero();
        }
    }

    /** As numbers of character devices are given out anew. */
    @Test
    void aDeviceByNameIsFoundWhereverItComesBack(@TempDir Path folder) throws Exception {
        List<Path> opened = new ArrayList<>();
        List<Path> places = new ArrayList<>(List.of(folder.resolve("vhost-vdpa-0"), folder.resolve("vhost-vdpa-7")));
        for (Path place : places) {
            Files.createFile(place);
        }
        FakeKernel[] kernels = {new FakeKernel(), new FakeKernel()};
        VhostCalls.Opener host = new VhostCalls.Opener() {
            @Override
            public VhostCalls open(Path path) {
                opened.add(path);
                return kernels[opened.size() - 1];
            }

            @Override
            public Path find(Path path) throws IOException {
                assertThat(path).isEqualTo(Path.of("blk-disk0"));
                if (places.isEmpty()) {
                    throw new IOException("vDPA device %s does not exist".formatted(path));
                }
                return places.removeFirst();
            }
        };
        try (DeviceWatch watch = new DeviceWatch()) {
            VhostVdpaControl control = new VhostVdpaControl(
                    "disk0",
                    VhostVdpaSettings.of(Path.of("blk-disk0")),
                    host,
                    watch,
                    new PinLimit(new VhostVdpaFixture.FakeLimit()));
            try (VhostVdpaDevice device = new VhostVdpaDevice(control)) {
                assertThat(device.file()).isEqualTo(folder.resolve("vhost-vdpa-0"));
                Files.delete(folder.resolve("vhost-vdpa-0"));
                Awaitility.await().until(() -> !device.isThere());
                assertThat(kernels[0].closed).isTrue();
                device.reset();
                assertThat(device.file()).isEqualTo(folder.resolve("vhost-vdpa-7"));
                Files.delete(folder.resolve("vhost-vdpa-7"));
                Awaitility.await().until(() -> !device.isThere());
                device.reset();
                assertThat(device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isNotZero();
                assertThat(opened).hasSize(2);
            }
        }
    }

    @Test
    void aDeviceOfAnotherTypeIsRefused() {
        assertThatThrownBy(() -> new VhostVdpaFixture(
                        new FakeKernel(),
                        VhostVdpaManagement.settings(
                                DeviceId.NET, Map.of("vhost-vdpa", VhostVdpaFixture.PATH.toString()))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is a device of type block (virtio id 2), not net");
    }

    @Test
    void attributesAreJudged() {
        Map<String, String> path = Map.of("vhost-vdpa", "/dev/vhost-vdpa-7");
        assertThat(VhostVdpaManagement.settings(2, path))
                .isEqualTo(
                        new VhostVdpaSettings(java.nio.file.Path.of("/dev/vhost-vdpa-7"), 2, 0, 0, Map.of(), true, -1));
        for (Map<String, String> wrong : List.of(
                Map.of("queues", "2"),
                Map.of("vhost-vdpa", ""),
                Map.of("vhost-vdpa", "/dev/x", "queue-size", "100"),
                Map.of("vhost-vdpa", "/dev/x", "features", "1"),
                Map.of("vhost-vdpa", "/dev/x", "path", "disk.img"))) {
            assertThatThrownBy(() -> VhostVdpaManagement.settings(2, wrong))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aDeviceThatLosesItsMappingsAtAResetGetsThemAgain() throws Exception {
        FakeKernel kernel = new FakeKernel();
        kernel.backendFeatures &= ~(1L << 8);
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            start(fixture);
            fixture.device.reset();
            assertThat(kernel.mapped).isEmpty();
            start(fixture);
            assertThat(kernel.mapped).containsExactly(Map.entry(RAM, 64 * PAGE));
        }
    }

    @Test
    void theLogOfOpenEulerIsPulledAndTheLastOfItWhenTheDeviceStops() throws Exception {
        for (boolean bytes : new boolean[] {false, true}) {
            FakeKernel kernel = new FakeKernel();
            kernel.deviceBufferBytes = 0;
            kernel.features |= Feature.VHOST_LOG_ALL;
            kernel.backendFeatures |= bytes ? 1L << 0x3f : 0;
            try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel);
                    SharedDirtyLog log = SharedDirtyLog.create("test", RAM + 64 * PAGE)) {
                assertThat(fixture.device.capabilities()).contains(Capability.DIRTY_LOG);
                start(fixture);
                fixture.device.dirtyLog(log);
                assertThat(kernel.driverFeatures & Feature.VHOST_LOG_ALL).isNotZero();
                synchronized (fixture.control) {
                    kernel.dirtyPages.addAll(List.of(RAM / PAGE, RAM / PAGE + 63));
                }
                fixture.device.suspend();
                assertThat(log.isMarked(RAM)).isTrue();
                assertThat(log.isMarked(RAM + 63 * PAGE)).isTrue();
                assertThat(log.isMarked(RAM + PAGE)).isFalse();
                log.clear();
                fixture.control.pullLog();
                assertThat(log.isMarked(RAM)).isFalse();
                fixture.device.dirtyLog(null);
                assertThat(kernel.driverFeatures & Feature.VHOST_LOG_ALL).isZero();
            }
        }
    }
}
