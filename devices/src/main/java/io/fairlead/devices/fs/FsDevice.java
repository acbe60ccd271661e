package io.fairlead.devices.fs;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.devices.base.WorkerPool;
import io.fairlead.linux.Self;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.FsConfig;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * A folder of the host in the guest, by FUSE over virtio (virtio 1.4, 5.11). Queue 0 is for requests that go ahead of
 * others, the rest are request queues.
 *
 * <p>A request cannot be done twice (a second mkdir finds the folder): a queue that stops answers all that it began, but for
 * those that wait for a lock, which it leaves in flight.
 */
public final class FsDevice extends SoftwareDevice {
    /** Requests of one device that wait for the host at a time. */
    private static final int MAX_WORKERS = 32;

    /** Descriptors that are for the rest of the process. */
    private static final int OTHER_DESCRIPTORS = 4096;

    /** One part in so many of the descriptors that the process may have is for files that are known and not open. */
    private static final int SHARE = 8;

    private final FsExport export;
    private final FsService service;
    private final WorkerPool workers;
    private final EventLoopGroup loops;
    private final Map<String, String> identity;

    private FsDevice(String name, FsSettings settings, FsExport export, EventLoopGroup loops) {
        super(
                name,
                DeviceId.FS,
                RING_FEATURES & settings.rings().features(),
                1 + settings.queueCount(),
                settings.rings().queueSize(),
                config(settings),
                loops);
        this.export = export;
        this.loops = loops;
        service = new FsService(export);
        workers = new WorkerPool(name, MAX_WORKERS);
        identity = Map.of("tag", settings.tag(), "export", ExportId.of(settings));
    }

    /**
     * Opens the folder and makes the device.
     *
     * @throws IOException where the folder is unfit; says why
     */
    static FsDevice create(String name, FsSettings settings) throws IOException {
        long wanted = (long) settings.maxDescriptors() + settings.maxHandles() + OTHER_DESCRIPTORS;
        long limit = Self.raiseOpenFilesLimit(wanted);
        FsExport export = FsExport.open(name, settings, (int) Math.min(settings.maxDescriptors(), limit / SHARE));
        EventLoopGroup loops = null;
        try {
            // Its own, since a file system may hang: that takes no other device's thread.
            int loopCount = Math.min(settings.queueCount(), Runtime.getRuntime().availableProcessors());
            loops = new EventLoopGroup(name + "-loop", loopCount);
            return new FsDevice(name, settings, export, loops);
        } catch (IOException | RuntimeException e) {
            if (loops != null) {
                loops.close();
            }
            export.close();
            throw e;
        }
    }

    private static ConfigSpace config(FsSettings settings) {
        ConfigSpace config = new ConfigSpace(FsConfig.NUM_REQUEST_QUEUES.end(), new BitSet());
        byte[] tag = settings.tag().getBytes(StandardCharsets.UTF_8);
        config.update(bytes -> {
            MemorySegment.copy(MemorySegment.ofArray(tag), 0, bytes, FsConfig.TAG.offset(), tag.length);
            FsConfig.NUM_REQUEST_QUEUES.write(bytes, settings.queueCount());
        });
        return config;
    }

    /** Not FREEZE: what was begun and perhaps done must not be done again by another device. */
    @Override
    public Set<Capability> capabilities() {
        return EnumSet.complementOf(EnumSet.of(Capability.FREEZE));
    }

    /** Its {@code tag}, and the {@code export}: which folder it is. */
    @Override
    public Map<String, String> identity() {
        return identity;
    }

    /** Whether the guest may change nothing. */
    public boolean readOnly() {
        return export.readOnly();
    }

    /** Changes that from the next request on; the guest's kernel is not told, its processes get EROFS. Any thread. */
    public void readOnly(boolean value) {
        export.readOnly(value);
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return new FsRequestHandler(service, runner, workers);
    }

    /** See {@link FsState}. */
    @Override
    public synchronized Octets typeState() throws IOException {
        return new FsStateWriter(name(), export).write();
    }

    /** One at a time: it may come by QEMU's stream and by a node's channel at once. */
    @Override
    public synchronized void typeState(Octets state) throws IOException {
        new FsStateReader(name(), export).read(state);
    }

    @Override
    protected boolean leavesRequests() {
        return true;
    }

    @Override
    protected void driverReset() {
        export.clear();
    }

    /** The guest goes on with the files that it has. */
    @Override
    protected void driverRestart() {}

    /** The same: a driver that begins mounts first (FUSE_INIT), and has nothing of what was before from then on. */
    @Override
    protected void driverResetOrRestart() {}

    @Override
    protected void release() {
        workers.close();
        loops.close();
        export.close();
    }
}
