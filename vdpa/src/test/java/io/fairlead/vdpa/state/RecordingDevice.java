package io.fairlead.vdpa.state;

import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueSetup;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VendorState;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** A device of a given profile that answers questions, and writes down every call that would change it. */
final class RecordingDevice {
    /** Calls that change something, in their order. */
    final List<String> calls = new ArrayList<>();

    final Map<Integer, InflightRequests> carried = new HashMap<>();
    final Map<Integer, InflightRequests> inflight = new HashMap<>();
    final Map<Integer, QueueState> states = new HashMap<>();
    final Set<Integer> running = new HashSet<>();
    final byte[] config;
    List<ControlCommand> commands = List.of();
    Octets typeState = Octets.EMPTY;

    /** Null for none. */
    VendorState vendorState;

    /** What it says against a type's state; null where it takes it. */
    String mismatch;

    /** Reading the configuration space changes it, so many times. */
    int restlessReadings;

    /** The changing call, from 0, that fails; none below 0. */
    int failingCall = -1;

    private final DeviceProfile profile;
    private int generation;

    RecordingDevice(DeviceProfile profile) {
        this.profile = profile;
        config = profile.config().toArray();
    }

    /** The device that stood behind a state, stopped. */
    static RecordingDevice of(DeviceState state) {
        RecordingDevice device = new RecordingDevice(state.profile());
        device.states.putAll(state.queueStates());
        device.inflight.putAll(state.inflightRequests());
        return device;
    }

    VdpaDevice device() {
        return (VdpaDevice) Proxy.newProxyInstance(
                VdpaDevice.class.getClassLoader(),
                new Class<?>[] {VdpaDevice.class},
                (self, method, arguments) -> arguments == null ? answer(method) : answer(method, arguments));
    }

    private Object answer(Method method, Object... arguments) throws IOException {
        return switch (method.getName() + arguments.length) {
            case "name0" -> profile.name();
            case "deviceId0" -> profile.deviceId();
            case "deviceFeatures0" -> profile.deviceFeatures();
            case "driverFeatures0" -> profile.driverFeatures();
            case "status0" -> 15;
            case "identity0" -> profile.identity();
            case "capabilities0" ->
                profile.capabilities().stream()
                        .map(VdpaDevice.Capability::valueOf)
                        .collect(Collectors.toSet());
            case "queueCount0" -> profile.queues().size();
            case "maxQueueSize1" -> profile.queues().get((int) arguments[0]).maxSize();
            case "queueSetup1" -> {
                int queue = (int) arguments[0];
                int size = profile.queues().get(queue).sizeInUse();
                long rings = 0x100000L * (queue + 1);
                yield size == 0
                        ? new QueueSetup(profile.queues().get(queue).maxSize(), 0, 0, 0)
                        : new QueueSetup(size, rings, rings + 0x4000, rings + 0x8000);
            }
            case "queueReady1" -> running.contains((int) arguments[0]);
            case "queueState1" -> {
                if (running.contains((int) arguments[0])) {
                    throw new IllegalStateException("queue %d is running".formatted((int) arguments[0]));
                }
                yield states.get((int) arguments[0]);
            }
            case "inflightRequests1" -> inflight.getOrDefault((int) arguments[0], InflightRequests.none());
            case "follow1" -> null;
            case "controlCommands0" -> commands;
            case "typeState0" -> typeState;
            case "vendorState0" -> Optional.ofNullable(vendorState);
            case "configByteCount0" -> config.length;
            case "configGeneration0" -> generation;
            case "readConfig2" -> {
                if (restlessReadings > 0) {
                    restlessReadings--;
                    generation++;
                    config[0]++;
                }
                MemorySegment target = (MemorySegment) arguments[1];
                MemorySegment.copy(MemorySegment.ofArray(config), (int) arguments[0], target, 0, target.byteSize());
                yield null;
            }
            case "statistics0" -> DeviceStatistics.ofQueues(profile.queues().size());
            default -> {
                change(method, arguments);
                yield null;
            }
        };
    }

    private void change(Method method, Object... arguments) throws IOException {
        boolean fails = calls.size() == failingCall;
        calls.add(method.getName());
        if (fails) {
            throw new IOException("the host refuses " + method.getName());
        }
        switch (method.getName()) {
            case "writeConfig" -> {
                MemorySegment source = (MemorySegment) arguments[1];
                MemorySegment.copy(source, 0, MemorySegment.ofArray(config), (int) arguments[0], source.byteSize());
            }
            case "controlCommands" -> commands = stream((List<?>) arguments[0]);
            case "typeState" -> {
                if (mismatch != null && ((Octets) arguments[0]).size() > 0) {
                    throw new StateMismatchException(mismatch);
                }
                typeState = (Octets) arguments[0];
            }
            case "vendorState" -> vendorState = (VendorState) arguments[0];
            case "carryOver" -> {
                if (((InflightRequests) arguments[1]).isEmpty()) {
                    carried.remove((int) arguments[0]);
                } else {
                    carried.put((int) arguments[0], (InflightRequests) arguments[1]);
                }
            }
            default -> throw new AssertionError(method + " is not to be called");
        }
    }

    private static List<ControlCommand> stream(List<?> commands) {
        return commands.stream().map(ControlCommand.class::cast).toList();
    }
}
