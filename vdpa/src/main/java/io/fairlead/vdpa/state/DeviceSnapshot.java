package io.fairlead.vdpa.state;

import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.preflight.ConfigCopy;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.DevicePart;
import io.fairlead.virtio.parts.DeviceParts;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** Takes the state of a device, by nothing but its contract. */
public final class DeviceSnapshot {
    private DeviceSnapshot() {}

    /**
     * Takes a state. It changes nothing of the device and may be repeated. On the control thread of the device.
     *
     * @param uuid of the device, the same on every host
     * @param epoch counts its owners
     * @param isFinal whether all its queues are stopped, or it is suspended, and the state has to be complete; a
     *     provisional one has what can be told of a running device
     * @throws IOException where a queue still runs, the device cannot tell where its queues stand, or what it tells
     *     contradicts itself
     */
    public static DeviceState take(VdpaDevice device, UUID uuid, int epoch, boolean isFinal) throws IOException {
        ConfigCopy config = ConfigCopy.of(device);
        DeviceProfile profile = DeviceProfile.of(device, config);
        List<QueueSetup> setups = new ArrayList<>();
        for (int i = 0; i < profile.queues().size(); i++) {
            setups.add(device.queueSetup(i));
        }
        List<Section> sections = new ArrayList<>();
        sections.add(parts(device, profile, setups));
        List<Section.QueueInflight> inflight = new ArrayList<>();
        if (isFinal) {
            sections.add(runs(device, setups, inflight));
        }
        sections.add(new Section.DeviceConfiguration(
                config.bytes(),
                config.generation(),
                DriverWritten.mask(
                        profile.deviceId(),
                        profile.driverFeatures(),
                        config.bytes().size())));
        if (!inflight.isEmpty()) {
            sections.add(new Section.Inflight(inflight));
        }
        List<ControlCommand> commands = isFinal ? device.controlCommands() : List.of();
        if (!commands.isEmpty()) {
            sections.add(new Section.ControlState(commands));
        }
        sections.add(new Section.Identity(profile.identity()));
        if (isFinal) {
            device.vendorState()
                    .ifPresent(own -> sections.add(new Section.Vendor(own.vendor(), own.version(), own.data())));
        }
        sections.add(new Section.Caps(profile));
        List<Section.QueueCounters> counters = device.statistics().queues().stream()
                .map(queue -> Section.QueueCounters.of(queue.snapshot()))
                .toList();
        if (counters.size() == profile.queues().size()) {
            sections.add(new Section.Statistics(counters));
        }
        Octets typeState = isFinal ? device.typeState() : Octets.EMPTY;
        if (typeState.size() > 0) {
            sections.add(new Section.TypeState(typeState));
        }
        try {
            return DeviceState.of(new StateHeader(isFinal, epoch, profile.deviceId(), uuid), sections);
        } catch (StateFormatException e) {
            throw new IOException(
                    "%s: what the device says of itself is no sound state: %s".formatted(device.name(), e.getMessage()),
                    e);
        }
    }

    private static Section parts(VdpaDevice device, DeviceProfile profile, List<QueueSetup> setups) {
        List<DevicePart> parts = new ArrayList<>();
        parts.add(new DevicePart.DeviceFeatures(List.of(profile.deviceFeatures())));
        parts.add(new DevicePart.DriverFeatures(List.of(profile.driverFeatures())));
        parts.add(new DevicePart.Status(device.status()));
        for (int i = 0; i < setups.size(); i++) {
            QueueSetup setup = setups.get(i);
            parts.add(new DevicePart.QueueConfiguration(
                    i,
                    setup.size(),
                    DevicePart.NO_VECTOR,
                    DeviceProfile.isSetUp(setup),
                    setup.descriptorAddress(),
                    setup.driverAddress(),
                    setup.deviceAddress()));
        }
        return new Section.Parts(new DeviceParts(parts));
    }

    private static Section runs(VdpaDevice device, List<QueueSetup> setups, List<Section.QueueInflight> inflight)
            throws IOException {
        if (!device.capabilities().contains(VdpaDevice.Capability.QUEUE_STATE)) {
            throw new IOException(
                    "%s cannot tell where its queues stand; a relay has to run before it".formatted(device.name()));
        }
        List<Section.QueueRun> runs = new ArrayList<>();
        for (int i = 0; i < setups.size(); i++) {
            if (!DeviceProfile.isSetUp(setups.get(i))) {
                continue;
            }
            try {
                runs.add(new Section.QueueRun(i, device.queueState(i)));
                InflightRequests requests = device.inflightRequests(i);
                if (!requests.isEmpty()) {
                    inflight.add(new Section.QueueInflight(i, requests));
                }
            } catch (IllegalStateException e) {
                throw new IOException(
                        "%s: a final state needs stopped queues: %s".formatted(device.name(), e.getMessage()), e);
            }
        }
        return new Section.QueueRuns(runs);
    }
}
