package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Vhost;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.VendorState;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The device's own state and the words on where a machine's move is, in openEuler's kernels. At the source the state is read
 * when the device stands still; at the destination the device hears PRE_START and takes it, and when it runs POST_START. A
 * source that goes on after all hears CANCEL. A device is given the state of one of the same make only; without, it starts as
 * behind any other source.
 *
 * <p>Under the device's lock.
 */
final class EulerMigration {
    /** The layout is the make's own; this says by what interface it was read. */
    static final String VERSION = "GET_DEV_BUFFER";

    private static final Logger LOG = LoggerFactory.getLogger(EulerMigration.class);

    private final String peer;
    private final VhostVdpaLink link;
    private final VhostVdpaOffer offer;

    /** The machine is on its way: what it wrote is logged. */
    private boolean moving;

    /** It was said that the machine does not move after all. */
    private boolean cancelled;

    /** What the device was when it last stood still. */
    private @Nullable VendorState left;

    /** What it shall go on with. */
    private @Nullable VendorState arriving;

    /** Whether the device has that. */
    private boolean given;

    EulerMigration(String peer, VhostVdpaLink link, VhostVdpaOffer offer) {
        this.peer = peer;
        this.link = link;
        this.offer = offer;
    }

    private boolean isThere() {
        return offer.deviceBufferByteCount().isPresent();
    }

    // ---- the source ----

    void logging() {
        moving = true;
        cancelled = false;
    }

    /** It stands still: reads its state, where the machine is on its way. */
    void stopped() throws IOException {
        if (!moving || !isThere()) {
            return;
        }
        byte[] data = new byte[byteCount()];
        if (offer.make().isEmpty()) {
            if (data.length > 0) {
                throw new IOException(
                        "%s: it has a state of its own, and no PCI function tells who made it; dirty-log=off moves without"
                                .formatted(peer));
            }
            return;
        }
        if (data.length > 0) {
            link.readDeviceBuffer(0, MemorySegment.ofArray(data));
        }
        left = new VendorState(offer.make(), VERSION, Octets.of(data));
    }

    /** As it is now: devices may have more when they have run. */
    private int byteCount() throws IOException {
        int count = link.deviceBufferByteCount().orElse(-1);
        if (count < 0 || count > VhostVdpaOffer.MAX_DEVICE_BUFFER_BYTES) {
            throw new IOException("%s: the device says that its own state has %s bytes, of %d at most"
                    .formatted(peer, Integer.toUnsignedString(count), VhostVdpaOffer.MAX_DEVICE_BUFFER_BYTES));
        }
        return count;
    }

    /** Null where the machine is not on its way, or the device has no such state. */
    @Nullable
    VendorState left() {
        return left;
    }

    /** The front-end has a device go on that stood still. */
    void goesOn() throws IOException {
        if (left != null) {
            cancel();
        }
    }

    /** @param running whether the device goes on, so that the machine does not move after all */
    void logEnds(boolean running) throws IOException {
        boolean was = moving;
        moving = false;
        if (was && running && !cancelled) {
            cancel();
        }
    }

    private void cancel() throws IOException {
        left = null;
        cancelled = true;
        say(Vhost.EULER_MIG_STATE_CANCEL);
    }

    // ---- the destination ----

    /**
     * What the device shall go on with when it starts next; null for nothing.
     *
     * @throws StateMismatchException where it is of the same make and yet too large for the device
     */
    void arrive(@Nullable VendorState state) throws IOException {
        arriving = null;
        if (state == null || !isThere()) {
            return;
        }
        if (offer.make().isEmpty()
                || !offer.make().equals(state.vendor())
                || !state.version().equals(VERSION)) {
            LOG.info(
                    "{}: made as '{}', it goes without what '{}' ({}) kept for itself",
                    peer,
                    offer.make(),
                    state.vendor(),
                    state.version());
            return;
        }
        int room = byteCount();
        if (state.data().size() > room) {
            throw new StateMismatchException("%s takes %d bytes of its make's own state, and %d came"
                    .formatted(peer, room, state.data().size()));
        }
        arriving = state;
        give(state);
    }

    private void give(VendorState state) throws IOException {
        say(Vhost.EULER_MIG_STATE_PRE_START);
        if (state.data().size() > 0) {
            link.writeDeviceBuffer(0, MemorySegment.ofArray(state.data().toArray()));
        }
        given = true;
    }

    // ---- both ----

    /** The device starts with all its rings. */
    void starts() throws IOException {
        left = null;
        VendorState state = arriving;
        if (state != null && !given) {
            give(state);
        }
    }

    /** It is live. */
    void started() throws IOException {
        if (arriving == null) {
            return;
        }
        arriving = null;
        if (offer.resumes()) {
            link.resume();
        }
        try {
            say(Vhost.EULER_MIG_STATE_POST_START);
        } catch (IOException e) {
            // The machine runs here: there is no way back, and the device serves.
            LOG.error("{}: it does not take the word that the machine has arrived: {}", peer, e.getMessage());
        }
    }

    /** What it was told is gone. */
    void wasReset() {
        given = false;
    }

    /** The guest's driver reset it. */
    void forget() {
        moving = false;
        left = null;
        arriving = null;
    }

    private void say(int state) throws IOException {
        if (isThere() && !link.isToldMigrationState(state)) {
            LOG.debug("{}: its kernel takes no word on migrations", peer);
        }
    }
}
