package io.fairlead.vdpa.state;

import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VendorState;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Preflight;
import io.fairlead.vdpa.preflight.Verdict;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Gives a device the state of another: as a whole, or not at all. Both calls are of the device's control thread, with all
 * its queues stopped.
 *
 * <p>What QEMU's own stream and front-end bring is not set here: features, status, addresses and positions of the
 * rings. {@link DeviceState#queueStates} says what they have to be. Counters of the source stay in the state.
 */
public final class DeviceRestore {
    /** Undoes one step. */
    private interface Undo {
        void run() throws IOException;
    }

    private DeviceRestore() {}

    /**
     * Lets the device {@link VdpaDevice#follow} what has changed at the source since the machine began to move; to be called
     * before the final state is judged. What it follows stays, also where it does not take the state then.
     */
    public static void follow(DeviceState state, VdpaDevice device) throws IOException {
        device.follow(state.config().bytes());
        Optional<Section.TypeState> typeState = state.section(Section.TypeState.class);
        if (typeState.isPresent()) {
            device.followTypeState(typeState.get().data());
        }
    }

    /**
     * Whether the device can take the state; changes nothing.
     *
     * @throws StateRefusedException with every reason why not
     */
    public static void validate(DeviceState state, VdpaDevice device) throws IOException {
        validate(state, device, Map.of());
    }

    /**
     * As {@link #validate(DeviceState, VdpaDevice)}.
     *
     * @param identity what a user says that the device stands for and the device itself does not know
     */
    public static void validate(DeviceState state, VdpaDevice device, Map<String, String> identity) throws IOException {
        DeviceProfile destination = DeviceProfile.of(device).withIdentity(identity);
        List<String> reasons = new ArrayList<>();
        for (Verdict verdict : Preflight.compare(state.profile(), destination)) {
            if (verdict.outcome() == Verdict.Outcome.REFUSED) {
                reasons.add("%s: %s".formatted(verdict.field(), verdict.reason()));
            }
        }
        if (state.section(Section.Completed.class).isPresent()) {
            reasons.add("COMPLETED: requests are done and not in the used ring, which no device here can put there");
        }
        SortedMap<Integer, InflightRequests> inflight = state.inflightRequests();
        if (!inflight.isEmpty() && !destination.can(VdpaDevice.Capability.INFLIGHT)) {
            reasons.add(
                    "INFLIGHT: requests are in flight, which this device cannot take over: try again when they are answered");
        }
        for (int i = 0; i < destination.queues().size(); i++) {
            if (device.queueReady(i)) {
                reasons.add("queue %d is running".formatted(i));
            }
        }
        if (!reasons.isEmpty()) {
            throw new StateRefusedException(device.name(), reasons);
        }
    }

    /** As {@link #apply(DeviceState, VdpaDevice, CompletionStage, Map)}, with what the device itself stands for. */
    public static void apply(DeviceState state, VdpaDevice device, CompletionStage<Void> settledElsewhere)
            throws IOException {
        apply(state, device, settledElsewhere, Map.of());
    }

    /**
     * Validates all and then gives the device what it needs: the bytes of the configuration space that the driver wrote,
     * the requests in flight, what the driver set by a control queue or the type keeps, and what is of its make. Of a provisional state
     * nothing is taken over, it is only validated.
     *
     * @param settledElsewhere completed when the source works on no request in flight any more
     * @param identity what a user says that the device stands for and the device itself does not know
     * @throws StateRefusedException where the device cannot take it; nothing was changed
     * @throws IOException where the device failed; what had been changed is undone, and where that failed too a
     *     suppressed exception says so
     */
    public static void apply(
            DeviceState state, VdpaDevice device, CompletionStage<Void> settledElsewhere, Map<String, String> identity)
            throws IOException {
        validate(state, device, identity);
        if (!state.isFinal()) {
            return;
        }
        Deque<Undo> done = new ArrayDeque<>();
        try {
            writeConfig(state.config(), device, done);
            for (Map.Entry<Integer, InflightRequests> queue :
                    state.inflightRequests().entrySet()) {
                int index = queue.getKey();
                done.push(
                        () -> device.carryOver(index, InflightRequests.none(), CompletableFuture.completedStage(null)));
                device.carryOver(index, queue.getValue(), settledElsewhere);
            }
            List<ControlCommand> commands = state.section(Section.ControlState.class)
                    .map(Section.ControlState::commands)
                    .orElse(List.of());
            if (!commands.isEmpty()) {
                done.push(() -> device.controlCommands(List.of()));
                device.controlCommands(commands);
            }
            Octets typeState = state.section(Section.TypeState.class)
                    .map(Section.TypeState::data)
                    .orElse(Octets.EMPTY);
            if (typeState.size() > 0) {
                done.push(() -> device.typeState(Octets.EMPTY));
                device.typeState(typeState);
            }
            Optional<Section.Vendor> own = state.section(Section.Vendor.class);
            if (own.isPresent()) {
                Section.Vendor vendor = own.get();
                done.push(() -> device.vendorState(null));
                device.vendorState(new VendorState(vendor.vendor(), vendor.vendorVersion(), vendor.data()));
            }
        } catch (StateMismatchException e) {
            undo(done, e);
            StateRefusedException refused =
                    new StateRefusedException(device.name(), List.of(String.valueOf(e.getMessage())));
            refused.addSuppressed(e);
            throw refused;
        } catch (IOException | RuntimeException e) {
            undo(done, e);
            throw new IOException("%s could not take the state over: %s".formatted(device.name(), e.getMessage()), e);
        }
    }

    /** Writes each run of bytes that the driver wrote. */
    private static void writeConfig(Section.DeviceConfiguration config, VdpaDevice device, Deque<Undo> done)
            throws IOException {
        Octets bytes = config.bytes();
        int end = Math.min(bytes.size(), device.configByteCount());
        for (int from = 0; from < end; ) {
            int to = from;
            while (to < end && config.isDriverWritten(to)) {
                to++;
            }
            if (to > from) {
                int offset = from;
                byte[] before = new byte[to - from];
                device.readConfig(offset, MemorySegment.ofArray(before));
                MemorySegment wanted = MemorySegment.ofArray(bytes.toArray()).asSlice(offset, before.length);
                done.push(() -> device.writeConfig(offset, MemorySegment.ofArray(before)));
                device.writeConfig(offset, wanted);
            }
            from = to + 1;
        }
    }

    private static void undo(Deque<Undo> done, Exception cause) {
        for (Undo step : done) {
            try {
                step.run();
            } catch (IOException | RuntimeException e) {
                cause.addSuppressed(e);
            }
        }
    }
}
