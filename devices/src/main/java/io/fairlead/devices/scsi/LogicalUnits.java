package io.fairlead.devices.scsi;

import io.fairlead.devices.base.TaskList;
import io.fairlead.devices.base.WorkerTask;
import io.fairlead.linux.BootId;
import io.fairlead.linux.LinuxException;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.preflight.UnitProfile;
import io.fairlead.virtio.ScsiRequest;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The logical units of a SCSI host, which come, go, grow and become read-only while it runs. Any thread. */
public final class LogicalUnits {
    private static final Logger LOG = LoggerFactory.getLogger(LogicalUnits.class);

    private final String deviceName;
    private final EventList events;
    private final Function<LogicalUnit, CompletionStage<?>> commandsEnd;

    /** Taken away since the device was made, and not there again. */
    private final SortedSet<Integer> removed = new TreeSet<>();

    private volatile LunTable table;
    private boolean closed;

    /**
     * @param units closed with this
     * @param commandsEnd of a unit: completed when those that were sent before have ended
     */
    LogicalUnits(
            String deviceName,
            List<LogicalUnit> units,
            EventList events,
            Function<LogicalUnit, CompletionStage<?>> commandsEnd) {
        this.deviceName = deviceName;
        this.events = events;
        this.commandsEnd = commandsEnd;
        LunTable initial = LunTable.EMPTY;
        for (LogicalUnit unit : units) {
            initial = initial.with(unit);
        }
        table = initial;
    }

    /** Opens the storage of a unit. */
    static LogicalUnit open(String deviceName, LunSettings settings) throws IOException {
        try {
            return new LogicalUnit(deviceName, settings, settings.storage().open());
        } catch (IOException e) {
            throw new IOException("lun%d: %s".formatted(settings.number(), e.getMessage()), e);
        }
    }

    LunTable table() {
        return table;
    }

    /** Ascending. */
    public List<Integer> numbers() {
        return table.units().stream().map(LogicalUnit::number).toList();
    }

    /**
     * Adds a logical unit and tells the driver.
     *
     * @throws IllegalArgumentException where there is one of this number, or there are too many
     * @throws IOException where its storage is unfit; says why
     */
    public synchronized void add(LunSettings settings) throws IOException {
        int number = settings.number();
        requireOpen();
        if (table.find(number) != null) {
            throw new IllegalArgumentException("%s has a lun%d; remove it first".formatted(deviceName, number));
        }
        if (table.units().size() >= UnitCommands.MAX_UNITS) {
            throw new IllegalArgumentException(
                    "%s has %d logical units and cannot have more".formatted(deviceName, UnitCommands.MAX_UNITS));
        }
        LogicalUnit unit = open(deviceName, settings);
        table.units().forEach(each -> each.attentions().addToAll(Sense.UNITS_CHANGED));
        table = table.with(unit);
        removed.remove(number);
        events.add(new EventList.Event(ScsiRequest.EVENT_TRANSPORT_RESET, number, ScsiRequest.REASON_RESCAN));
    }

    /**
     * Takes a logical unit away from the driver at once. Commands under way still come to their end.
     *
     * @return completed when its storage is closed
     * @throws IllegalArgumentException where there is none of this number
     */
    public synchronized CompletionStage<Void> remove(int number) {
        requireOpen();
        LogicalUnit unit = require(number);
        CompletionStage<Void> gone = takeOut(unit);
        table.units().forEach(each -> each.attentions().addToAll(Sense.UNITS_CHANGED));
        events.add(new EventList.Event(ScsiRequest.EVENT_TRANSPORT_RESET, number, ScsiRequest.REASON_REMOVED));
        return gone;
    }

    private CompletionStage<Void> takeOut(LogicalUnit unit) {
        table = table.without(unit);
        removed.add(unit.number());
        CompletableFuture<Void> gone = new CompletableFuture<>();
        // Not on a queue's loop: closing waits for the unit's workers.
        var _ = commandsEnd
                .apply(unit)
                .thenAccept(_ -> Thread.ofPlatform()
                        .daemon()
                        .name("%s-lun%d-close".formatted(deviceName, unit.number()))
                        .start(() -> {
                            unit.close();
                            gone.complete(null);
                        }));
        return gone;
    }

    /**
     * Changes the capacity of a logical unit and tells the driver. Storage that is shorter grows; none is ever shortened.
     *
     * @param newBytes a positive multiple of the block size
     * @throws IllegalArgumentException where there is no unit of this number
     * @throws IOException where the storage cannot have that size; nothing has changed then
     */
    public synchronized void resize(int number, long newBytes) throws IOException {
        requireOpen();
        LogicalUnit unit = require(number);
        unit.storage().resize(newBytes);
        unit.attentions().addToAll(Sense.CAPACITY_CHANGED);
        events.add(changed(number, Sense.CAPACITY_CHANGED));
    }

    /**
     * Forbids the driver to write, or allows it again, and tells it. Writes under way still come to their end.
     *
     * @throws IllegalArgumentException where there is no unit of this number
     * @throws IOException where its storage was opened for reading only
     */
    public synchronized void readOnly(int number, boolean value) throws IOException {
        requireOpen();
        LogicalUnit unit = require(number);
        if (unit.readOnly() == value) {
            return;
        }
        if (unit.storage().readOnly()) {
            throw new IOException(
                    "%1$s: lun%2$d: its storage was opened for reading only; take the unit away (lun%2$d=none) and add it with lun%2$d.read-only=off"
                            .formatted(deviceName, number));
        }
        unit.readOnly(value);
        unit.attentions().addToAll(Sense.MODES_CHANGED);
        events.add(changed(number, Sense.MODES_CHANGED));
    }

    /** Capacity in bytes. */
    public long byteCount(int number) {
        return require(number).storage().byteCount();
    }

    /** What the storage of a unit could hold now, in whole blocks. */
    public long presentBytes(int number) throws IOException {
        return require(number).storage().presentBytes();
    }

    private LogicalUnit require(int number) {
        LogicalUnit unit = table.find(number);
        if (unit == null) {
            throw new IllegalArgumentException("%s has no lun%d, only %s".formatted(deviceName, number, numbers()));
        }
        return unit;
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(deviceName + " is closed");
        }
    }

    static EventList.Event changed(int number, Sense sense) {
        return new EventList.Event(ScsiRequest.EVENT_PARAMETER_CHANGE, number, sense.code() | sense.qualifier() << 8);
    }

    // ---- for other hosts ----

    /** What each unit is ({@link UnitProfile}), and the {@code cache} that what is stored may be in. */
    Map<String, String> identity() {
        List<LogicalUnit> units = table.units();
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put(UnitProfile.UNITS, Integer.toString(units.size()));
        identity.put("cache", cache(units));
        units.forEach(unit -> unit.profile().into(identity, unit.number()));
        return identity;
    }

    private static boolean isCached(LogicalUnit unit) {
        return !unit.storage().readOnly() && unit.storage().isBuffered();
    }

    private static String cache(List<LogicalUnit> units) {
        if (units.stream().noneMatch(LogicalUnits::isCached)) {
            return "none";
        }
        try {
            return "page cache of " + BootId.current();
        } catch (IOException e) {
            return "";
        }
    }

    synchronized Octets state() {
        return ScsiState.of(table.units(), removed, events);
    }

    synchronized void state(Octets state) throws StateMismatchException {
        ScsiState.read(deviceName, state).give(table, events);
    }

    /**
     * Takes over what changed at the source: what has grown, is read-only or went there, and is the same storage here.
     * Attentions and events of it come with the source's state.
     */
    synchronized void follow(Octets sourceState) throws IOException {
        ScsiState source = ScsiState.read(deviceName, sourceState);
        for (int number : source.removed()) {
            LogicalUnit unit = table.find(number);
            if (unit != null && !source.has(number)) {
                LOG.info("{}: lun{} was taken away at the source", deviceName, number);
                var _ = takeOut(unit);
            }
        }
        source.follow(table);
    }

    /** Another host sees what is on the storage, and not what is in this host's page cache. */
    CompletableFuture<Void> flush() {
        return CompletableFuture.allOf(table.units().stream()
                .filter(LogicalUnits::isCached)
                .map(LogicalUnits::flush)
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

    // ---- life cycle ----

    void powerOn() {
        table.units().forEach(LogicalUnit::powerOn);
    }

    void releaseCaches() {
        table.units().forEach(unit -> unit.storage().releaseCaches());
    }

    synchronized void close() {
        closed = true;
        table.units().forEach(LogicalUnit::close);
        table = LunTable.EMPTY;
    }
}
