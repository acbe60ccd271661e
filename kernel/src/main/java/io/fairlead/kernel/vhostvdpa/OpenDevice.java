package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One open device of the kernel: features, rings and status as they are told to it, in the order that drivers/vhost/vdpa.c
 * wants. The kernel takes rings only before DRIVER_OK, all at a time.
 *
 * <p>Under the device's lock.
 */
final class OpenDevice implements AutoCloseable {
    private static final int ADDRESS_SPACE = 0;
    private static final Duration CONTROL_PATIENCE = Duration.ofSeconds(10);
    private static final int BEGUN = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;

    private final String peer;
    private final VhostVdpaLink link;
    private final VhostVdpaOffer offer;
    private final GuestMappings mappings;
    private final DeviceWatch.Watched watched;
    private final EulerMigration migration;
    private @Nullable EulerLog log;

    /** There once the driver took several pairs of queues. */
    private @Nullable ControlQueue control;

    /** What it was told of its features, without VHOST_F_LOG_ALL. */
    private long features;

    /** The device's own status, as far as it was written. */
    private int written;

    /** Whether it may use its rings: DRIVER_OK. */
    private boolean live;

    OpenDevice(
            String peer,
            VhostVdpaLink link,
            VhostVdpaOffer offer,
            GuestMappings mappings,
            DeviceWatch.Watched watched) {
        this.peer = peer;
        this.link = link;
        this.offer = offer;
        this.mappings = mappings;
        this.watched = watched;
        migration = new EulerMigration(peer, link, offer);
    }

    VhostVdpaLink link() {
        return link;
    }

    EulerMigration migration() {
        return migration;
    }

    boolean isLive() {
        return live;
    }

    /** Maps the guest's memory, as far as it differs from what is mapped. */
    void memory(MemoryTable table) throws IOException {
        if (control != null) {
            ControlQueue.requireFree(peer, offer, table);
        }
        mappings.replace(table);
    }

    // ---- going live ----

    /**
     * Agrees on features, where it has not yet.
     *
     * @throws IOException where the device refuses them
     */
    void negotiate(long driverFeatures) throws IOException {
        if (DeviceStatus.has(written, DeviceStatus.FEATURES_OK)) {
            return;
        }
        begin();
        features = driverFeatures | offer.ownFeatures(driverFeatures);
        try {
            link.features(features);
            write(BEGUN | DeviceStatus.FEATURES_OK);
            if (!DeviceStatus.has(link.status(), DeviceStatus.FEATURES_OK)) {
                throw new IOException("it took FEATURES_OK back");
            }
        } catch (IOException e) {
            if (VhostVdpaLink.isGone(e)) {
                throw e;
            }
            reset();
            throw new IOException(
                    "%s: the device refuses features 0x%x: %s".formatted(peer, features, e.getMessage()), e);
        }
        if (log != null) {
            link.features(features | Feature.VHOST_LOG_ALL);
        }
    }

    private void begin() throws IOException {
        if (written != 0) {
            reset();
        }
        write(DeviceStatus.ACKNOWLEDGE);
        write(BEGUN);
    }

    private void write(int bits) throws IOException {
        link.status(bits);
        written = bits;
    }

    /** Goes live with the queues that are ready; where it does not, it is reset. */
    void start(List<VhostVdpaQueue> queues, long driverFeatures, MemoryTable table) throws IOException {
        try {
            negotiate(driverFeatures);
            goLive(queues.stream().filter(queue -> queue.ready()).toList(), table);
        } catch (IOException | RuntimeException e) {
            if (!(e instanceof IOException io && VhostVdpaLink.isGone(io))) {
                reset();
            }
            throw e;
        }
    }

    private void goLive(List<VhostVdpaQueue> ready, MemoryTable table) throws IOException {
        mappings.replace(table);
        migration.starts();
        ControlQueue ofPairs = control(table);
        for (int group = 0; offer.addressSpaceCount() > 1 && group < offer.groupCount(); group++) {
            boolean controls =
                    ofPairs != null && offer.groups().get(offer.controlQueue()).orElse(-1) == group;
            link.groupAddressSpace(group, controls ? offer.controlAddressSpace() : ADDRESS_SPACE);
        }
        link.configCall(watched.config());
        for (VhostVdpaQueue queue : ready) {
            setUp(queue, watched.error());
        }
        for (VhostVdpaQueue queue : ready) {
            link.enable(queue.index(), true);
        }
        if (ofPairs != null) {
            ofPairs.setUp(features);
        }
        write(written | DeviceStatus.DRIVER_OK);
        int now = link.status();
        if (!DeviceStatus.has(now, DeviceStatus.DRIVER_OK) || DeviceStatus.has(now, DeviceStatus.DEVICE_NEEDS_RESET)) {
            throw new IOException(
                    "%s: the device does not go live: its status is %s; the kernel's log may say why (vp_vdpa needs an interrupt vector for each queue and one more)"
                            .formatted(peer, DeviceStatus.describe(now)));
        }
        live = true;
        migration.started();
        if (ofPairs != null) {
            ofPairs.begin();
            int pairs = pairs(ready);
            // After a reset it is one.
            if (pairs > 1) {
                ofPairs.queuePairs(pairs);
            }
        }
        for (VhostVdpaQueue queue : ready) {
            queue.running = true;
            link.kick(queue.index(), queue.kick());
            wake(queue);
        }
    }

    /** What tells the device how many pairs of queues run; null where it has one. */
    private @Nullable ControlQueue control(MemoryTable table) throws IOException {
        if (!Feature.has(features, NetConfig.F_CTRL_VQ)) {
            return null;
        }
        ControlQueue.requireFree(peer, offer, table);
        ControlQueue known = control;
        if (known == null) {
            known = new ControlQueue(peer, link, offer, CONTROL_PATIENCE);
            control = known;
        }
        return known;
    }

    /** Pairs that run whole, from the first on. */
    private static int pairs(List<VhostVdpaQueue> ready) {
        BitSet indices = new BitSet();
        ready.forEach(queue -> indices.set(queue.index()));
        return indices.nextClearBit(0) / 2;
    }

    private void setUp(VhostVdpaQueue queue, EventFd error) throws IOException {
        link.size(queue.index(), queue.size());
        link.addresses(
                queue.index(),
                queue.setup().descriptorAddress(),
                queue.setup().driverAddress(),
                queue.setup().deviceAddress());
        // Devices that cannot be told are where a reset leaves them.
        if (offer.tellsStates()) {
            link.base(queue.index(), queue.stateFor(packed()).vringBase());
        }
        link.call(queue.index(), queue.call());
        link.error(queue.index(), error);
    }

    private boolean packed() {
        return Feature.has(features, Feature.RING_PACKED);
    }

    /** A ring is looked at when it starts, whether its driver kicked or not. */
    private static void wake(VhostVdpaQueue queue) {
        EventFd kick = queue.kick();
        if (kick != null) {
            kick.signal();
        }
    }

    // ---- stopping ----

    /** Resets it; it forgets its rings, and what it has mapped where it does not keep that. */
    void reset() throws IOException {
        if (written == 0) {
            return;
        }
        // First: a device that runs looks at its rings, and must not find them gone.
        write(0);
        live = false;
        migration.wasReset();
        if (!offer.keepsMappings()) {
            mappings.clear();
            if (control != null) {
                control.unmap();
            }
        }
    }

    /** Stops where it stands, and says where its queues stand. Where that fails it goes on. */
    void suspend(List<VhostVdpaQueue> queues, GuestMemory memory) throws IOException {
        if (!DeviceStatus.has(link.status(), DeviceStatus.DRIVER_OK)) {
            // The kernel would say that it is suspended.
            throw new IOException("%s: the device lost its status and cannot be suspended".formatted(peer));
        }
        link.suspend();
        try {
            for (VhostVdpaQueue queue : queues) {
                if (queue.running) {
                    queue.state(QueueState.ofVringBase(link.base(queue.index()), packed()));
                    requireAnswered(queue, memory);
                }
            }
            pullLog();
            migration.stopped();
        } catch (IOException | RuntimeException e) {
            if (offer.resumes()) {
                link.resume();
            }
            throw e;
        }
    }

    /** A disk that was suspended has to have answered what it took: the kernel's interface has no word for the rest. */
    private void requireAnswered(VhostVdpaQueue queue, GuestMemory memory) throws IOException {
        if (offer.deviceId() != DeviceId.BLOCK || !(queue.state() instanceof QueueState.Split split)) {
            return;
        }
        int used;
        try {
            used = UsedIndex.read(queue, memory);
        } catch (GuestFaultException | InternalError e) {
            throw new IOException("%s: queue %d: %s".formatted(peer, queue.index(), e.getMessage()), e);
        }
        if (used != split.usedIndex()) {
            throw new IOException("%s: suspended with %d requests of queue %d unanswered"
                    .formatted(peer, (split.usedIndex() - used) & 0xffff, queue.index()));
        }
    }

    /** Goes on after {@link #suspend}, where the kernel can. */
    void resume(List<VhostVdpaQueue> queues) throws IOException {
        link.resume();
        queues.stream().filter(queue -> queue.running).forEach(OpenDevice::wake);
    }

    // ---- dirty log ----

    /** Has it log what it writes; until {@link #endLog}. */
    void log(SharedDirtyLog target) throws IOException {
        log = new EulerLog(link, offer.byteLog(), target);
        migration.logging();
        if (DeviceStatus.has(written, DeviceStatus.FEATURES_OK)) {
            link.features(features | Feature.VHOST_LOG_ALL);
        }
    }

    void endLog() throws IOException {
        EulerLog old = log;
        log = null;
        if (old != null) {
            try (old) {
                if (DeviceStatus.has(written, DeviceStatus.FEATURES_OK)) {
                    link.features(features);
                }
            }
        }
    }

    /** Takes what the device wrote into the log, where there is one. */
    void pullLog() throws IOException {
        if (log != null) {
            log.pull();
        }
    }

    /** Closes the device's file, for which the kernel may be waiting; the kernel resets it. */
    @Override
    public void close() {
        watched.close();
        link.close();
        mappings.forget();
        if (control != null) {
            control.close();
            control = null;
        }
        if (log != null) {
            log.close();
            log = null;
        }
        live = false;
    }
}
