package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VendorState;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** What the relay has no part in: the device that serves now answers. Control calls are serialized by this object's lock. */
abstract class ForwardingDevice implements VdpaDevice {
    /** The device that serves now. Any thread. */
    abstract VdpaDevice device();

    @Override
    public final int deviceId() {
        return device().deviceId();
    }

    @Override
    public final Map<String, String> identity() {
        return device().identity();
    }

    @Override
    public final Map<String, Long> typeCounters() {
        return device().typeCounters();
    }

    @Override
    public final long driverFeatures() {
        return device().driverFeatures();
    }

    @Override
    public final int configByteCount() {
        return device().configByteCount();
    }

    @Override
    public final void readConfig(int offset, MemorySegment target) throws IOException {
        device().readConfig(offset, target);
    }

    @Override
    public final synchronized void writeConfig(int offset, MemorySegment source) throws IOException {
        device().writeConfig(offset, source);
    }

    @Override
    public final int maxQueueSize(int queue) {
        return device().maxQueueSize(queue);
    }

    @Override
    public final CompletionStage<Void> settled() {
        return device().settled();
    }

    @Override
    public final synchronized void announce(long mac) throws IOException {
        device().announce(mac);
    }

    @Override
    public final synchronized List<ControlCommand> controlCommands() throws IOException {
        return device().controlCommands();
    }

    @Override
    public final synchronized void controlCommands(List<ControlCommand> commands) throws IOException {
        device().controlCommands(commands);
    }

    @Override
    public final synchronized Optional<VendorState> vendorState() throws IOException {
        return device().vendorState();
    }

    @Override
    public final synchronized void vendorState(@Nullable VendorState state) throws IOException {
        device().vendorState(state);
    }

    @Override
    public final synchronized void follow(Octets config) throws IOException {
        device().follow(config);
    }

    @Override
    public final synchronized void followTypeState(Octets sourceState) throws IOException {
        device().followTypeState(sourceState);
    }

    @Override
    public final synchronized Octets typeState() throws IOException {
        return device().typeState();
    }

    @Override
    public final synchronized void typeState(Octets state) throws IOException {
        device().typeState(state);
    }
}
