package io.fairlead.kernel.vduse;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Vduse;
import io.fairlead.linux.VduseRequest;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VduseSessionTest {
    private static final long DISK_BYTES = 1 << 20;

    @TempDir
    Path folder;

    private final FakeKernel kernel = new FakeKernel();
    private EventLoopGroup loops;
    private SoftwareManagement management;
    private Path recordPath;
    private Fd deviceFile;
    private VdpaDevice device;
    private VduseRecord record;
    private VduseSession session;
    private Thread thread;

    VduseSessionTest() throws IOException {}

    @BeforeEach
    void start() throws IOException {
        loops = new EventLoopGroup(1);
        management = new SoftwareManagement("software", loops);
        Files.write(folder.resolve("disk.img"), new byte[(int) DISK_BYTES]);
        recordPath = folder.resolve("disk.record");
        deviceFile = FakeKernel.file(1);
        device = disk();
        record = VduseRecord.create(recordPath, deviceFile, device, VduseOffer.of(device));
        begin();
    }

    private VdpaDevice disk() throws IOException {
        return management.add(
                "disk",
                DeviceId.BLOCK,
                Map.of("path", folder.resolve("disk.img").toString(), "queue-size", "64"));
    }

    private void begin() throws IOException {
        session = new VduseSession(device, kernel, VduseOffer.of(device), record);
        thread = Thread.ofPlatform().start(session::run);
    }

    private void end() throws Exception {
        session.shutdown();
        thread.join();
        session.close();
        device.close();
        record.close();
    }

    /** As another process does when this one was ended. */
    private void takeUp() throws Exception {
        end();
        device = disk();
        record = VduseRecord.open(recordPath, deviceFile, device, VduseOffer.of(device));
        begin();
    }

    @AfterEach
    void stop() throws Exception {
        end();
        kernel.close();
        deviceFile.close();
        loops.close();
        assertThat(Mapping.openCount()).isZero();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Feature.RING_PACKED, Feature.EVENT_IDX, Feature.RING_PACKED | Feature.EVENT_IDX})
    void aDriverWritesAndReads(long features) throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, features)) {
            driver.start();
            for (int i = 0; i < 200; i++) {
                driver.write(i, i * 7L);
            }
            assertThat(driver.read(199)).isEqualTo(199 * 7);
            assertThat(driver.state()).isEqualTo(driver.queue().state());
            // It has gone on.
            assertThat(driver.read(3)).isEqualTo(21);
            assertThat(kernel.setStatus(0)).isTrue();
            driver.start();
            assertThat(driver.read(4)).isEqualTo(28);
        }
        assertThat(Mapping.openCount())
                .as("memory of the driver that is still there")
                .isPositive();
        assertThat(kernel.setStatus(0)).isTrue();
    }

    @Test
    void signalsThatTheKernelRefusedBeforeDriverOkAreGivenAgain() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.showMemory();
            driver.negotiate();
            driver.submit(BlkRequest.IN, 0, 0);
            assertThat(kernel.setStatus(FakeDriver.RUNNING)).isTrue();
            assertThat(driver.await()).isZero();
            // Answers to what follows come after it has signalled.
            assertThat(kernel.ask(id -> new VduseRequest.UpdateIotlb(id, 0, -1, 0))
                            .success())
                    .isTrue();
            assertThat(kernel.interrupts).hasPositiveValue();
        }
    }

    @Test
    void anotherProcessGoesOn() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, Feature.RING_PACKED)) {
            driver.start();
            driver.write(1, 111);
            int before = kernel.interrupts.get();
            takeUp();
            assertThat(driver.read(1)).isEqualTo(111);
            assertThat(kernel.interrupts).hasValueGreaterThan(before);
            driver.write(2, 222);
            takeUp();
            driver.submit(BlkRequest.IN, 2, 0);
            assertThat(driver.await()).isZero();
        }
    }

    @Test
    void whatWaitsInTheRingIsTakenUp() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.start();
            driver.write(1, 5);
            end();
            driver.submit(BlkRequest.OUT, 1, 6);
            device = disk();
            record = VduseRecord.open(recordPath, deviceFile, device, VduseOffer.of(device));
            begin();
            assertThat(driver.await()).isZero();
            assertThat(driver.read(1)).isEqualTo(6);
        }
    }

    @Test
    void aSuspendedDeviceStandsStillAlsoForTheNextProcess() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.start();
            for (int i = 0; i < 70; i++) {
                driver.write(1, i);
            }
            assertThat(kernel.ask(VduseRequest.Suspend::new).success()).isTrue();
            driver.submit(BlkRequest.OUT, 1, -1);
            assertThat(driver.state()).isEqualTo(new QueueState.Split(70, 70));
            takeUp();
            assertThat(driver.state()).isEqualTo(new QueueState.Split(70, 70));
            assertThat(driver.queue().hasUsed()).isFalse();
            assertThat(kernel.setStatus(0)).isTrue();
            driver.start();
            assertThat(driver.read(1)).isEqualTo(69);
        }
    }

    @Test
    void queuesStopAndStartByTheirReadyMessages() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.showMemory();
            driver.negotiate();
            assertThat(kernel.ask(id -> new VduseRequest.SetQueueReady(id, 0, true))
                            .success())
                    .isTrue();
            assertThat(kernel.setStatus(FakeDriver.RUNNING)).isTrue();
            driver.write(9, 9);
            assertThat(kernel.ask(id -> new VduseRequest.SetQueueReady(id, 0, false))
                            .success())
                    .isTrue();
            driver.submit(BlkRequest.IN, 9, 0);
            assertThat(driver.state()).isEqualTo(new QueueState.Split(1, 1));
            assertThat(driver.queue().hasUsed()).isFalse();
        }
    }

    @Test
    void whatTheDeviceDoesNotOfferIsRefused() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, Feature.RING_RESET)) {
            driver.showMemory();
            assertThat(driver.negotiate()).isFalse();
            assertThat(kernel.status & DeviceStatus.FEATURES_OK).isZero();
        }
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.showMemory();
            driver.negotiate();
            kernel.queues.put(0, driver.info(FakeDriver.QUEUE_SIZE * 2));
            assertThat(kernel.setStatus(FakeDriver.RUNNING)).isFalse();
            driver.start();
            assertThat(driver.read(0)).isZero();
        }
    }

    @Test
    void ringsOutsideTheMemoryAreTheDriversFault() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.negotiate();
            kernel.setStatus(FakeDriver.RUNNING);
            assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                    .isTrue();
            driver.start();
            assertThat(driver.read(0)).isZero();
        }
    }

    @Test
    void memoryThatMayOnlyBeReadIsNotWritten() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            kernel.entries.put(
                    FakeDriver.BASE,
                    new FakeKernel.Entry(
                            driver.file,
                            0,
                            FakeDriver.BASE,
                            FakeDriver.BASE + FakeDriver.MEMORY_BYTES - 1,
                            Vduse.VDUSE_ACCESS_RO,
                            false));
            driver.negotiate();
            driver.submit(BlkRequest.IN, 0, 0);
            kernel.setStatus(FakeDriver.RUNNING);
            assertThat(kernel.setStatus(0)).isTrue();
            assertThat(driver.queue().hasUsed()).isFalse();
            driver.start();
            assertThat(driver.read(0)).isZero();
        }
    }

    @Test
    void memoryComesAndGoesWhileTheDeviceRuns() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            driver.start();
            // What the device maps for itself is there then.
            assertThat(driver.read(0)).isZero();
            long mapped = Mapping.openCount();
            try (Fd plugged = FakeKernel.file(4096)) {
                long start = FakeDriver.BASE + FakeDriver.MEMORY_BYTES;
                kernel.entries.put(
                        start, new FakeKernel.Entry(plugged, 0, start, start + 4095, Vduse.VDUSE_ACCESS_RW, false));
                assertThat(update()).isTrue();
                assertThat(Mapping.openCount()).isEqualTo(mapped + 1);
                assertThat(driver.read(0)).isZero();
                // A piece beyond the end of its file is the peer's mistake: the old memory stays.
                kernel.entries.put(
                        start, new FakeKernel.Entry(plugged, 0, start, start + 8191, Vduse.VDUSE_ACCESS_RW, false));
                assertThat(update()).isFalse();
                assertThat(driver.read(0)).isZero();
                kernel.entries.remove(start);
                assertThat(update()).isTrue();
                assertThat(Mapping.openCount()).isEqualTo(mapped);
            }
            kernel.entries.clear();
            assertThat(update()).isTrue();
            assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                    .isTrue();
        }
    }

    private boolean update() throws Exception {
        return kernel.ask(id -> new VduseRequest.UpdateIotlb(id, 0, -1, 0)).success();
    }

    @Test
    void theKernelsOwnMemoryIsMappedFromItsStart() throws Exception {
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            // Rings alone are there yet; what is below comes without a word.
            long offset = 64 << 10;
            try (Fd whole = FakeKernel.file(FakeDriver.BASE + FakeDriver.MEMORY_BYTES)) {
                kernel.entries.put(
                        FakeDriver.BASE,
                        new FakeKernel.Entry(
                                whole,
                                FakeDriver.BASE,
                                FakeDriver.BASE,
                                FakeDriver.BASE + FakeDriver.MEMORY_BYTES - 1,
                                Vduse.VDUSE_ACCESS_RW,
                                true));
                driver.negotiate();
                kernel.setStatus(FakeDriver.RUNNING);
                assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                        .isFalse();
                device.queueReady(0, false);
                device.queueAddresses(0, offset, offset + 4096, offset + 8192);
                device.queueReady(0, true);
                assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                        .isFalse();
            }
        }
    }

    @Test
    void theConfigurationSpaceIsBroughtToTheKernel() throws Exception {
        assertThat(kernel.awaitConfig(1)).startsWith((byte) 0, (byte) 8, (byte) 0, (byte) 0);
        management.change(device, Map.of("size", Long.toString(2 * DISK_BYTES)), false);
        assertThat(kernel.awaitConfig(2)).startsWith((byte) 0, (byte) 16, (byte) 0, (byte) 0);
        assertThat(kernel.configInterrupts.get()).isPositive();
    }

    @Test
    void whatMakesNoSenseIsAnsweredSo() throws Exception {
        assertThat(kernel.ask(id -> new VduseRequest.Unknown(id, 99)).success()).isFalse();
        assertThat(kernel.ask(id -> new VduseRequest.GetQueueState(id, 1)).success())
                .isFalse();
        assertThat(kernel.ask(id -> new VduseRequest.GetQueueState(id, -1)).success())
                .isFalse();
        assertThat(kernel.ask(id -> new VduseRequest.SetQueueReady(id, 7, true)).success())
                .isFalse();
        assertThat(kernel.ask(id -> new VduseRequest.SetGroupAddressSpace(id, 0, 0))
                        .success())
                .isTrue();
        assertThat(kernel.ask(id -> new VduseRequest.SetGroupAddressSpace(id, 0, 1))
                        .success())
                .isFalse();
        assertThat(kernel.ask(id -> new VduseRequest.SetGroupAddressSpace(id, 1, 0))
                        .success())
                .isFalse();
    }

    @Test
    void whateverComesInWhateverOrderTheDeviceLives() throws Exception {
        Random random = new Random(42);
        try (FakeDriver driver = new FakeDriver(kernel, 0)) {
            for (int i = 0; i < 2000; i++) {
                step(random, driver);
            }
            kernel.entries.clear();
            assertThat(kernel.setStatus(0)).isTrue();
            driver.start();
            driver.write(1, 42);
            assertThat(driver.read(1)).isEqualTo(42);
        }
    }

    private void step(Random random, FakeDriver driver) throws Exception {
        switch (random.nextInt(8)) {
            case 0 -> kernel.setStatus(random.nextInt(256));
            case 1 -> driver.start();
            case 2 -> kernel.ask(id -> new VduseRequest.GetQueueState(id, random.nextInt(3) - 1));
            case 3 -> kernel.ask(id -> new VduseRequest.SetQueueReady(id, random.nextInt(3) - 1, random.nextBoolean()));
            case 4 -> kernel.ask(VduseRequest.Suspend::new);
            case 5 -> {
                kernel.driverFeatures = random.nextLong();
                kernel.setStatus(FakeDriver.NEGOTIATED);
            }
            case 6 ->
                kernel.queues.put(
                        0,
                        new Vduse.QueueInfo(
                                random.nextInt(130) - 1,
                                FakeDriver.BASE + random.nextInt(1 << 21),
                                random.nextLong(),
                                FakeDriver.BASE + random.nextInt(1 << 21),
                                random.nextLong(),
                                random.nextBoolean()));
            default -> kernel.ask(id -> new VduseRequest.UpdateIotlb(id, 0, -1, 0));
        }
    }
}
