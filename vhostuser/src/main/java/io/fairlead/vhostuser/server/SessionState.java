package io.fairlead.vhostuser.server;

import io.fairlead.linux.Fd;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.state.DeviceRestore;
import io.fairlead.vdpa.state.DeviceSnapshot;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vhostuser.protocol.Payload;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The device's state in the client's own stream (DEVICE_STATE): taken or given while all rings are stopped, carried over a
 * pipe by a thread of its own, and taken over by the device only when the client asks how it went. Requests in flight do not
 * go this way: nobody on it can say when they have ended at the source. Only a device that cannot freeze may leave some, for
 * which it has done nothing. While the rings are held, for a machine that nodes move, nodes hand the state on themselves,
 * and the stream only says so. The session's thread; {@link #shutdown} any.
 */
final class SessionState implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SessionState.class);

    /** Goes in the state's place where that is handed on beside the client's stream: what is done twice is waited for twice. */
    private static final byte[] BESIDE = "fairlead: the state comes beside".getBytes(StandardCharsets.US_ASCII);

    private final VdpaDevice device;
    private final RingGate gate;
    private volatile @Nullable StateTransfer transfer;
    private volatile boolean ended;

    /** @param gate held while somebody else hands the state on */
    SessionState(VdpaDevice device, RingGate gate) {
        this.device = device;
        this.gate = gate;
    }

    /**
     * SET_DEVICE_STATE_FD.
     *
     * @param pipe owned from now on
     * @return whether the transfer began
     */
    boolean begin(Payload.Transfer wanted, Fd pipe) {
        try {
            StateTransfer old = transfer;
            if (old != null && old.isUnderWay()) {
                pipe.close();
                throw new IOException("another transfer is under way");
            }
            closeTransfer();
            if (wanted.phase() != Payload.Transfer.STOPPED) {
                pipe.close();
                throw new IOException("phase %d is unknown".formatted(wanted.phase()));
            }
            switch (wanted.direction()) {
                case Payload.Transfer.SAVE -> transfer = StateTransfer.send(device.name(), pipe, () -> snapshot());
                case Payload.Transfer.LOAD -> transfer = StateTransfer.receive(device.name(), pipe);
                default -> {
                    pipe.close();
                    throw new IOException("direction %d is unknown".formatted(wanted.direction()));
                }
            }
            StateTransfer begun = transfer;
            if (ended && begun != null) {
                begun.shutdown();
            }
            return true;
        } catch (IOException e) {
            LOG.warn("{}: its state is not transferred: {}", device.name(), e.getMessage());
            return false;
        }
    }

    private byte[] snapshot() throws IOException {
        if (gate.isHeld()) {
            return BESIDE;
        }
        // Without a node nobody gave the device a number; what it stands for is the same on every host.
        UUID uuid =
                UUID.nameUUIDFromBytes((device.deviceId() + " " + device.identity()).getBytes(StandardCharsets.UTF_8));
        DeviceState state = DeviceSnapshot.take(device, uuid, 0, true);
        requireNothingInFlight(state);
        return state.encode();
    }

    private void requireNothingInFlight(DeviceState state) throws IOException {
        boolean begun = device.capabilities().contains(VdpaDevice.Capability.FREEZE);
        if (begun && !state.inflightRequests().isEmpty()) {
            throw new IOException("requests are in flight, which do not go with the client's stream");
        }
    }

    /**
     * CHECK_DEVICE_STATE: waits for the end of the transfer; a state that was loaded is now checked and given to the device.
     *
     * @return whether all went well
     */
    boolean check() {
        StateTransfer finished = transfer;
        if (finished == null) {
            LOG.warn("{}: asked how a transfer of its state went, and there was none", device.name());
            return false;
        }
        try {
            byte[] loaded = finished.await();
            if (loaded != null && !Arrays.equals(loaded, BESIDE)) {
                DeviceState state = DeviceState.decode(loaded);
                requireNothingInFlight(state);
                if (!state.isFinal()) {
                    throw new IOException("the state is provisional");
                }
                DeviceRestore.follow(state, device);
                DeviceRestore.apply(state, device, CompletableFuture.completedStage(null));
            }
            return true;
        } catch (IOException e) {
            LOG.warn("{}: the transfer of its state failed: {}", device.name(), e.getMessage());
            return false;
        } finally {
            closeTransfer();
        }
    }

    /** Ends a transfer under way. */
    void shutdown() {
        ended = true;
        StateTransfer current = transfer;
        if (current != null) {
            current.shutdown();
        }
    }

    private void closeTransfer() {
        StateTransfer old = transfer;
        transfer = null;
        if (old != null) {
            old.close();
        }
    }

    @Override
    public void close() {
        closeTransfer();
    }
}
