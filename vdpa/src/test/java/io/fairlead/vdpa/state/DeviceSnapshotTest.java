package io.fairlead.vdpa.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.preflight.ConfigCopy;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class DeviceSnapshotTest {
    @Test
    void aStoppedDevicesStateHasAllAndChangesNothing() throws Exception {
        for (DeviceState expected : List.of(States.blkSplit(), States.blkSplitInflight(), States.blkPackedInflight())) {
            RecordingDevice device = RecordingDevice.of(expected);
            DeviceState state = DeviceSnapshot.take(device.device(), States.DEVICE, 1, true);
            assertThat(state.queueStates()).isEqualTo(expected.queueStates());
            assertThat(state.inflightRequests()).isEqualTo(expected.inflightRequests());
            assertThat(state.parts()).isEqualTo(expected.parts());
            assertThat(state.profile()).isEqualTo(expected.profile());
            assertThat(state.identity()).isEqualTo(expected.identity());
            // The driver chose the cache mode.
            assertThat(state.config().isDriverWritten(32)).isTrue();
            assertThat(state.config().isDriverWritten(31)).isFalse();
            assertThat(DeviceState.decode(state.encode())).isEqualTo(state);
            assertThat(device.calls).isEmpty();
        }
    }

    @Test
    void aProvisionalStateIsTakenOfARunningDevice() throws Exception {
        RecordingDevice device = RecordingDevice.of(States.blkSplit());
        device.running.addAll(List.of(0, 1));
        DeviceState state = DeviceSnapshot.take(device.device(), States.DEVICE, 0, false);
        assertThat(state.isFinal()).isFalse();
        assertThat(state.section(Section.QueueRuns.class)).isEmpty();
        assertThat(state.profile()).isEqualTo(States.blk(false, 2));
        assertThat(device.calls).isEmpty();
    }

    @Test
    void aFinalStateOfARunningDeviceIsRefused() throws Exception {
        RecordingDevice device = RecordingDevice.of(States.blkSplit());
        device.running.add(1);
        assertThatThrownBy(() -> DeviceSnapshot.take(device.device(), States.DEVICE, 0, true))
                .isInstanceOf(IOException.class)
                .hasMessageContainingAll("disk0", "needs stopped queues", "queue 1");
    }

    @Test
    void aDeviceThatCannotTellWhereItStandsNeedsARelay() throws Exception {
        DeviceProfile blk = States.blk(false, 1);
        RecordingDevice device = new RecordingDevice(new DeviceProfile(
                blk.name(),
                "",
                blk.deviceId(),
                blk.deviceFeatures(),
                blk.driverFeatures(),
                blk.queues(),
                blk.config(),
                blk.identity(),
                new TreeSet<>()));
        assertThatThrownBy(() -> DeviceSnapshot.take(device.device(), States.DEVICE, 0, true))
                .hasMessageContainingAll("disk0", "relay");
        assertThat(DeviceSnapshot.take(device.device(), States.DEVICE, 0, false).isFinal())
                .isFalse();
    }

    @Test
    void aDeviceThatContradictsItselfIsNamed() throws Exception {
        RecordingDevice device = RecordingDevice.of(States.blkSplit());
        device.states.put(0, new QueueState.Split(5, 4));
        assertThatThrownBy(() -> DeviceSnapshot.take(device.device(), States.DEVICE, 0, true))
                .hasMessageContainingAll("disk0", "no sound state", "queue 0");
    }

    @Test
    void aQueueThatNoDriverSetUpHasNoPosition() throws Exception {
        DeviceProfile net = States.net().profile();
        RecordingDevice device = RecordingDevice.of(States.net());
        DeviceState state = DeviceSnapshot.take(device.device(), States.DEVICE, 0, true);
        assertThat(net.queues()).hasSize(3);
        assertThat(state.queueStates()).containsOnlyKeys(0, 1);
        assertThat(state.queue(2).orElseThrow().enabled()).isFalse();
    }

    @Test
    void theConfigurationSpaceIsOfOneInstant() throws Exception {
        RecordingDevice device = RecordingDevice.of(States.blkSplit());
        device.restlessReadings = 3;
        ConfigCopy copy = ConfigCopy.of(device.device());
        assertThat(copy.generation()).isEqualTo(3);
        assertThat(copy.bytes()).isEqualTo(Octets.of(device.config));
        device.restlessReadings = Integer.MAX_VALUE;
        assertThatThrownBy(() -> ConfigCopy.of(device.device())).hasMessageContaining("changed at each of");
    }
}
