package io.fairlead.kernel.vduse;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Vduse;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.Waiting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One device in the kernel. Thread-safe. */
public final class VduseEndpoint implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VduseEndpoint.class);
    private static final long STACK_BYTES = 256 * 1024;

    private final VdpaDevice device;
    private final String name;
    private final boolean taken;
    private final KernelEnd kernel;
    private final VduseRecord record;
    private final Path recordPath;
    private final int queueCount;
    private final VduseSession session;
    private final Consumer<VduseEndpoint> onClose;
    private final Thread thread;
    private volatile @Nullable String lastEnd;
    private boolean closed;

    VduseEndpoint(
            VdpaDevice device,
            String name,
            boolean taken,
            KernelEnd kernel,
            VduseOffer offer,
            VduseRecord record,
            Path recordPath,
            Consumer<VduseEndpoint> onClose)
            throws IOException {
        this.device = device;
        this.name = name;
        this.taken = taken;
        this.kernel = kernel;
        this.record = record;
        this.recordPath = recordPath;
        this.onClose = onClose;
        queueCount = offer.queueCount();
        session = new VduseSession(device, kernel, offer, record);
        thread = Thread.ofPlatform()
                .daemon()
                .name("fairlead-vduse-" + name)
                .stackSize(STACK_BYTES)
                .unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    private void run() {
        String reason = session.run();
        lastEnd = reason;
        if (session.isShutDown()) {
            LOG.info("{}: VDUSE session ended: {}", device.name(), reason);
        } else {
            LOG.error("{}: VDUSE device {} is served no longer: {}", device.name(), name, reason);
        }
    }

    public VdpaDevice device() {
        return device;
    }

    /** The name in the kernel, of the VDUSE device and of the vDPA device that is made of it. */
    public String name() {
        return name;
    }

    /** How many of the device's queues the kernel has, the first ones. */
    public int queueCount() {
        return queueCount;
    }

    /** Whether the kernel had kept the device from an earlier process. */
    public boolean isTakenUp() {
        return taken;
    }

    /** Whether a driver uses the device. */
    public boolean isStarted() {
        return session.isStarted();
    }

    /** Why the kernel is served no longer; null while it is. */
    public @Nullable String lastEnd() {
        return lastEnd;
    }

    /**
     * Stops serving. Without a vDPA device that uses it, the device leaves the kernel; else the kernel keeps it, its driver
     * waits, and a process that serves the same name goes on. Again: no effect.
     */
    @Override
    public void close() throws IOException {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        session.shutdown();
        Waiting.join(thread);
        session.close();
        kernel.close();
        record.close();
        onClose.accept(this);
        try (Fd control = Vduse.openControl()) {
            Vduse.destroy(control, name);
            Files.deleteIfExists(recordPath);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EBUSY) {
                throw e;
            }
            LOG.warn(
                    "{}: the kernel keeps VDUSE device {}, as a vDPA device uses it, whose driver waits: serve it again, or end"
                            + " it by 'vdpa dev del {}'",
                    device.name(),
                    name,
                    name);
        }
    }
}
