package io.fairlead.devices.scsi;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.linux.Errno;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.ScsiRequest;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A SCSI host with one target (virtio 1.4, 5.6), whose logical units may come, go and grow while it runs.
 *
 * <p>Reservations, mode pages and unit attentions last until the driver resets the device, and go along when a machine
 * moves.
 */
public final class ScsiDevice extends SoftwareDevice {
    /** As QEMU's, so that a machine can move between its SCSI hosts and ours. */
    private static final int OFFERED_SEGMENTS = 126;

    private static final int OFFERED_SECTORS = 0xffff;
    private static final int COMMANDS_PER_UNIT = 128;
    private static final int MAX_TARGET = 255;

    private static final int MIN_CDB_BYTES = 6;
    private static final int MAX_CDB_BYTES = 255;
    private static final int MAX_SENSE_BYTES = 65535;

    private static final Logger LOG = LoggerFactory.getLogger(ScsiDevice.class);

    private final int queueSize;
    private final boolean mayUseRing;
    private final EventList events = new EventList();
    private final List<ScsiRequestHandler> handlers = new CopyOnWriteArrayList<>();
    private final AtomicLong errors = new AtomicLong();

    private final LogicalUnits units;
    private volatile int cdbBytes = ScsiConfig.DEFAULT_CDB_BYTES;
    private volatile int senseBytes = ScsiConfig.DEFAULT_SENSE_BYTES;

    /** @param units closed with the device */
    ScsiDevice(String name, ScsiSettings settings, List<LogicalUnit> units, EventLoopGroup loops, boolean mayUseRing) {
        super(
                name,
                DeviceId.SCSI,
                (RING_FEATURES | ScsiConfig.F_INOUT | ScsiConfig.F_HOTPLUG | ScsiConfig.F_CHANGE)
                        & settings.rings().features(),
                ScsiRequest.FIRST_REQUEST_QUEUE + settings.requestQueues(),
                settings.rings().queueSize(),
                config(settings),
                loops);
        this.mayUseRing = mayUseRing;
        queueSize = settings.rings().queueSize();
        this.units = new LogicalUnits(name, units, events, unit -> commands(unit, OptionalLong.empty(), true));
    }

    /**
     * Opens the storage of all units and makes the device.
     *
     * @param loops serve the queues; closed by their owner after the device
     * @throws IOException where the storage of one is unfit; says which and why
     */
    public static ScsiDevice create(String name, ScsiSettings settings, EventLoopGroup loops) throws IOException {
        return create(name, settings, loops, true);
    }

    /** As {@link #create(String, ScsiSettings, EventLoopGroup)}, also without io_uring. */
    static ScsiDevice create(String name, ScsiSettings settings, EventLoopGroup loops, boolean mayUseRing)
            throws IOException {
        List<LogicalUnit> units = new ArrayList<>();
        try {
            for (LunSettings unit : settings.units()) {
                units.add(LogicalUnits.open(name, unit));
            }
            return new ScsiDevice(name, settings, units, loops, mayUseRing);
        } catch (IOException | RuntimeException e) {
            units.forEach(LogicalUnit::close);
            throw e;
        }
    }

    private static ConfigSpace config(ScsiSettings settings) {
        BitSet driverWritable = new BitSet();
        driverWritable.set(ScsiConfig.SENSE_BYTES.offset(), ScsiConfig.SENSE_BYTES.end());
        driverWritable.set(ScsiConfig.CDB_BYTES.offset(), ScsiConfig.CDB_BYTES.end());
        ConfigSpace config = new ConfigSpace(ScsiConfig.BYTES, driverWritable);
        config.update(bytes -> {
            ScsiConfig.NUM_QUEUES.write(bytes, settings.requestQueues());
            ScsiConfig.SEG_MAX.write(
                    bytes, Math.min(OFFERED_SEGMENTS, settings.rings().queueSize() - 2));
            ScsiConfig.MAX_SECTORS.write(bytes, OFFERED_SECTORS);
            ScsiConfig.CMD_PER_LUN.write(bytes, COMMANDS_PER_UNIT);
            ScsiConfig.EVENT_INFO_BYTES.write(bytes, ScsiRequest.EVENT_BYTES);
            ScsiConfig.SENSE_BYTES.write(bytes, ScsiConfig.DEFAULT_SENSE_BYTES);
            ScsiConfig.CDB_BYTES.write(bytes, ScsiConfig.DEFAULT_CDB_BYTES);
            ScsiConfig.MAX_CHANNEL.write(bytes, 0);
            ScsiConfig.MAX_TARGET.write(bytes, MAX_TARGET);
            ScsiConfig.MAX_LUN.write(bytes, ScsiRequest.MAX_LUN);
        });
        return config;
    }

    /** Its logical units, which may be changed at any time. */
    public LogicalUnits units() {
        return units;
    }

    // ---- for other hosts ----

    @Override
    public Map<String, String> identity() {
        return units.identity();
    }

    @Override
    public Octets typeState() {
        return units.state();
    }

    @Override
    public void typeState(Octets state) throws IOException {
        if (state.size() == 0) {
            driverReset();
        } else {
            units.state(state);
        }
    }

    @Override
    public void followTypeState(Octets sourceState) throws IOException {
        units.follow(sourceState);
    }

    /** Another host sees what is on the storage, and not what is in this host's page cache. */
    @Override
    protected CompletionStage<Void> settle() {
        return units.flush();
    }

    // ---- what the base asks ----

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return switch (queue) {
            case ScsiRequest.CONTROL_QUEUE -> new ControlHandler(this, runner);
            case ScsiRequest.EVENT_QUEUE -> new EventHandler(events, features, runner);
            default -> {
                ScsiRequestHandler handler = new ScsiRequestHandler(this, runner, features, queueSize, mayUseRing);
                handlers.add(handler);
                yield handler;
            }
        };
    }

    @Override
    protected void configWritten() {
        MemorySegment bytes = MemorySegment.ofArray(new byte[ScsiConfig.BYTES]);
        config().read(0, bytes);
        long sense = ScsiConfig.SENSE_BYTES.read(bytes);
        long cdb = ScsiConfig.CDB_BYTES.read(bytes);
        if (cdb < MIN_CDB_BYTES || cdb > MAX_CDB_BYTES || sense > MAX_SENSE_BYTES) {
            needsReset(
                    "the driver wants CDBs of %d and sense of %d bytes; %d..%d and up to %d are possible"
                            .formatted(cdb, sense, MIN_CDB_BYTES, MAX_CDB_BYTES, MAX_SENSE_BYTES),
                    null);
            return;
        }
        cdbBytes = (int) cdb;
        senseBytes = (int) sense;
    }

    @Override
    protected void driverReset() {
        cdbBytes = ScsiConfig.DEFAULT_CDB_BYTES;
        senseBytes = ScsiConfig.DEFAULT_SENSE_BYTES;
        config().update(bytes -> {
            ScsiConfig.SENSE_BYTES.write(bytes, ScsiConfig.DEFAULT_SENSE_BYTES);
            ScsiConfig.CDB_BYTES.write(bytes, ScsiConfig.DEFAULT_CDB_BYTES);
        });
        handlers.clear();
        events.clear();
        units.powerOn();
    }

    /** Its driver noticed nothing: what initiators rely on stays. */
    @Override
    protected void driverRestart() {
        units.releaseCaches();
    }

    @Override
    protected void release() {
        units.close();
    }

    // ---- for the queues ----

    LunTable table() {
        return units.table();
    }

    int cdbBytes() {
        return cdbBytes;
    }

    int senseBytes() {
        return senseBytes;
    }

    /**
     * Completed when commands that were sent before have ended, with whether there were some.
     *
     * @param unit whose; null for all
     * @param tag which; empty for all
     * @param waits false not to wait for their end
     */
    CompletableFuture<Boolean> commands(@Nullable LogicalUnit unit, OptionalLong tag, boolean waits) {
        CommandsEnd end = new CommandsEnd(unit, tag, waits);
        handlers.forEach(handler -> handler.awaitOnLoop(end));
        end.letGo();
        return end.done();
    }

    void stopped(ScsiRequestHandler handler) {
        handlers.remove(handler);
    }

    /** Logs the first, second, fourth and so on error of the storage. */
    void reportError(LogicalUnit unit, MediumCommands.Kind kind, int errno) {
        long count = errors.incrementAndGet();
        if (Long.bitCount(count) == 1) {
            LOG.warn(
                    "{}: {} of lun{}, {}, failed: {} ({}); {} failed so far",
                    name(),
                    kind,
                    unit.number(),
                    unit.storage().subject(),
                    Errno.name(errno),
                    Errno.text(errno),
                    count);
        }
    }
}
