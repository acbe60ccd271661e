package io.fairlead.kernel.vduse;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.LinuxException;
import io.fairlead.linux.Vduse;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;

/**
 * The VDUSE front-end: presents devices to this host's kernel, each under a name. {@code vdpa dev add name NAME mgmtdev
 * vduse} then makes a vDPA device of it, for the host's own use (virtio_vdpa) or a machine's (vhost_vdpa). Each device has
 * a thread of its own, so that a slow change of one holds up no other. Thread-safe.
 */
public final class VduseFrontEnd implements AutoCloseable {
    /** Also the name of a file. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");

    private static final String CONTROL = "control";

    /** That of virtio's PCI devices. */
    private static final int VENDOR_ID = 0x1af4;

    private static final int QUEUE_ALIGNMENT_BYTES = 4096;

    private static final long WANTED_MESSAGES = 1L << Vduse.VDUSE_F_QUEUE_READY | 1L << Vduse.VDUSE_F_SUSPEND;

    private final Path folder;
    private final List<VduseEndpoint> endpoints = new CopyOnWriteArrayList<>();

    /**
     * @param folder where requests in flight are recorded, made as soon as it is needed: outlives this process, and should
     *     not outlive the host's run
     */
    public VduseFrontEnd(Path folder) {
        this.folder = folder;
    }

    /**
     * Presents a device. Where the kernel has kept one of that name from an earlier process, this goes on with it.
     *
     * @param device used by the front-end alone until the endpoint is closed; stays the caller's
     * @param name in the kernel
     * @throws IllegalArgumentException where VDUSE cannot present the device, or the name is none
     * @throws IOException where the kernel cannot, or the one it kept is another
     */
    public VduseEndpoint serve(VdpaDevice device, String name) throws IOException {
        if (!NAME.matcher(name).matches() || name.equals(CONTROL)) {
            throw new IllegalArgumentException(
                    "%s: vduse: '%s' is not a name of letters, digits, '.', '_' and '-', at most 128"
                            .formatted(device.name(), name));
        }
        VduseOffer offer = VduseOffer.of(device);
        Path recordPath = VduseRecord.path(folder, name);
        try (Fd control = openControl(device)) {
            boolean kept = !removeUnused(control, name);
            if (!kept) {
                create(control, device, name, offer);
            }
            Fd file = open(device, name);
            VduseRecord record = null;
            try {
                if (kept) {
                    requireAlive(device, name, file);
                    record = VduseRecord.open(recordPath, file, device, offer);
                } else {
                    for (int queue = 0; queue < offer.queueCount(); queue++) {
                        Vduse.setupQueue(file, queue, device.maxQueueSize(queue));
                    }
                    record = VduseRecord.create(recordPath, file, device, offer);
                }
                VduseEndpoint endpoint = new VduseEndpoint(
                        device,
                        name,
                        kept,
                        new VduseFile(file, offer.queueCount()),
                        offer,
                        record,
                        recordPath,
                        endpoints::remove);
                endpoints.add(endpoint);
                endpoint.start();
                return endpoint;
            } catch (IOException | RuntimeException e) {
                if (record != null) {
                    record.close();
                }
                file.close();
                if (!kept) {
                    Vduse.destroy(control, name);
                }
                throw e;
            }
        }
    }

    private static Fd openControl(VdpaDevice device) throws IOException {
        try {
            return Vduse.openControl();
        } catch (LinuxException e) {
            throw new IOException(
                    "%s: %s; %s"
                            .formatted(
                                    device.name(),
                                    e.getMessage(),
                                    e.errno() == Errno.EACCES
                                            ? "VDUSE devices are made by root"
                                            : "load the kernel's module: modprobe vduse"),
                    e);
        }
    }

    /** @return false where there is one that is in use */
    private static boolean removeUnused(Fd control, String name) throws IOException {
        try {
            Vduse.destroy(control, name);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                return false;
            }
            if (e.errno() != Errno.EINVAL) {
                throw e;
            }
        }
        return true;
    }

    private static void create(Fd control, VdpaDevice device, String name, VduseOffer offer) throws IOException {
        long version = Math.min(Vduse.apiVersion(control), Vduse.NEWEST_API_VERSION);
        Vduse.apiVersion(control, version);
        long messages = version == 0 ? 0 : Vduse.features(control) & WANTED_MESSAGES;
        if (messages != 0) {
            Vduse.features(control, messages);
        }
        // One group of queues and one address space: more would be for a control queue.
        int groups = version == 0 ? 0 : 1;
        MemorySegment config = MemorySegment.ofArray(new byte[device.configByteCount()]);
        device.readConfig(0, config);
        try {
            Vduse.create(
                    control,
                    new Vduse.Creation(
                            name,
                            VENDOR_ID,
                            device.deviceId(),
                            offer.features(),
                            offer.queueCount(),
                            QUEUE_ALIGNMENT_BYTES,
                            groups,
                            groups,
                            config));
        } catch (LinuxException e) {
            throw new IOException(
                    "%s: %s%s".formatted(device.name(), e.getMessage(), explain(e.errno(), device.deviceId())), e);
        }
    }

    private static String explain(int errno, int deviceId) {
        if (errno == Errno.EINVAL && deviceId == DeviceId.FS) {
            return "; the kernel's VDUSE takes file systems from Linux 7.2 on";
        }
        return errno == Errno.EPERM && deviceId == DeviceId.NET ? "; network cards need CAP_NET_ADMIN" : "";
    }

    private static Fd open(VdpaDevice device, String name) throws IOException {
        try {
            return Vduse.open(name);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                throw new IOException(
                        "%s: VDUSE device %s is served by another process; end that, or choose another name"
                                .formatted(device.name(), name),
                        e);
            }
            throw e;
        }
    }

    private static void requireAlive(VdpaDevice device, String name, Fd file) throws IOException {
        try {
            Vduse.driverFeatures(file);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EPERM) {
                throw new IOException(
                        ("%s: the kernel has given VDUSE device %s up, as nobody answered it in time; end it by 'vdpa dev del"
                                        + " %s' and serve it again")
                                .formatted(device.name(), name, name),
                        e);
            }
            throw e;
        }
    }

    public List<VduseEndpoint> endpoints() {
        return List.copyOf(endpoints);
    }

    /** Closes all endpoints. */
    @Override
    public void close() throws IOException {
        IOException first = null;
        for (VduseEndpoint endpoint : new ArrayList<>(endpoints)) {
            try {
                endpoint.close();
            } catch (IOException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
