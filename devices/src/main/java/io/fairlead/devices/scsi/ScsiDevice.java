package io.fairlead.devices.scsi;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.devices.base.TaskList;
import io.fairlead.devices.base.WorkerTask;
import io.fairlead.devices.storage.Storage;
import io.fairlead.linux.BootId;
import io.fairlead.linux.Errno;
import io.fairlead.linux.LinuxException;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
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

    /** For changes of the table. */
    private final Object tableLock = new Object();

    private volatile LunTable table;
    private boolean released;
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
        LunTable initial = LunTable.EMPTY;
        for (LogicalUnit unit : units) {
            initial = initial.with(unit);
        }
        table = initial;
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
                units.add(open(name, unit));
            }
            return new ScsiDevice(name, settings, units, loops, mayUseRing);
        } catch (IOException | RuntimeException e) {
            units.forEach(LogicalUnit::close);
            throw e;
        }
    }

    private static LogicalUnit open(String name, LunSettings settings) throws IOException {
        Storage storage;
        try {
            storage = settings.storage().open();
        } catch (IOException e) {
            throw new IOException("lun%d: %s".formatted(settings.number(), e.getMessage()), e);
        }
        return new LogicalUnit(name, settings, storage);
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

    // ---- units that come, go and grow; any thread ----

    /** The numbers of the logical units, ascending. */
    public List<Integer> luns() {
        return table.units().stream().map(LogicalUnit::number).toList();
    }

    /**
     * Adds a logical unit and tells the driver.
     *
     * @throws IllegalArgumentException where there is one of this number, or there are too many
     * @throws IOException where its storage is unfit; says why
     */
    public void addLun(LunSettings settings) throws IOException {
        int number = settings.number();
        synchronized (tableLock) {
            requireUnreleased();
            if (table.find(number) != null) {
                throw new IllegalArgumentException("%s has a lun%d; remove it first".formatted(name(), number));
            }
            if (table.units().size() >= UnitCommands.MAX_UNITS) {
                throw new IllegalArgumentException(
                        "%s has %d logical units and cannot have more".formatted(name(), UnitCommands.MAX_UNITS));
            }
            LogicalUnit unit = open(name(), settings);
            table.units().forEach(each -> each.attentions().addToAll(Sense.UNITS_CHANGED));
            table = table.with(unit);
            events.add(new EventList.Event(ScsiRequest.EVENT_TRANSPORT_RESET, number, ScsiRequest.REASON_RESCAN));
        }
    }

    /**
     * Takes a logical unit away from the driver at once. Commands under way still come to their end.
     *
     * @return completed when its storage is closed
     * @throws IllegalArgumentException where there is none of this number
     */
    public CompletionStage<Void> removeLun(int number) {
        LogicalUnit unit;
        synchronized (tableLock) {
            requireUnreleased();
            unit = require(number);
            table = table.without(unit);
            table.units().forEach(each -> each.attentions().addToAll(Sense.UNITS_CHANGED));
            events.add(new EventList.Event(ScsiRequest.EVENT_TRANSPORT_RESET, number, ScsiRequest.REASON_REMOVED));
        }
        CompletableFuture<Void> closed = new CompletableFuture<>();
        // Not on a queue's loop: closing waits for the unit's workers.
        var _ = commands(unit, OptionalLong.empty(), true)
                .thenAccept(_ -> Thread.ofPlatform()
                        .daemon()
                        .name("%s-lun%d-close".formatted(name(), number))
                        .start(() -> {
                            unit.close();
                            closed.complete(null);
                        }));
        return closed;
    }

    /**
     * Changes the capacity of a logical unit and tells the driver. Storage that is shorter grows; none is ever shortened.
     *
     * @param newBytes a positive multiple of the block size
     * @throws IllegalArgumentException where there is no unit of this number
     * @throws IOException where the storage cannot have that size; nothing has changed then
     */
    public void resizeLun(int number, long newBytes) throws IOException {
        synchronized (tableLock) {
            requireUnreleased();
            require(number).resize(newBytes);
            events.add(capacityChanged(number));
        }
    }

    /** Capacity in bytes. */
    public long lunBytes(int number) {
        return require(number).storage().byteCount();
    }

    /** What the storage of a unit could hold now, in whole blocks. */
    public long presentBytes(int number) throws IOException {
        return require(number).storage().presentBytes();
    }

    private LogicalUnit require(int number) {
        LogicalUnit unit = table.find(number);
        if (unit == null) {
            throw new IllegalArgumentException("%s has no lun%d, only %s".formatted(name(), number, luns()));
        }
        return unit;
    }

    private void requireUnreleased() {
        if (released) {
            throw new IllegalStateException(name() + " is closed");
        }
    }

    static EventList.Event capacityChanged(int number) {
        Sense sense = Sense.CAPACITY_CHANGED;
        return new EventList.Event(ScsiRequest.EVENT_PARAMETER_CHANGE, number, sense.code() | sense.qualifier() << 8);
    }

    // ---- for other hosts ----

    /**
     * The {@code volume} of every unit, the {@code cache} that what is stored may be in, and of each unit ({@code lun0} and
     * so on) what else has to be alike.
     */
    @Override
    public Map<String, String> identity() {
        List<LogicalUnit> units = table.units();
        Map<String, String> identity = new LinkedHashMap<>();
        boolean isKnown =
                units.stream().noneMatch(unit -> unit.storage().volume().isEmpty());
        String volumes = units.stream()
                .map(unit -> "lun%d %s".formatted(unit.number(), unit.storage().volume()))
                .collect(Collectors.joining(", "));
        identity.put("volume", !isKnown ? "" : units.isEmpty() ? "no logical units" : volumes);
        identity.put("cache", cache(units));
        units.forEach(unit -> identity.put("lun" + unit.number(), LunIdentity.of(unit)));
        return identity;
    }

    private static boolean isCached(LogicalUnit unit) {
        return !unit.storage().readOnly() && unit.storage().isBuffered();
    }

    private static String cache(List<LogicalUnit> units) {
        if (units.stream().noneMatch(ScsiDevice::isCached)) {
            return "none";
        }
        try {
            return "page cache of " + BootId.current();
        } catch (IOException e) {
            return "";
        }
    }

    @Override
    public Octets typeState() {
        return ScsiState.of(table.units(), events);
    }

    @Override
    public void typeState(Octets state) throws IOException {
        synchronized (tableLock) {
            if (state.size() == 0) {
                driverReset();
                return;
            }
            ScsiState.apply(state, name(), table, events);
        }
    }

    /** Another host sees what is on the storage, and not what is in this host's page cache. */
    @Override
    protected CompletionStage<Void> settle() {
        return CompletableFuture.allOf(table.units().stream()
                .filter(ScsiDevice::isCached)
                .map(ScsiDevice::flush)
                .toArray(CompletableFuture<?>[]::new));
    }

    private static CompletableFuture<Void> flush(LogicalUnit unit) {
        CompletableFuture<Void> flushed = new CompletableFuture<>();
        TaskList tasks = new TaskList();
        tasks.add(new WorkerTask() {
            @Override
            protected void run() {
                int error = unit.storage().flush();
                if (error == 0) {
                    flushed.complete(null);
                } else {
                    flushed.completeExceptionally(
                            new LinuxException("fdatasync", unit.storage().subject(), -error));
                }
            }

            @Override
            protected void finish() {}
        });
        unit.workers().submit(tasks);
        return flushed;
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
        table.units().forEach(LogicalUnit::powerOn);
    }

    /** Its driver noticed nothing: what initiators rely on stays. */
    @Override
    protected void driverRestart() {
        table.units().forEach(unit -> unit.storage().releaseCaches());
    }

    @Override
    protected void release() {
        synchronized (tableLock) {
            released = true;
            table.units().forEach(LogicalUnit::close);
            table = LunTable.EMPTY;
        }
    }

    // ---- for the queues ----

    LunTable table() {
        return table;
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
