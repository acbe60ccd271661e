package io.fairlead.devices.scsi;

import static io.fairlead.devices.scsi.CommandTable.Data.IN;
import static io.fairlead.devices.scsi.CommandTable.Data.MEDIUM;
import static io.fairlead.devices.scsi.CommandTable.Data.OUT;

import io.fairlead.virtio.parts.Octets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The commands that a logical unit knows, what of their CDBs it uses, and what of them a reservation allows. */
final class CommandTable {
    /** What a command transfers. */
    enum Data {
        NONE,
        /** A reply of ours, as long as its allocation length allows. */
        IN,
        /** A parameter list of the initiator's. */
        OUT,
        /** Blocks, or nothing: the command itself knows. */
        MEDIUM
    }

    /** What a reservation of another initiator does to a command (SPC-4, table 64; SBC-3, table 13). */
    enum Access {
        ALWAYS,
        /** Only exclusive access keeps it out. */
        READS,
        /** Any reservation keeps it out. */
        CHANGES,
        /** A START STOP UNIT may start, and no more. */
        STARTS,
        /** It looks at reservations itself. */
        RESERVES
    }

    /**
     * One command.
     *
     * @param action service action; -1 where it has none
     * @param lengthOffset where the CDB says how much is transferred, and in how many bytes; 0 for none
     * @param usage the bits of the CDB that have a meaning, the operation code's byte aside: a CDB with another bit is
     *     refused
     */
    record Entry(int opcode, int action, Data data, int lengthOffset, int lengthBytes, Access access, Octets usage) {
        int cdbBytes() {
            return usage.size();
        }
    }

    private static final List<Entry> ENTRIES = List.of(
            entry(Opcode.TEST_UNIT_READY, Data.NONE, 0, 0, Access.ALWAYS, 0, 0, 0, 0, 0),
            entry(Opcode.REQUEST_SENSE, IN, 4, 1, Access.ALWAYS, 1, 0, 0, 0xff, 0),
            entry(Opcode.READ_6, MEDIUM, 0, 0, Access.READS, 0x1f, 0xff, 0xff, 0xff, 0),
            entry(Opcode.WRITE_6, MEDIUM, 0, 0, Access.CHANGES, 0x1f, 0xff, 0xff, 0xff, 0),
            entry(Opcode.INQUIRY, IN, 3, 2, Access.ALWAYS, 1, 0xff, 0xff, 0xff, 0),
            entry(Opcode.MODE_SELECT_6, OUT, 4, 1, Access.CHANGES, 0x11, 0, 0, 0xff, 0),
            entry(Opcode.RESERVE_6, Data.NONE, 0, 0, Access.RESERVES, 0, 0, 0, 0, 0),
            entry(Opcode.RELEASE_6, Data.NONE, 0, 0, Access.RESERVES, 0, 0, 0, 0, 0),
            entry(Opcode.MODE_SENSE_6, IN, 4, 1, Access.CHANGES, 8, 0xff, 0xff, 0xff, 0),
            entry(Opcode.START_STOP_UNIT, Data.NONE, 0, 0, Access.STARTS, 1, 0, 0, 5, 0),
            entry(Opcode.READ_CAPACITY_10, MEDIUM, 0, 0, Access.ALWAYS, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            transfer10(Opcode.READ_10, Access.READS, 0x18),
            transfer10(Opcode.WRITE_10, Access.CHANGES, 0x18),
            transfer10(Opcode.VERIFY_10, Access.READS, 0x16),
            transfer10(Opcode.SYNCHRONIZE_CACHE_10, Access.CHANGES, 2),
            transfer10(Opcode.WRITE_SAME_10, Access.CHANGES, 8),
            entry(Opcode.UNMAP, OUT, 7, 2, Access.CHANGES, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0),
            entry(Opcode.MODE_SELECT_10, OUT, 7, 2, Access.CHANGES, 0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 0),
            entry(Opcode.RESERVE_10, Data.NONE, 0, 0, Access.RESERVES, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            entry(Opcode.RELEASE_10, Data.NONE, 0, 0, Access.RESERVES, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            entry(Opcode.MODE_SENSE_10, IN, 7, 2, Access.CHANGES, 0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0),
            reserveIn(ReservationCommands.READ_KEYS),
            reserveIn(ReservationCommands.READ_RESERVATION),
            reserveIn(ReservationCommands.REPORT_CAPABILITIES),
            reserveIn(ReservationCommands.READ_FULL_STATUS),
            reserveOut(ReservationCommands.REGISTER),
            reserveOut(ReservationCommands.RESERVE),
            reserveOut(ReservationCommands.RELEASE),
            reserveOut(ReservationCommands.CLEAR),
            reserveOut(ReservationCommands.PREEMPT),
            reserveOut(ReservationCommands.PREEMPT_AND_ABORT),
            reserveOut(ReservationCommands.REGISTER_AND_IGNORE),
            transfer16(Opcode.READ_16, Access.READS, 0x18),
            transfer16(Opcode.WRITE_16, Access.CHANGES, 0x18),
            transfer16(Opcode.VERIFY_16, Access.READS, 0x16),
            transfer16(Opcode.SYNCHRONIZE_CACHE_16, Access.CHANGES, 2),
            transfer16(Opcode.WRITE_SAME_16, Access.CHANGES, 9),
            action(
                    Opcode.SERVICE_ACTION_IN_16,
                    Opcode.ACTION_READ_CAPACITY_16,
                    IN,
                    10,
                    4,
                    Access.ALWAYS,
                    bytes(16, 1, Opcode.ACTION_READ_CAPACITY_16, 10, 0xff, 11, 0xff, 12, 0xff, 13, 0xff)),
            entry(Opcode.REPORT_LUNS, IN, 6, 4, Access.ALWAYS, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0),
            action(
                    Opcode.MAINTENANCE_IN,
                    Opcode.ACTION_REPORT_OPERATION_CODES,
                    IN,
                    6,
                    4,
                    Access.ALWAYS,
                    bytes(12, 1, 0x0c, 2, 0x87, 3, 0xff, 4, 0xff, 5, 0xff, 6, 0xff, 7, 0xff, 8, 0xff, 9, 0xff)),
            action(
                    Opcode.MAINTENANCE_IN,
                    Opcode.ACTION_REPORT_TASK_MANAGEMENT,
                    IN,
                    6,
                    4,
                    Access.ALWAYS,
                    bytes(12, 1, 0x0d, 2, 0x80, 6, 0xff, 7, 0xff, 8, 0xff, 9, 0xff)),
            transfer12(Opcode.READ_12, Access.READS, 0x18),
            transfer12(Opcode.WRITE_12, Access.CHANGES, 0x18),
            transfer12(Opcode.VERIFY_12, Access.READS, 0x16));

    private static final Entry[][] BY_OPCODE = byOpcode();

    private CommandTable() {}

    private static Entry[][] byOpcode() {
        List<List<Entry>> found = new ArrayList<>();
        for (int opcode = 0; opcode < 256; opcode++) {
            int wanted = opcode;
            found.add(ENTRIES.stream().filter(entry -> entry.opcode == wanted).toList());
        }
        return found.stream().map(list -> list.toArray(Entry[]::new)).toArray(Entry[][]::new);
    }

    private static byte[] bytes(int count, int... offsetsAndValues) {
        byte[] bytes = new byte[count];
        for (int i = 0; i < offsetsAndValues.length; i += 2) {
            bytes[offsetsAndValues[i]] = (byte) offsetsAndValues[i + 1];
        }
        return bytes;
    }

    private static Entry action(
            int opcode, int action, Data data, int lengthOffset, int lengthBytes, Access access, byte[] usage) {
        usage[0] = (byte) opcode;
        return new Entry(opcode, action, data, lengthOffset, lengthBytes, access, Octets.of(usage));
    }

    private static Entry entry(int opcode, Data data, int lengthOffset, int lengthBytes, Access access, int... rest) {
        byte[] usage = new byte[rest.length + 1];
        for (int i = 0; i < rest.length; i++) {
            usage[i + 1] = (byte) rest[i];
        }
        return action(opcode, -1, data, lengthOffset, lengthBytes, access, usage);
    }

    private static Entry transfer10(int opcode, Access access, int flags) {
        return entry(opcode, MEDIUM, 0, 0, access, flags, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0);
    }

    private static Entry transfer12(int opcode, Access access, int flags) {
        return entry(opcode, MEDIUM, 0, 0, access, flags, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0);
    }

    private static Entry transfer16(int opcode, Access access, int flags) {
        int all = 0xff;
        return entry(
                opcode, MEDIUM, 0, 0, access, flags, all, all, all, all, all, all, all, all, all, all, all, all, 0, 0);
    }

    private static Entry reserveIn(int action) {
        byte[] usage = bytes(10, 1, action, 7, 0xff, 8, 0xff);
        return action(Opcode.PERSISTENT_RESERVE_IN, action, IN, 7, 2, Access.ALWAYS, usage);
    }

    private static Entry reserveOut(int action) {
        byte[] usage = bytes(10, 1, action, 2, 0xff, 5, 0xff, 6, 0xff, 7, 0xff, 8, 0xff);
        return action(Opcode.PERSISTENT_RESERVE_OUT, action, OUT, 5, 4, Access.RESERVES, usage);
    }

    static List<Entry> entries() {
        return ENTRIES;
    }

    /** Whether a command has service actions. */
    static boolean hasActions(int opcode) {
        Entry[] entries = BY_OPCODE[opcode];
        return entries.length > 0 && entries[0].action >= 0;
    }

    static boolean isKnown(int opcode) {
        return BY_OPCODE[opcode].length > 0;
    }

    /** The command of an operation code and, where it has them, a service action; null where there is none. */
    static @Nullable Entry find(int opcode, int action) {
        for (Entry entry : BY_OPCODE[opcode]) {
            if (entry.action < 0 || entry.action == action) {
                return entry;
            }
        }
        return null;
    }

    /** Whether a CDB has a bit that its command gives no meaning. */
    static boolean hasReservedBits(Entry entry, byte[] cdb) {
        Octets usage = entry.usage;
        for (int i = 1; i < usage.size(); i++) {
            int used = i == 1 && entry.action >= 0 ? 0x1f : usage.get(i);
            if ((cdb[i] & ~used & 0xff) != 0) {
                return true;
            }
        }
        return false;
    }
}
