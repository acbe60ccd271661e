package io.fairlead.kernel.vhostvdpa;

import io.fairlead.vdpa.Departure;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VendorState;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a device is to be, as driver and front-end settled it, and the kernel's device that is to do it. The kernel takes
 * rings only before DRIVER_OK, all at a time; a front-end starts and stops them one by one. So the device goes live when the
 * driver says DRIVER_OK (or with the first ring, where the front-end writes no status), and where the rings that run are to
 * be others, it is stopped where it stands, reset, and set up again.
 *
 * <p>Everything under this object's lock but what says that it needs none.
 */
final class VhostVdpaControl {
    private static final Logger LOG = LoggerFactory.getLogger(VhostVdpaControl.class);

    final String name;
    final VhostVdpaSettings settings;
    final List<VhostVdpaQueue> queues;
    final AtomicInteger status = new AtomicInteger();
    final AtomicInteger generation = new AtomicInteger();
    volatile @Nullable DeviceListener listener;
    volatile long driverFeatures;
    volatile VhostVdpaOffer offer;
    byte[] config;
    boolean suspended;
    boolean closed;

    /** Something else serves the driver while the device is gone. */
    private volatile boolean replaced;

    private final VhostCalls.Opener opener;
    private final DeviceWatch watch;
    private final PinLimit limit;

    /** Null while the device is gone. */
    private @Nullable OpenDevice open;

    private MemoryTable table = new MemoryTable(List.of());
    private @Nullable SharedDirtyLog log;

    VhostVdpaControl(
            String name, VhostVdpaSettings settings, VhostCalls.Opener opener, DeviceWatch watch, PinLimit limit)
            throws IOException {
        this.name = name;
        this.settings = settings;
        this.opener = opener;
        this.watch = watch;
        this.limit = limit;
        VhostVdpaLink first = link();
        try {
            offer = VhostVdpaOffer.discover(first);
            queues = DriverView.queues(settings, offer);
            config = config(first);
            take(first, offer);
        } catch (IOException | RuntimeException e) {
            first.close();
            throw e;
        }
    }

    private VhostVdpaLink link() throws IOException {
        Path file = opener.find(settings.path());
        return new VhostVdpaLink(opener.open(file), file);
    }

    /** The device's file, as long as it is there; then what it was called by. */
    synchronized Path file() {
        return open == null ? settings.path() : open.link().path();
    }

    /** What a driver is offered. */
    long offeredFeatures() {
        return DriverView.features(settings, offer, queues.size());
    }

    /** Reads the configuration space as a driver has to see it. */
    byte[] config(VhostVdpaLink source) throws IOException {
        return DriverView.config(source, offer, queues.size());
    }

    /** The device and its file, for messages. */
    String peer() {
        return "%s (%s)".formatted(name, settings.path());
    }

    boolean packed() {
        return Feature.has(driverFeatures, Feature.RING_PACKED);
    }

    synchronized boolean isThere() {
        return open != null;
    }

    // ---- the device comes and goes ----

    /** A device that was just opened is the one from now on; where that fails, its link stays the caller's. */
    private void take(VhostVdpaLink next, VhostVdpaOffer found) throws IOException {
        DeviceWatch.Watched events = watch.watch(next.path(), new DeviceWatch.Events() {
            @Override
            public void configChanged() {
                configChangedAt(next);
            }

            @Override
            public void ringError() {
                needsReset("the kernel says that a ring is in error");
            }

            @Override
            public void removed() {
                takenAway(next);
            }
        });
        OpenDevice made = new OpenDevice(peer(), next, found, new GuestMappings(peer(), next, found, limit), events);
        try {
            made.memory(table);
        } catch (IOException | RuntimeException e) {
            made.close();
            throw e;
        }
        open = made;
        offer = found;
    }

    /** Sets NEEDS_RESET and tells the listener; the first cause counts. Needs no lock. */
    void needsReset(String reason) {
        int before = status.getAndUpdate(bits -> bits | DeviceStatus.DEVICE_NEEDS_RESET);
        if (!DeviceStatus.has(before, DeviceStatus.DEVICE_NEEDS_RESET)) {
            LOG.error("{}: stopped until the driver resets it: {}", peer(), reason);
            DeviceListener told = listener;
            if (told != null) {
                told.needsReset(reason);
            }
        }
    }

    /** The configuration interrupt, which may also mean that the device gave up. */
    private void configChangedAt(VhostVdpaLink source) {
        boolean gaveUp;
        synchronized (this) {
            OpenDevice device = open;
            if (device == null || device.link() != source) {
                return;
            }
            try {
                gaveUp = device.isLive() && DeviceStatus.has(source.status(), DeviceStatus.DEVICE_NEEDS_RESET);
            } catch (IOException e) {
                LOG.warn("{}: {}", peer(), e.getMessage());
                gaveUp = false;
            }
        }
        if (gaveUp) {
            needsReset("the device says that it needs a reset");
            return;
        }
        generation.incrementAndGet();
        DeviceListener told = listener;
        if (told != null) {
            told.configChanged();
        }
    }

    /** The kernel waits for us to close the file; until then the device serves. */
    private void takenAway(VhostVdpaLink leaving) {
        String reason = "%s is being taken away".formatted(leaving.path());
        if (!isOpen(leaving)) {
            return;
        }
        if (!isTold(new LeavingDevice(reason, true, () -> forget(leaving, reason)))) {
            lose(leaving, "it was taken away");
        }
    }

    private boolean isTold(Departure departure) {
        DeviceListener told = listener;
        replaced = told != null && told.leaving(departure);
        return replaced;
    }

    private synchronized boolean isOpen(VhostVdpaLink link) {
        return open != null && open.link() == link;
    }

    private record LeavingDevice(String reason, boolean serves, Runnable end) implements Departure {
        @Override
        public void letGo() {
            end.run();
        }
    }

    /** The device is of no more use. */
    void lose(VhostVdpaLink lost, String cause) {
        if (!isOpen(lost)) {
            return;
        }
        forget(lost, cause);
        String reason = "%s is gone: %s".formatted(lost.path(), cause);
        if (!isTold(new LeavingDevice(reason, false, () -> {}))) {
            needsReset(reason);
        }
    }

    /** Closes the file, for which the kernel may be waiting. */
    private void forget(VhostVdpaLink lost, String reason) {
        synchronized (this) {
            OpenDevice device = open;
            if (device == null || device.link() != lost) {
                return;
            }
            LOG.warn("{}: closed: {}", peer(), reason);
            open = null;
            device.close();
            for (VhostVdpaQueue queue : queues) {
                if (queue.running) {
                    queue.running = false;
                    queue.state(stateInRing(queue));
                }
            }
            if (log != null) {
                // What it wrote last nobody can say.
                SharedDirtyLog all = log;
                table.regions().forEach(region -> all.mark(region.guestAddress(), region.byteCount()));
            }
        }
    }

    /** Without the device: all that the ring shows. */
    private @Nullable QueueState stateInRing(VhostVdpaQueue queue) {
        if (packed()) {
            return queue.state();
        }
        try {
            int used = UsedIndex.read(queue, table.memory());
            return new QueueState.Split(used, used);
        } catch (GuestFaultException | InternalError e) {
            return queue.state();
        }
    }

    /** Looks for a device that went; it has to be as it was. */
    private void seek() throws IOException {
        VhostVdpaLink next;
        try {
            next = link();
        } catch (IOException e) {
            throw new IOException("%s is still gone: %s".formatted(peer(), e.getMessage()), e);
        }
        try {
            VhostVdpaOffer found = VhostVdpaOffer.discover(next);
            if (!offer.isMatchedBy(found)) {
                throw new IOException("%s came back as another: %s, not %s".formatted(peer(), found, offer));
            }
            take(next, found);
            config = config(next);
        } catch (IOException | RuntimeException e) {
            next.close();
            throw e;
        }
        LOG.info("{}: back again", peer());
    }

    /** Something that speaks to the device. */
    interface Step {
        void on(OpenDevice device) throws IOException;
    }

    /** Does it where the device is there; one that turns out to be gone is contained, as NEEDS_RESET. */
    void tell(Step step) throws IOException {
        OpenDevice current = open;
        if (current == null) {
            return;
        }
        try {
            step.on(current);
        } catch (IOException e) {
            if (!VhostVdpaLink.isGone(e)) {
                throw e;
            }
            lose(current.link(), String.valueOf(e.getMessage()));
        }
    }

    // ---- starting and stopping ----

    private boolean isLive() {
        return open != null && open.isLive();
    }

    /** A front-end with a status says so when the driver negotiates; others never do. */
    private boolean driverIsOk() {
        int bits = status.get();
        return DeviceStatus.has(bits, DeviceStatus.DRIVER_OK) || !DeviceStatus.has(bits, DeviceStatus.FEATURES_OK);
    }

    /** Goes live where all is there for it. */
    private void startWhenDue() throws IOException {
        if (!isLive() && !suspended && driverIsOk() && queues.stream().anyMatch(queue -> queue.ready())) {
            tell(this::start);
        }
    }

    private void start(OpenDevice device) throws IOException {
        try {
            device.start(queues, driverFeatures, table);
        } catch (IOException | RuntimeException e) {
            queues.forEach(queue -> queue.running = false);
            throw e;
        }
    }

    private void reset(OpenDevice device) throws IOException {
        queues.forEach(queue -> queue.running = false);
        device.reset();
    }

    /**
     * Stops all rings where they stand and resets the device.
     *
     * @throws UnsupportedOperationException where it cannot be stopped; all goes on
     */
    private void halt(OpenDevice device) throws IOException {
        if (!offer.suspends()) {
            requireUntouched();
        } else if (!suspended) {
            suspend(device);
        }
        reset(device);
    }

    private void suspend(OpenDevice device) throws IOException {
        try {
            device.suspend(queues, table.memory());
        } catch (IOException e) {
            if (!offer.resumes()) {
                needsReset("it was suspended and cannot go on: " + e.getMessage());
            }
            throw e;
        }
    }

    /** Without suspend: only rings that the device has answered nothing of can be begun again. */
    private void requireUntouched() {
        for (VhostVdpaQueue queue : queues) {
            if (queue.running && !isUntouched(queue)) {
                throw new UnsupportedOperationException(
                        "%s: the device cannot be suspended, so no queue can be started or stopped while queue %d runs"
                                .formatted(peer(), queue.index()));
            }
        }
    }

    private boolean isUntouched(VhostVdpaQueue queue) {
        try {
            return !packed() && UsedIndex.read(queue, table.memory()) == 0;
        } catch (GuestFaultException | InternalError e) {
            return false;
        }
    }

    // ---- what front-ends ask ----

    /** No queue is ready: another choice than the device was told means another start. */
    void features(long features) throws IOException {
        tell(this::reset);
        driverFeatures = features;
    }

    void status(int bits) throws IOException {
        int before = status.get();
        boolean agreed = true;
        if (DeviceStatus.has(bits, DeviceStatus.FEATURES_OK) && !DeviceStatus.has(before, DeviceStatus.FEATURES_OK)) {
            agreed = agrees();
        }
        int kept = agreed ? bits : bits & ~(DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK);
        status.updateAndGet(old -> kept | (old & DeviceStatus.DEVICE_NEEDS_RESET));
        startWhenDue();
    }

    private boolean agrees() throws IOException {
        if (!Feature.has(driverFeatures, Feature.VERSION_1) && Feature.has(offeredFeatures(), Feature.VERSION_1)) {
            // A front-end that says FEATURES_OK before it has told the features; what comes then is judged at the
            // start.
            return true;
        }
        try {
            tell(device -> device.negotiate(driverFeatures));
            return true;
        } catch (IOException e) {
            LOG.warn("{}", e.getMessage());
            return false;
        }
    }

    /** A queue is ready: it starts now, or when the driver is. */
    void started(VhostVdpaQueue queue) throws IOException {
        requireStartable(queue);
        tell(device -> device.migration().goesOn());
        if (!isLive() || suspended) {
            queue.ready(true);
            try {
                startWhenDue();
            } catch (IOException | RuntimeException e) {
                queue.ready(false);
                throw e;
            }
            return;
        }
        tell(this::halt);
        queue.ready(true);
        try {
            tell(this::start);
        } catch (IOException | RuntimeException e) {
            queue.ready(false);
            tell(this::start);
            throw e;
        }
    }

    /** @throws UnsupportedOperationException where the device cannot go on where the queue stands */
    private void requireStartable(VhostVdpaQueue queue) {
        QueueState state = queue.stateFor(packed());
        if (!offer.tellsStates() && !state.equals(QueueState.initial(packed()))) {
            throw new UnsupportedOperationException(
                    "%s: the device starts queues at their beginning only, not at %s".formatted(peer(), state));
        }
        if (state instanceof QueueState.Split split && split.availableIndex() != split.usedIndex()) {
            throw new UnsupportedOperationException(
                    "%s: the device cannot take requests over that were under way: %s".formatted(peer(), state));
        }
    }

    /** A queue is not ready any more; the others go on. */
    void stopped(VhostVdpaQueue queue) throws IOException {
        if (queue.running) {
            tell(this::halt);
        }
        queue.ready(false);
        startWhenDue();
    }

    void suspend() throws IOException {
        if (isLive()) {
            tell(this::suspend);
        }
        suspended = true;
    }

    void resume() throws IOException {
        suspended = false;
        tell(device -> device.migration().goesOn());
        if (!isLive()) {
            startWhenDue();
        } else if (offer.resumes()) {
            tell(device -> device.resume(queues));
        } else {
            tell(device -> {
                reset(device);
                start(device);
            });
        }
    }

    void memory(MemoryTable next) throws IOException {
        tell(device -> device.memory(next));
        next.memory().retain();
        table.memory().release();
        table = next;
    }

    void kick(VhostVdpaQueue queue) throws IOException {
        if (queue.running) {
            tell(device -> device.link().kick(queue.index(), queue.kick()));
        }
    }

    void call(VhostVdpaQueue queue) throws IOException {
        if (queue.running) {
            tell(device -> device.link().call(queue.index(), queue.call()));
        }
    }

    void reset() throws IOException {
        boolean gone = open == null;
        tell(OpenDevice::endLog);
        log = null;
        tell(this::reset);
        tell(device -> device.migration().forget());
        queues.forEach(VhostVdpaQueue::reset);
        driverFeatures = 0;
        suspended = false;
        status.set(0);
        if (gone && !closed) {
            try {
                seek();
                replaced = false;
            } catch (IOException e) {
                if (replaced) {
                    LOG.info("{}", e.getMessage());
                    status.set(DeviceStatus.DEVICE_NEEDS_RESET);
                } else {
                    needsReset(String.valueOf(e.getMessage()));
                }
            }
        }
    }

    // ---- migration ----

    Optional<VendorState> vendorState() {
        return Optional.ofNullable(open).map(device -> device.migration().left());
    }

    void vendorState(@Nullable VendorState state) throws IOException {
        tell(device -> device.migration().arrive(state));
    }

    boolean logs() {
        return settings.dirtyLog() && offer.logs();
    }

    void dirtyLog(@Nullable SharedDirtyLog next) throws IOException {
        tell(OpenDevice::endLog);
        if (next == null) {
            tell(device -> device.migration().logEnds(device.isLive() && !suspended));
        }
        log = next;
        if (next != null) {
            tell(device -> device.log(next));
        }
    }

    /** Takes what the device wrote into the log, where there is one. */
    void pullLog() throws IOException {
        tell(OpenDevice::pullLog);
    }

    synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            reset();
        } finally {
            if (open != null) {
                open.close();
                open = null;
            }
            queues.forEach(VhostVdpaQueue::closeDescriptors);
            table.memory().release();
        }
    }
}
