package io.fairlead.kernel.vhostvdpa;

import static io.fairlead.kernel.vhostvdpa.VhostVdpaFixture.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.VendorState;
import io.fairlead.vdpa.state.DeviceRestore;
import io.fairlead.vdpa.state.DeviceSnapshot;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vdpa.state.Section;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The device's own state and the words on a migration, over a model of openEuler's kernels. */
@ExtendWith(NoLeaks.class)
class EulerMigrationTest {
    private static final long RAM = 0x10_0000;
    private static final String MAKE = "pci 19e5:0206 19e5:0051";
    private static final byte[] STATE = {5, 4, 3, 2, 1};
    private static final int AGREED = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;

    private static FakeKernel euler() {
        FakeKernel kernel = new FakeKernel();
        kernel.deviceBufferBytes = STATE.length;
        kernel.features |= Feature.VHOST_LOG_ALL;
        kernel.make = MAKE;
        return kernel;
    }

    private static VhostVdpaFixture over(FakeKernel kernel) throws IOException {
        return new VhostVdpaFixture(
                kernel, new VhostVdpaSettings(VhostVdpaFixture.PATH, 0, 0, 0, Map.of("volume", "v0"), true, -1));
    }

    private static void start(VhostVdpaFixture fixture) throws IOException {
        fixture.memory(RAM, 64);
        fixture.device.driverFeatures(Feature.VERSION_1);
        fixture.device.status(AGREED);
        startQueues(fixture);
        fixture.device.status(AGREED | DeviceStatus.DRIVER_OK);
    }

    private static void startQueues(VhostVdpaFixture fixture) throws IOException {
        for (int queue = 0; queue < 2; queue++) {
            fixture.prepare(queue, RAM + queue * 16L * PAGE);
            fixture.device.queueReady(queue, true);
        }
    }

    private static List<String> words(FakeKernel kernel) {
        return kernel.log.stream()
                .filter(line -> line.startsWith("migration") || line.startsWith("buffer") || line.equals("resume"))
                .toList();
    }

    /** Stops ring by ring, as QEMU does. */
    private static DeviceState leave(VhostVdpaFixture fixture) throws Exception {
        fixture.kernel.deviceBuffer = STATE;
        fixture.device.queueReady(0, false);
        // The model's reset forgets it.
        fixture.kernel.deviceBuffer = STATE;
        fixture.device.queueReady(1, false);
        DeviceState state = DeviceSnapshot.take(fixture.device, UUID.randomUUID(), 0, true);
        return DeviceState.decode(state.encode());
    }

    private static DeviceState moved(FakeKernel kernel) throws Exception {
        try (VhostVdpaFixture source = over(kernel);
                SharedDirtyLog log = SharedDirtyLog.create("test", RAM + 64 * PAGE)) {
            start(source);
            source.device.dirtyLog(log);
            DeviceState state = leave(source);
            source.device.dirtyLog(null);
            assertThat(words(kernel))
                    .as("the source hears nothing when all goes well")
                    .isEmpty();
            return state;
        }
    }

    private static void arrive(VhostVdpaFixture destination, DeviceState state) throws IOException {
        DeviceRestore.apply(state, destination.device, CompletableFuture.completedStage(null));
    }

    @Test
    void theStateGoesAlongAndTheDestinationHearsWhereTheMoveIs() throws Exception {
        DeviceState state = moved(euler());
        assertThat(state.section(Section.Vendor.class))
                .contains(new Section.Vendor(MAKE, EulerMigration.VERSION, Octets.of(STATE)));
        FakeKernel kernel = euler();
        try (VhostVdpaFixture destination = over(kernel)) {
            arrive(destination, state);
            assertThat(words(kernel)).containsExactly("migration 2", "buffer of 5");
            start(destination);
            assertThat(words(kernel)).containsExactly("migration 2", "buffer of 5", "resume", "migration 5");
            assertThat(kernel.deviceBuffer).isEqualTo(STATE);
            destination.device.reset();
            kernel.log.clear();
            start(destination);
            assertThat(words(kernel)).as("a guest's own reset is no arrival").isEmpty();
        }
    }

    /** Front-ends tell features again, which resets a device. */
    @Test
    void whatAResetBehindTheScenesTookIsGivenAgain() throws Exception {
        FakeKernel kernel = euler();
        try (VhostVdpaFixture destination = over(kernel)) {
            destination.memory(RAM, 64);
            destination.device.driverFeatures(Feature.VERSION_1);
            destination.device.status(AGREED);
            destination.device.vendorState(new VendorState(MAKE, EulerMigration.VERSION, Octets.of(STATE)));
            destination.device.driverFeatures(Feature.VERSION_1 | Feature.INDIRECT_DESC);
            assertThat(kernel.deviceBuffer).isEmpty();
            startQueues(destination);
            destination.device.status(AGREED | DeviceStatus.DRIVER_OK);
            assertThat(kernel.deviceBuffer).isEqualTo(STATE);
            assertThat(words(kernel))
                    .containsExactly(
                            "migration 2", "buffer of 5", "migration 2", "buffer of 5", "resume", "migration 5");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "pci 19e5:0206 19e5:0052", "pci 15b3:101e 15b3:0001"})
    void anotherMakeGoesWithout(String make) throws Exception {
        FakeKernel kernel = euler();
        kernel.make = make;
        try (VhostVdpaFixture destination = over(kernel)) {
            arrive(destination, moved(euler()));
            start(destination);
            assertThat(words(kernel)).isEmpty();
            assertThat(kernel.deviceBuffer).isEmpty();
        }
        try (VhostVdpaFixture stock = over(new FakeKernel())) {
            arrive(stock, moved(euler()));
            start(stock);
            assertThat(words(stock.kernel)).isEmpty();
        }
    }

    @Test
    void whatADeviceCannotTakeIsRefusedBeforeTheMachineGoes() throws Exception {
        DeviceState state = moved(euler());
        FakeKernel small = euler();
        small.deviceBufferBytes = 4;
        try (VhostVdpaFixture destination = over(small)) {
            assertThatThrownBy(() -> arrive(destination, state))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("takes 4 bytes of its make's own state, and 5 came");
            assertThatThrownBy(() -> destination.device.vendorState(
                            new VendorState(MAKE, EulerMigration.VERSION, Octets.of(STATE))))
                    .isInstanceOf(StateMismatchException.class);
            assertThat(words(small)).isEmpty();
        }
        FakeKernel unwilling = euler();
        unwilling.refusesBuffer = true;
        try (VhostVdpaFixture destination = over(unwilling)) {
            assertThatThrownBy(() -> arrive(destination, state))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("VHOST_SET_DEV_BUFFER");
        }
    }

    @Test
    void aSourceThatGoesOnHearsIt() throws Exception {
        FakeKernel kernel = euler();
        try (VhostVdpaFixture source = over(kernel);
                SharedDirtyLog log = SharedDirtyLog.create("test", RAM + 64 * PAGE)) {
            start(source);
            source.device.dirtyLog(log);
            source.device.dirtyLog(null);
            assertThat(words(kernel)).as("before it stood still").containsExactly("migration 4");
            kernel.log.clear();
            source.device.dirtyLog(log);
            DeviceState _ = leave(source);
            startQueues(source);
            source.device.dirtyLog(null);
            assertThat(words(kernel)).as("and after, once").containsExactly("migration 4");
            assertThat(source.device.vendorState()).isEmpty();
        }
    }

    @Test
    void suspendedAndResumedItHearsItFirst() throws Exception {
        FakeKernel kernel = euler();
        try (VhostVdpaFixture source = over(kernel);
                SharedDirtyLog log = SharedDirtyLog.create("test", RAM + 64 * PAGE)) {
            start(source);
            source.device.dirtyLog(log);
            kernel.deviceBuffer = STATE;
            source.device.suspend();
            assertThat(source.device.vendorState())
                    .contains(new VendorState(MAKE, EulerMigration.VERSION, Octets.of(STATE)));
            source.device.resume();
            assertThat(words(kernel)).containsExactly("migration 4", "resume");
        }
    }

    @Test
    void withoutALogNothingIsRead() throws Exception {
        try (VhostVdpaFixture source = over(euler())) {
            start(source);
            source.device.suspend();
            assertThat(source.device.vendorState()).isEmpty();
        }
    }

    @Test
    void aStateOfNobodyKnowsWhoseIsNotTaken() throws Exception {
        FakeKernel kernel = euler();
        kernel.make = "";
        try (VhostVdpaFixture source = over(kernel);
                SharedDirtyLog log = SharedDirtyLog.create("test", RAM + 64 * PAGE)) {
            start(source);
            source.device.dirtyLog(log);
            assertThatThrownBy(source.device::suspend)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no PCI function tells who made it");
            assertThat(kernel.suspended).as("it goes on").isFalse();
        }
    }

    /** A device whose size of its state changes to nonsense while it runs. */
    @ParameterizedTest
    @ValueSource(ints = {Integer.MIN_VALUE, -1, (64 << 20) + 1, Integer.MAX_VALUE})
    void aSizeOutOfBoundsIsNotAllocated(int bytes) throws Exception {
        FakeKernel kernel = euler();
        try (VhostVdpaFixture source = over(kernel);
                SharedDirtyLog log = SharedDirtyLog.create("test", RAM + 64 * PAGE)) {
            start(source);
            source.device.dirtyLog(log);
            kernel.toldBufferBytes = bytes;
            assertThatThrownBy(source.device::suspend)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(
                            "says that its own state has %s bytes".formatted(Integer.toUnsignedString(bytes)));
        }
    }

    @Test
    void aKernelWithoutMigrationStatesMovesTheStateAllTheSame() throws Exception {
        FakeKernel kernel = euler();
        kernel.takesMigrationStates = false;
        try (VhostVdpaFixture destination = over(kernel)) {
            arrive(destination, moved(euler()));
            start(destination);
            assertThat(words(kernel)).containsExactly("buffer of 5", "resume");
        }
    }

    @Test
    void theMakeIsThatOfThePciFunctionBehind(@TempDir Path sys) throws Exception {
        Path function = Files.createDirectories(sys.resolve("devices/pci0000:00/0000:00:05.0"));
        Files.createDirectories(function.resolve("vdpa0/vhost-vdpa-3"));
        Path devices = Files.createDirectories(sys.resolve("bus/vdpa/devices"));
        Files.createSymbolicLink(devices.resolve("vdpa0"), function.resolve("vdpa0"));
        assertThat(DeviceMake.of(sys.resolve("bus/vdpa"), "vhost-vdpa-3"))
                .as("no PCI function")
                .isEmpty();
        for (String[] attribute : new String[][] {
            {"vendor", "0x19e5"}, {"device", "0x0206"}, {"subsystem_vendor", "0x19e5"}, {"subsystem_device", "0x0051"}
        }) {
            Files.writeString(function.resolve(attribute[0]), attribute[1] + "\n");
        }
        assertThat(DeviceMake.of(sys.resolve("bus/vdpa"), "vhost-vdpa-3")).isEqualTo(MAKE);
        assertThat(DeviceMake.of(sys.resolve("bus/vdpa"), "vhost-vdpa-4")).isEmpty();
        assertThat(DeviceMake.of(sys.resolve("nothing"), "vhost-vdpa-3")).isEmpty();
    }
}
