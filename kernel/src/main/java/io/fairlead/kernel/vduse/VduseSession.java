package io.fairlead.kernel.vduse;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.VduseRequest;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.GuestFaultException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel at one device: translates VDUSE's messages into the device contract. The kernel waits for each answer, and
 * after 30 s (its {@code msg_timeout}) gives the device up; what takes long here is only what the contract makes wait, for
 * requests in flight.
 *
 * <p>Goes on where an earlier process of this device was, by its record. Runs on one thread of its own; only {@link
 * #shutdown} and the device's listener come from others.
 */
final class VduseSession implements DeviceListener, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VduseSession.class);

    private static final long KERNEL = 0;
    private static final long WAKE_UP = 1;

    private final VdpaDevice device;
    private final KernelEnd kernel;
    private final VduseOffer offer;
    private final VduseRecord record;
    private final VduseQueues queues;
    private final IovaMemory memory;
    private final Epoll epoll;
    private final EventFd wakeUp;
    private volatile boolean configDue;
    private volatile boolean closing;
    private volatile int status;

    /** All stays the caller's. */
    VduseSession(VdpaDevice device, KernelEnd kernel, VduseOffer offer, VduseRecord record) throws IOException {
        this.device = device;
        this.kernel = kernel;
        this.offer = offer;
        this.record = record;
        queues = new VduseQueues(device, kernel, record, offer.queueCount());
        memory = new IovaMemory(device, kernel);
        epoll = Epoll.create("VDUSE device of " + device.name());
        wakeUp = EventFd.create("wake-up of the VDUSE device of " + device.name());
        epoll.add(kernel.events().raw(), Epoll.EPOLLIN, KERNEL);
        epoll.add(wakeUp.raw(), Epoll.EPOLLIN, WAKE_UP);
    }

    /** Whether a driver uses the device. Any thread. */
    boolean isStarted() {
        return DeviceStatus.has(status, DeviceStatus.DRIVER_OK);
    }

    /**
     * Serves the kernel until it has given the device up or {@link #shutdown}. Then the queues have stopped so that another
     * process can go on with them.
     *
     * @return why it ended, for log and operator
     */
    String run() {
        String reason;
        try {
            device.listener(this);
            reason = serve();
        } catch (IOException e) {
            reason = String.valueOf(e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.error("{}: the VDUSE session failed", device.name(), e);
            reason = "internal error: " + e;
        }
        release();
        return reason;
    }

    private String serve() throws IOException {
        goOn();
        publishConfig();
        while (true) {
            int count = epoll.await(-1);
            for (int i = 0; i < count; i++) {
                if (epoll.token(i) == WAKE_UP) {
                    wakeUp.drain();
                } else if ((epoll.events(i) & (Epoll.EPOLLERR | Epoll.EPOLLHUP)) != 0) {
                    return "the kernel has given the device up, as a message was not answered in time; end it by 'vdpa dev"
                            + " del' and serve it again";
                }
            }
            if (closing) {
                return "closed";
            }
            if (configDue) {
                configDue = false;
                publishConfig();
            }
            for (VduseRequest request = kernel.receive(); request != null; request = kernel.receive()) {
                handle(request);
            }
        }
    }

    /** Takes up what an earlier process left. */
    private void goOn() throws IOException {
        int recorded = record.status();
        if (recorded == 0) {
            record.reset();
            return;
        }
        LOG.info("{}: goes on at {}", device.name(), DeviceStatus.describe(recorded));
        boolean running = DeviceStatus.has(recorded, DeviceStatus.DRIVER_OK) && !record.isSuspended();
        try {
            takeStatus(recorded, running);
            status = recorded;
        } catch (GuestFaultException e) {
            LOG.error("{}: it cannot go on: {}", device.name(), e.getMessage());
        }
        if (running) {
            queues.signalAll();
        }
    }

    private void handle(VduseRequest request) throws IOException {
        LOG.debug("{}: {}", device.name(), request);
        boolean wasStarted = isStarted();
        boolean done = false;
        try {
            if (request instanceof VduseRequest.GetQueueState asked && queues.has(asked.queue())) {
                long state = queues.state(asked.queue());
                kernel.answerState(asked.id(), asked.queue(), state);
                return;
            }
            done = perform(request);
        } catch (GuestFaultException | IOException e) {
            LOG.error("{}: {} failed: {}", device.name(), request, e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("{}: {} failed", device.name(), request, e);
        }
        kernel.answer(request.id(), done);
        if (!wasStarted && isStarted()) {
            queues.signalAll();
        }
    }

    private boolean perform(VduseRequest request) throws IOException, GuestFaultException {
        return switch (request) {
            case VduseRequest.SetStatus set -> setStatus(set.status());
            case VduseRequest.UpdateIotlb _ -> updateMemory();
            // There is one of each.
            case VduseRequest.SetGroupAddressSpace set -> set.group() == 0 && set.addressSpace() == 0;
            case VduseRequest.SetQueueReady set -> queues.has(set.queue()) && setReady(set.queue(), set.ready());
            case VduseRequest.Suspend _ -> suspend();
            case VduseRequest.GetQueueState _, VduseRequest.Unknown _ -> {
                LOG.warn("{}: the kernel's {} is not understood", device.name(), request);
                yield false;
            }
        };
    }

    // ---- status ----

    private boolean setStatus(int value) throws IOException, GuestFaultException {
        if (value == 0) {
            reset();
            return true;
        }
        boolean taken = takeStatus(value, DeviceStatus.has(value, DeviceStatus.DRIVER_OK) && !record.isSuspended());
        if (taken) {
            status = value;
            record.status(value);
        }
        return taken;
    }

    /** @return false where the device does not take the driver's features */
    private boolean takeStatus(int value, boolean start) throws IOException, GuestFaultException {
        if (DeviceStatus.has(value, DeviceStatus.FEATURES_OK) && !DeviceStatus.has(status, DeviceStatus.FEATURES_OK)) {
            long features = kernel.driverFeatures();
            long surplus = features & ~offer.features();
            if (surplus != 0) {
                throw new GuestFaultException("features 0x%x were not offered".formatted(surplus));
            }
            device.driverFeatures(VduseOffer.ofDevice(features));
        }
        if (start && !isStarted()) {
            memory.refresh();
            queues.startReady();
        }
        device.status(value & ~DeviceStatus.DEVICE_NEEDS_RESET);
        return !DeviceStatus.has(value, DeviceStatus.FEATURES_OK)
                || DeviceStatus.has(device.status(), DeviceStatus.FEATURES_OK);
    }

    private void reset() throws IOException {
        device.reset();
        queues.forget();
        memory.clear();
        record.reset();
        status = 0;
        publishConfig();
    }

    // ---- memory and queues ----

    private boolean updateMemory() throws IOException {
        // Before that nothing looks at it.
        if (isStarted()) {
            memory.refresh();
        }
        return true;
    }

    private boolean setReady(int queue, boolean ready) throws IOException, GuestFaultException {
        if (!ready) {
            queues.stop(queue);
        } else if (isStarted()) {
            queues.start(queue);
        }
        return true;
    }

    private boolean suspend() throws IOException {
        if (!isStarted()) {
            return true;
        }
        boolean suspended = queues.suspend();
        if (!suspended) {
            LOG.warn("{}: not suspended, since requests in flight do not end; it goes on", device.name());
        }
        return suspended;
    }

    // ---- up to the driver ----

    private void publishConfig() throws IOException {
        int byteCount = device.configByteCount();
        if (byteCount > 0) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[byteCount]);
            device.readConfig(0, bytes);
            kernel.config(bytes);
            kernel.configInterrupt();
        }
    }

    @Override
    public void configChanged() {
        configDue = true;
        wake();
    }

    @Override
    public void needsReset(String reason) {
        LOG.error(
                "{}: VDUSE has no way to tell the driver that the device needs a reset; unbind its vDPA device from its"
                        + " driver, and bind it again",
                device.name());
    }

    // ---- the end ----

    /** Whether it was to end. Any thread. */
    boolean isShutDown() {
        return closing;
    }

    /** Ends {@link #run} soon. Any thread. */
    void shutdown() {
        closing = true;
        wake();
    }

    private synchronized void wake() {
        if (wakeUp.fd().isOpen()) {
            wakeUp.signal();
        }
    }

    private void release() {
        status = 0;
        List<AutoCloseable> steps =
                List.of(() -> device.listener(null), queues::leave, device::reset, queues::forget, memory::clear);
        for (AutoCloseable step : steps) {
            try {
                step.close();
            } catch (Exception e) {
                LOG.warn("{}: while ending a VDUSE session: {}", device.name(), e.getMessage());
            }
        }
    }

    @Override
    public synchronized void close() {
        epoll.close();
        wakeUp.close();
    }
}
