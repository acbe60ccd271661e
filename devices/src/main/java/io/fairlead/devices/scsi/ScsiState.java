package io.fairlead.devices.scsi;

import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.virtio.ScsiRequest;
import io.fairlead.virtio.parts.Octets;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a SCSI host keeps for its driver, as it goes to another host: of each unit what it is, its mode, its reservations
 * and what initiators have not been told; and events that wait; and which units were taken away. Little-endian:
 *
 * <pre>{@code
 * u16 version = 2; u16 units;
 * of each unit: u16 number; u8 flags; u8 zero; u32 block bytes; u64 bytes; text volume; text serial;
 *     u32 generation; u8 type; s8 holder; s8 reserved by; u8 keys, each u8 initiator, u64 key;
 *     u8 initiators, of each u8 initiator, u8 attentions, each u8 key, u8 code, u8 qualifier;
 * u8 events missed; u16 numbers, each u16 number of a unit that was taken away;
 * text: u16 bytes, UTF-8
 * }</pre>
 */
final class ScsiState {
    private static final int VERSION = 2;
    private static final int READ_ONLY = 1;
    private static final int WRITE_BACK = 2;
    private static final int STOPPED = 4;
    private static final int MAX_TEXT_BYTES = 4096;

    /** One unit. */
    private record Unit(
            int number,
            int flags,
            int blockBytes,
            long byteCount,
            String volume,
            String serial,
            Reservations.Snapshot reservations,
            Map<Integer, List<Sense>> attentions) {}

    private final String deviceName;
    private final List<Unit> units;
    private final boolean missed;
    private final SortedSet<Integer> removed;

    private ScsiState(String deviceName, List<Unit> units, boolean missed, SortedSet<Integer> removed) {
        this.deviceName = deviceName;
        this.units = units;
        this.missed = missed;
        this.removed = removed;
    }

    /** @param removed numbers of units that were taken away */
    static Octets of(List<LogicalUnit> units, SortedSet<Integer> removed, EventList events) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        write(out, 2, VERSION);
        write(out, 2, units.size());
        units.forEach(unit -> write(out, unit));
        write(out, 1, events.isEmpty() ? 0 : 1);
        write(out, 2, removed.size());
        removed.forEach(number -> write(out, 2, number));
        return Octets.of(out.toByteArray());
    }

    /** A number, least significant byte first. */
    private static void write(ByteArrayOutputStream out, int byteCount, long value) {
        for (int i = 0; i < byteCount; i++) {
            out.write((int) (value >>> (8 * i)));
        }
    }

    private static void write(ByteArrayOutputStream out, LogicalUnit unit) {
        int flags = (unit.readOnly() ? READ_ONLY : 0)
                | (unit.writeBack() ? WRITE_BACK : 0)
                | (unit.stopped() ? STOPPED : 0);
        write(out, 2, unit.number());
        write(out, 1, flags);
        write(out, 1, 0);
        write(out, 4, unit.blockBytes());
        write(out, 8, unit.storage().byteCount());
        write(out, unit.storage().volume());
        write(out, unit.serial());
        Reservations.Snapshot held = unit.reservations().snapshot();
        write(out, 4, held.generation());
        write(out, 1, held.type());
        write(out, 1, held.holder());
        write(out, 1, held.reservedBy());
        write(out, 1, held.keys().size());
        held.keys().forEach((nexus, key) -> {
            write(out, 1, nexus);
            write(out, 8, key);
        });
        write(out, 1, UnitAttentions.MAX_NEXUSES);
        for (int nexus = 0; nexus < UnitAttentions.MAX_NEXUSES; nexus++) {
            List<Sense> attentions = unit.attentions().of(nexus);
            write(out, 1, nexus);
            write(out, 1, attentions.size());
            for (Sense each : attentions) {
                write(out, 1, each.key());
                write(out, 1, each.code());
                write(out, 1, each.qualifier());
            }
        }
    }

    private static void write(ByteArrayOutputStream out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        write(out, 2, bytes.length);
        out.writeBytes(bytes);
    }

    /** @throws StateMismatchException where the bytes make no sense */
    static ScsiState read(String deviceName, Octets state) throws StateMismatchException {
        List<Unit> units = new ArrayList<>();
        SortedSet<Integer> removed = new TreeSet<>();
        boolean missed;
        ByteBuffer in = ByteBuffer.wrap(state.toArray()).order(ByteOrder.LITTLE_ENDIAN);
        try {
            int version = in.getShort() & 0xffff;
            if (version != VERSION) {
                throw new StateMismatchException("%s: state of a SCSI host in version %d, and only version %d is known"
                        .formatted(deviceName, version, VERSION));
            }
            int count = in.getShort() & 0xffff;
            for (int i = 0; i < count; i++) {
                units.add(read(deviceName, in));
            }
            missed = in.get() != 0;
            for (int i = in.getShort() & 0xffff; i > 0; i--) {
                removed.add(in.getShort() & 0xffff);
            }
        } catch (BufferUnderflowException e) {
            throw malformed(deviceName, "it ends early");
        }
        if (in.hasRemaining() || !isAscending(units)) {
            throw malformed(deviceName, in.hasRemaining() ? "it goes on after its end" : "its units are out of order");
        }
        return new ScsiState(deviceName, units, missed, removed);
    }

    boolean has(int number) {
        return units.stream().anyMatch(unit -> unit.number == number);
    }

    SortedSet<Integer> removed() {
        return removed;
    }

    /** Units of the same storage become as large as the source's, where the storage is, and read-only or not as it is. */
    void follow(LunTable table) throws IOException {
        for (Unit unit : units) {
            LogicalUnit here = table.find(unit.number);
            if (here == null
                    || unit.volume.isEmpty()
                    || !unit.volume.equals(here.storage().volume())) {
                continue;
            }
            if (unit.byteCount > here.storage().byteCount()
                    && unit.byteCount <= here.storage().presentBytes()) {
                here.storage().resize(unit.byteCount);
            }
            if (!here.storage().readOnly()) {
                here.readOnly((unit.flags & READ_ONLY) != 0);
            }
        }
    }

    /**
     * Gives it to a device of this host.
     *
     * @throws StateMismatchException where a unit is missing, smaller or another one; nothing is changed then
     */
    void give(LunTable table, EventList events) throws StateMismatchException {
        for (Unit unit : units) {
            check(deviceName, unit, table.find(unit.number));
        }
        units.forEach(unit -> give(unit, table, events));
        boolean more = table.units().size() > units.size();
        if (more) {
            table.units().forEach(unit -> unit.attentions().addToAll(Sense.UNITS_CHANGED));
        }
        if (more || missed) {
            events.add(EventList.Event.MISSED);
        }
    }

    private static StateMismatchException malformed(String deviceName, String how) {
        return new StateMismatchException("%s: state of a SCSI host that is malformed: %s".formatted(deviceName, how));
    }

    private static boolean isAscending(List<Unit> units) {
        for (int i = 1; i < units.size(); i++) {
            if (units.get(i - 1).number >= units.get(i).number) {
                return false;
            }
        }
        return true;
    }

    private static Unit read(String deviceName, ByteBuffer in) throws StateMismatchException {
        int number = in.getShort() & 0xffff;
        int flags = in.get();
        int zero = in.get();
        int blockBytes = in.getInt();
        long byteCount = in.getLong();
        String volume = readText(deviceName, in);
        String serial = readText(deviceName, in);
        int generation = in.getInt();
        int type = in.get();
        int holder = in.get();
        int reservedBy = in.get();
        SortedMap<Integer, Long> keys = new TreeMap<>();
        for (int i = in.get() & 0xff; i > 0; i--) {
            keys.put((int) in.get(), in.getLong());
        }
        Reservations.Snapshot reservations = new Reservations.Snapshot(generation, keys, type, holder, reservedBy);
        Map<Integer, List<Sense>> attentions = new LinkedHashMap<>();
        boolean valid = reservations.isValid() && zero == 0 && number <= ScsiRequest.MAX_LUN;
        for (int i = in.get() & 0xff; i > 0; i--) {
            int nexus = in.get() & 0xff;
            List<Sense> of = new ArrayList<>();
            for (int j = in.get() & 0xff; j > 0; j--) {
                of.add(new Sense(in.get(), in.get() & 0xff, in.get() & 0xff));
            }
            valid &= nexus < UnitAttentions.MAX_NEXUSES
                    && of.size() <= UnitAttentions.MAX_PENDING
                    && of.stream().allMatch(Sense::isUnitAttention);
            attentions.put(nexus, of);
        }
        if (!valid) {
            throw malformed(deviceName, "lun%d has what cannot be".formatted(number));
        }
        return new Unit(number, flags, blockBytes, byteCount, volume, serial, reservations, attentions);
    }

    private static String readText(String deviceName, ByteBuffer in) throws StateMismatchException {
        int count = in.getShort() & 0xffff;
        if (count > MAX_TEXT_BYTES) {
            throw malformed(deviceName, "a text of %d bytes".formatted(count));
        }
        byte[] bytes = new byte[count];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static void check(String deviceName, Unit unit, @Nullable LogicalUnit here) throws StateMismatchException {
        if (here == null) {
            throw new StateMismatchException("%s has no lun%d, which the driver uses; give it lun%d=PATH"
                    .formatted(deviceName, unit.number, unit.number));
        }
        String volume = here.storage().volume();
        boolean otherVolume = !volume.isEmpty() && !unit.volume.isEmpty() && !volume.equals(unit.volume);
        String why = "";
        if (otherVolume) {
            why = "stands for %s and not for %s".formatted(volume, unit.volume);
        } else if (here.blockBytes() != unit.blockBytes) {
            why = "has blocks of %d bytes and not of %d".formatted(here.blockBytes(), unit.blockBytes);
        } else if (here.storage().byteCount() < unit.byteCount) {
            why = "has %d bytes, fewer than %d".formatted(here.storage().byteCount(), unit.byteCount);
        } else if (here.readOnly() != ((unit.flags & READ_ONLY) != 0)) {
            why = here.readOnly() ? "is read-only" : "is not read-only";
        } else if (!here.serial().equals(unit.serial)) {
            why = "has the serial number %s and not %s".formatted(here.serial(), unit.serial);
        }
        if (!why.isEmpty()) {
            throw new StateMismatchException("%s: lun%d %s".formatted(deviceName, unit.number, why));
        }
    }

    private static void give(Unit unit, LunTable table, EventList events) {
        LogicalUnit here = table.find(unit.number);
        if (here == null) {
            throw new IllegalStateException("checked before");
        }
        here.writeBack((unit.flags & WRITE_BACK) != 0);
        here.stopped((unit.flags & STOPPED) != 0);
        here.reservations().restore(unit.reservations);
        for (int nexus = 0; nexus < UnitAttentions.MAX_NEXUSES; nexus++) {
            here.attentions().set(nexus, unit.attentions.getOrDefault(nexus, List.of()));
        }
        if (here.storage().byteCount() > unit.byteCount) {
            here.attentions().addToAll(Sense.CAPACITY_CHANGED);
            events.add(LogicalUnits.changed(unit.number, Sense.CAPACITY_CHANGED));
        }
    }
}
