package io.fairlead.devices.blk;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.devices.base.TaskList;
import io.fairlead.devices.base.WorkerPool;
import io.fairlead.devices.base.WorkerTask;
import io.fairlead.devices.storage.Storage;
import io.fairlead.linux.BootId;
import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio disk over a raw file or a block device of the host (virtio 1.4, 5.2).
 *
 * <p>IN_ORDER is not offered: with it a finished request stays invisible until all before it are finished, and one slow
 * request would hold up the whole queue.
 *
 * <p>The cache is write-back where the driver took FLUSH and did not switch it off (5.2.5.2); otherwise every write is
 * durable before it completes.
 */
public final class BlkDevice extends SoftwareDevice {
    /** The most ranges of one DISCARD or WRITE_ZEROES request. */
    static final int MAX_RANGES = 64;

    /** The most sectors of one such range: 2 GiB. */
    static final int MAX_RANGE_SECTORS = 1 << 22;

    // What drivers are told are the limits of QEMU's and qemu-storage-daemon's disks, so that a machine can move
    // between
    // those and ours. More is served.

    /** The most data segments of one request: with header and status a queue of 128. */
    private static final int OFFERED_SEGMENTS = 126;

    private static final int OFFERED_RANGES = 1;
    private static final int OFFERED_RANGE_SECTORS = 32768;

    /** Workers of one device, so that as many requests wait for the storage at a time. */
    private static final int MAX_WORKERS = 32;

    private static final Logger LOG = LoggerFactory.getLogger(BlkDevice.class);

    private final Storage backend;
    private final boolean mayUseRing;
    private final WorkerPool workers;
    private final MemorySegment id;
    private final Map<String, String> identity;
    private final AtomicLong errors = new AtomicLong();
    private volatile boolean writeBack = true;

    /** @param mayUseRing whether io_uring may be used where the kernel allows it */
    BlkDevice(
            String name,
            BlkSettings settings,
            Storage backend,
            ConfigSpace config,
            EventLoopGroup loops,
            boolean mayUseRing) {
        super(name, DeviceId.BLOCK, features(settings), settings.queueCount(), settings.queueSize(), config, loops);
        this.backend = backend;
        this.mayUseRing = mayUseRing;
        workers = new WorkerPool(name, MAX_WORKERS);
        byte[] serial = new byte[BlkRequest.ID_BYTES];
        byte[] characters = settings.serial().getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(characters, 0, serial, 0, characters.length);
        id = MemorySegment.ofArray(serial);
        identity = Map.of("volume", backend.volume(), "serial", settings.serial(), "cache", cache(backend));
    }

    /**
     * Opens the storage and makes the device.
     *
     * @param loops serve the queues; closed by their owner after the device
     * @throws IOException where the storage is unfit; says why
     */
    public static BlkDevice create(String name, BlkSettings settings, EventLoopGroup loops) throws IOException {
        return create(name, settings, loops, true);
    }

    /** As {@link #create(String, BlkSettings, EventLoopGroup)}, also without io_uring. */
    static BlkDevice create(String name, BlkSettings settings, EventLoopGroup loops, boolean mayUseRing)
            throws IOException {
        Storage storage = settings.storage().open();
        try {
            return new BlkDevice(name, settings, storage, config(settings, storage), loops, mayUseRing);
        } catch (RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    /** Whose page cache what is stored may be in: nobody's, or the one of a host that runs. */
    private static String cache(Storage backend) {
        if (backend.readOnly() || !backend.isBuffered()) {
            return "none";
        }
        try {
            return "page cache of " + BootId.current();
        } catch (IOException e) {
            return "";
        }
    }

    static long features(BlkSettings settings) {
        long features = RING_FEATURES
                | BlkConfig.F_SEG_MAX
                | BlkConfig.F_BLK_SIZE
                | BlkConfig.F_FLUSH
                | BlkConfig.F_TOPOLOGY
                | BlkConfig.F_CONFIG_WCE
                | BlkConfig.F_MQ;
        if (settings.readOnly()) {
            features |= BlkConfig.F_RO;
        } else {
            features |= BlkConfig.F_WRITE_ZEROES | (settings.discard() ? BlkConfig.F_DISCARD : 0);
        }
        return features & settings.features();
    }

    static ConfigSpace config(BlkSettings settings, Storage storage) {
        BitSet driverWritable = new BitSet();
        driverWritable.set(BlkConfig.WRITEBACK.offset());
        ConfigSpace config = new ConfigSpace(BlkConfig.BYTES, driverWritable);
        long byteCount = storage.byteCount();
        int blockSizeBytes = storage.blockSizeBytes();
        int blockSectors = blockSizeBytes >> BlkRequest.SECTOR_SHIFT;
        int physicalBlocks = Integer.highestOneBit(storage.physicalBlockBytes()) / blockSizeBytes;
        config.update(bytes -> {
            BlkConfig.CAPACITY_SECTORS.write(bytes, byteCount >> BlkRequest.SECTOR_SHIFT);
            BlkConfig.SEG_MAX.write(bytes, Math.min(OFFERED_SEGMENTS, settings.queueSize() - 2));
            BlkConfig.BLOCK_SIZE_BYTES.write(bytes, blockSizeBytes);
            BlkConfig.PHYSICAL_BLOCK_EXP.write(bytes, Integer.numberOfTrailingZeros(physicalBlocks));
            BlkConfig.MIN_IO_BLOCKS.write(bytes, physicalBlocks);
            BlkConfig.WRITEBACK.write(bytes, 1);
            BlkConfig.NUM_QUEUES.write(bytes, settings.queueCount());
            if (!settings.readOnly()) {
                BlkConfig.MAX_WRITE_ZEROES_SECTORS.write(bytes, OFFERED_RANGE_SECTORS);
                BlkConfig.MAX_WRITE_ZEROES_SEGMENTS.write(bytes, OFFERED_RANGES);
                BlkConfig.WRITE_ZEROES_MAY_UNMAP.write(bytes, 1);
                if (settings.discard()) {
                    BlkConfig.MAX_DISCARD_SECTORS.write(bytes, OFFERED_RANGE_SECTORS);
                    BlkConfig.MAX_DISCARD_SEGMENTS.write(bytes, OFFERED_RANGES);
                    BlkConfig.DISCARD_ALIGNMENT_SECTORS.write(bytes, (long) blockSectors * physicalBlocks);
                }
            }
        });
        return config;
    }

    /**
     * Changes the capacity and tells the driver. Storage that is shorter grows; none is ever shortened. The driver learns
     * of a smaller capacity too late for requests under way, which then fail.
     *
     * @param newBytes a positive multiple of the block size
     * @throws IOException where the storage cannot have that size; nothing has changed then
     */
    public synchronized void resize(long newBytes) throws IOException {
        backend.resize(newBytes);
        config().update(bytes -> BlkConfig.CAPACITY_SECTORS.write(bytes, newBytes >> BlkRequest.SECTOR_SHIFT));
        configChanged();
    }

    /** What the storage could hold now. */
    long presentBytes() throws IOException {
        return backend.presentBytes();
    }

    /** The capacity, where the storage has grown with that of the source. */
    @Override
    public synchronized void follow(Octets sourceConfig) throws IOException {
        if (sourceConfig.size() < BlkConfig.CAPACITY_SECTORS.end()) {
            return;
        }
        long sectors = BlkConfig.CAPACITY_SECTORS.read(MemorySegment.ofArray(sourceConfig.toArray()));
        long present = presentBytes();
        if (sectors > byteCount() >> BlkRequest.SECTOR_SHIFT && sectors <= present >> BlkRequest.SECTOR_SHIFT) {
            resize(sectors << BlkRequest.SECTOR_SHIFT);
        }
    }

    /** Capacity. Any thread. */
    public long byteCount() {
        return backend.byteCount();
    }

    /** Its {@code volume}, its {@code serial}, and the {@code cache} that what is stored may be in: none, or a host's. */
    @Override
    public Map<String, String> identity() {
        return identity;
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return new BlkRequestHandler(this, runner, backend, workers, mayUseRing, features);
    }

    @Override
    protected void configWritten() {
        MemorySegment value = MemorySegment.ofArray(new byte[1]);
        config().read(BlkConfig.WRITEBACK.offset(), value);
        writeBack = value.get(ValueLayout.JAVA_BYTE, 0) != 0;
    }

    @Override
    protected void driverReset() {
        writeBack = true;
        config().update(bytes -> BlkConfig.WRITEBACK.write(bytes, 1));
        backend.releaseCaches();
    }

    /** Another host sees what is on the storage, and not what is in this host's page cache. */
    @Override
    protected CompletionStage<Void> settle() {
        CompletableFuture<Void> settled = new CompletableFuture<>();
        if (backend.readOnly() || !backend.isBuffered()) {
            settled.complete(null);
            return settled;
        }
        TaskList tasks = new TaskList();
        tasks.add(new WorkerTask() {
            @Override
            protected void run() {
                int error = backend.flush();
                if (error == 0) {
                    settled.complete(null);
                } else {
                    settled.completeExceptionally(new LinuxException("fdatasync", backend.subject(), -error));
                }
            }

            @Override
            protected void finish() {}
        });
        workers.submit(tasks);
        return settled;
    }

    @Override
    protected void release() {
        workers.close();
        backend.close();
    }

    // ---- for the queues ----

    /** Whether a write has to be durable before it completes. */
    boolean isWriteThrough(long driverFeatures) {
        return !Feature.has(driverFeatures, BlkConfig.F_FLUSH)
                || (Feature.has(driverFeatures, BlkConfig.F_CONFIG_WCE) && !writeBack);
    }

    /** What GET_ID answers: {@link BlkRequest#ID_BYTES} bytes. Read only. */
    MemorySegment id() {
        return id;
    }

    /** Logs the first, second, fourth and so on error of the storage. */
    void reportError(int requestType, int errno) {
        long count = errors.incrementAndGet();
        if (Long.bitCount(count) == 1) {
            LOG.warn(
                    "{}: {} of {} failed: {} ({}); {} failed so far",
                    name(),
                    BlkRequest.typeName(requestType),
                    backend.subject(),
                    Errno.name(errno),
                    Errno.text(errno),
                    count);
        }
    }
}
