package io.fairlead.vdpa.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.VendorState;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class DeviceRestoreTest {
    private static final Octets KEPT = Octets.of((byte) 1, (byte) 2);

    private static final CompletableFuture<Void> NEVER_SETTLED = new CompletableFuture<>();

    /** A disk whose driver switched to write-through, with requests in flight in both queues. */
    private static DeviceState writeThrough() throws StateFormatException {
        DeviceProfile blk = States.blk(false, 2);
        byte[] config = blk.config().toArray();
        config[BlkConfig.WRITEBACK.offset()] = 0;
        return States.state(
                with(blk, Octets.of(config), blk.identity(), blk.capabilities()),
                List.of(
                        new Section.QueueRun(0, new QueueState.Split(2, 0)),
                        new Section.QueueRun(1, new QueueState.Split(1, 0))),
                List.of(
                        new Section.QueueInflight(0, new InflightRequests.Split(List.of(8, 3))),
                        new Section.QueueInflight(1, new InflightRequests.Split(List.of(0)))));
    }

    private static DeviceProfile with(
            DeviceProfile profile, Octets config, SortedMap<String, String> identity, SortedSet<String> capabilities) {
        return new DeviceProfile(
                profile.name(),
                profile.vendor(),
                profile.deviceId(),
                profile.deviceFeatures(),
                profile.driverFeatures(),
                profile.queues(),
                config,
                identity,
                capabilities);
    }

    @Test
    void theDeviceGetsWhatTheDriverWroteAndWhatIsInFlight() throws Exception {
        RecordingDevice device = new RecordingDevice(States.blk(false, 2));
        DeviceRestore.apply(writeThrough(), device.device(), NEVER_SETTLED);
        assertThat(device.calls).containsExactly("writeConfig", "carryOver", "carryOver");
        assertThat(device.config[BlkConfig.WRITEBACK.offset()]).isZero();
        assertThat(device.carried).isEqualTo(writeThrough().inflightRequests());
    }

    @Test
    void ofAProvisionalStateNothingIsTakenOver() throws Exception {
        RecordingDevice device = new RecordingDevice(States.blk(false, 2));
        DeviceRestore.apply(States.blkProvisional(), device.device(), NEVER_SETTLED);
        assertThat(device.calls).isEmpty();
    }

    @Test
    void whateverStepFailsAllOfItIsUndone() throws Exception {
        for (int step = 0; step < 3; step++) {
            RecordingDevice device = new RecordingDevice(States.blk(false, 2));
            device.failingCall = step;
            assertThatThrownBy(() -> DeviceRestore.apply(writeThrough(), device.device(), NEVER_SETTLED))
                    .isInstanceOf(IOException.class)
                    .hasMessageContainingAll("disk0", "the host refuses");
            assertThat(device.config)
                    .as("step %d", step)
                    .isEqualTo(States.blk(false, 2).config().toArray());
            assertThat(device.carried).as("step %d", step).isEmpty();
            // And then it can be tried again.
            DeviceRestore.apply(writeThrough(), device.device(), NEVER_SETTLED);
            assertThat(device.carried).hasSize(2);
        }
    }

    private static void refused(DeviceState state, RecordingDevice device, String... words) {
        assertThatThrownBy(() -> DeviceRestore.apply(state, device.device(), NEVER_SETTLED))
                .isInstanceOf(StateRefusedException.class)
                .hasMessageContainingAll(words);
        assertThat(device.calls).isEmpty();
    }

    @Test
    void aDeviceThatDoesNotFitIsNotTouched() throws Exception {
        DeviceProfile blk = States.blk(false, 2);
        DeviceState state = writeThrough();
        refused(state, new RecordingDevice(States.net().profile()), "device id");
        refused(state, new RecordingDevice(States.blk(false, 1)), "queue count");
        refused(
                state,
                new RecordingDevice(with(blk, blk.config(), new TreeMap<>(Map.of("volume", "x")), blk.capabilities())),
                "another volume");
        refused(
                state,
                new RecordingDevice(with(blk, blk.config(), new TreeMap<>(), blk.capabilities())),
                "the destination does not know");
        byte[] smaller = blk.config().toArray();
        smaller[0]--;
        smaller[2]--;
        refused(
                state,
                new RecordingDevice(with(blk, Octets.of(smaller), blk.identity(), blk.capabilities())),
                "capacity");
        refused(
                state,
                new RecordingDevice(with(blk, blk.config(), blk.identity(), new TreeSet<>(List.of("QUEUE_STATE")))),
                "cannot take over");
        RecordingDevice running = new RecordingDevice(blk);
        running.running.add(1);
        refused(state, running, "queue 1 is running");
    }

    @Test
    void controlCommandsAndWhatTheTypeKeepsGoAlong() throws Exception {
        DeviceState state = States.net().with(new Section.TypeState(KEPT));
        RecordingDevice source = RecordingDevice.of(state);
        source.commands =
                state.section(Section.ControlState.class).orElseThrow().commands();
        source.typeState = KEPT;
        DeviceState taken = DeviceSnapshot.take(source.device(), States.DEVICE, 7, true);
        assertThat(DeviceState.decode(taken.encode())).isEqualTo(taken);
        assertThat(DeviceSnapshot.take(source.device(), States.DEVICE, 7, false).sections())
                .as("of a device that may run")
                .noneMatch(section -> section instanceof Section.TypeState || section instanceof Section.ControlState);

        RecordingDevice device = RecordingDevice.of(States.net());
        DeviceRestore.apply(taken, device.device(), NEVER_SETTLED);
        assertThat(device.commands).isEqualTo(source.commands);
        assertThat(device.typeState).isEqualTo(KEPT);
    }

    @Test
    void whatIsOfTheMakeGoesAlong() throws Exception {
        VendorState own = new VendorState("make", "1", KEPT);
        RecordingDevice source = RecordingDevice.of(States.net());
        source.vendorState = own;
        DeviceState taken = DeviceSnapshot.take(source.device(), States.DEVICE, 7, true);
        assertThat(DeviceState.decode(taken.encode())).isEqualTo(taken);
        assertThat(DeviceSnapshot.take(source.device(), States.DEVICE, 7, false).section(Section.Vendor.class))
                .as("of a device that may run")
                .isEmpty();

        RecordingDevice device = RecordingDevice.of(States.net());
        DeviceRestore.apply(taken, device.device(), NEVER_SETTLED);
        assertThat(device.vendorState).isEqualTo(own);

        RecordingDevice failing = RecordingDevice.of(States.net());
        failing.failingCall = device.calls.indexOf("vendorState");
        assertThatThrownBy(() -> DeviceRestore.apply(taken, failing.device(), NEVER_SETTLED))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the host refuses vendorState");
        assertThat(failing.calls).endsWith("vendorState", "vendorState");
        assertThat(failing.vendorState).isNull();
    }

    @Test
    void whatTheTypeCannotTakeIsRefusedAndTheRestUndone() throws Exception {
        DeviceState state = States.net().with(new Section.TypeState(KEPT));
        RecordingDevice device = RecordingDevice.of(States.net());
        device.mismatch = "file 7 is not there";
        assertThatThrownBy(() -> DeviceRestore.apply(state, device.device(), NEVER_SETTLED))
                .isInstanceOf(StateRefusedException.class)
                .hasMessageContainingAll("nic0", "file 7 is not there");
        assertThat(device.commands).isEmpty();
        assertThat(device.typeState).isEqualTo(Octets.EMPTY);
    }

    @Test
    void allReasonsAreTold() throws Exception {
        RecordingDevice device = new RecordingDevice(States.blk(false, 1));
        device.running.add(0);
        assertThatThrownBy(() -> DeviceRestore.validate(writeThrough(), device.device()))
                .isInstanceOfSatisfying(
                        StateRefusedException.class,
                        e -> assertThat(e.reasons()).hasSizeGreaterThanOrEqualTo(2));
    }

    @Test
    void aUserMaySayWhatTheDeviceDoesNotKnow() throws Exception {
        DeviceProfile blk = States.blk(false, 2);
        RecordingDevice device = new RecordingDevice(with(blk, blk.config(), new TreeMap<>(), blk.capabilities()));
        assertThatCode(() -> DeviceRestore.apply(
                        writeThrough(), device.device(), NEVER_SETTLED, Map.of("volume", "volume-1", "serial", "d0")))
                .doesNotThrowAnyException();
        assertThat(device.carried).hasSize(2);
    }

    @Test
    void completionsThatNobodyCanPublishAreRefused() throws Exception {
        DeviceProfile blk = States.blk(false, 1);
        List<Section> sections = new ArrayList<>(States.sections(blk));
        sections.add(1, new Section.QueueRuns(List.of(new Section.QueueRun(0, new QueueState.Split(1, 0)))));
        sections.add(
                3,
                new Section.Completed(List.of(new Section.QueueCompleted(0, List.of(new Section.Completion(4, 512))))));
        DeviceState state = DeviceState.of(new StateHeader(true, 0, blk.deviceId(), States.DEVICE), sections);
        assertThat(DeviceState.decode(state.encode())).isEqualTo(state);
        refused(state, new RecordingDevice(blk), "COMPLETED");
    }
}
