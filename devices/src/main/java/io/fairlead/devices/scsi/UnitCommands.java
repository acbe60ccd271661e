package io.fairlead.devices.scsi;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What precedes every command, and the commands that need no storage. */
final class UnitCommands {
    /** The most logical units of a target, so that a list of all fits a reply. */
    static final int MAX_UNITS = 256;

    private static final int RETURN_TIMEOUTS = 0x80;
    private static final int TIMEOUT_BYTES = 12;

    private UnitCommands() {}

    /**
     * Whether a command may go on; if not, it has failed (SAM-5, 5.14; SPC-4, 5.12.1).
     *
     * @param unit null where there is none
     */
    static boolean mayBegin(@Nullable LogicalUnit unit, Command command) {
        int opcode = command.opcode();
        CommandTable.Entry entry = CommandTable.find(opcode, command.action());
        if (unit == null
                && opcode != Opcode.INQUIRY
                && opcode != Opcode.REPORT_LUNS
                && opcode != Opcode.REQUEST_SENSE) {
            command.fail(Sense.UNIT_NOT_SUPPORTED);
            return false;
        }
        if (unit != null && !passes(unit, command, entry)) {
            return false;
        }
        if (entry == null) {
            command.fail(CommandTable.isKnown(opcode) ? Sense.INVALID_FIELD_IN_CDB : Sense.INVALID_OPCODE);
            return false;
        }
        if (CommandTable.hasReservedBits(entry, command.cdbBytes)) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
            return false;
        }
        return true;
    }

    private static boolean passes(LogicalUnit unit, Command command, CommandTable.@Nullable Entry entry) {
        int opcode = command.opcode();
        int nexus = command.nexus();
        boolean always = opcode == Opcode.INQUIRY || opcode == Opcode.REPORT_LUNS || opcode == Opcode.REQUEST_SENSE;
        if (!always && unit.attentions().isPending(nexus)) {
            Sense attention = unit.attentions().take(nexus);
            if (attention != null) {
                command.fail(attention);
                return false;
            }
        }
        if (entry != null && unit.reservations().isAny()) {
            boolean starts = opcode == Opcode.START_STOP_UNIT && command.has(4, 1);
            if (unit.reservations().conflicts(nexus, entry.access(), starts, always)) {
                command.conflict();
                return false;
            }
        }
        return true;
    }

    /**
     * Does a command that {@link #mayBegin}.
     *
     * @param unit null where there is none
     * @return whether it is one of these; if not, it is for {@link MediumCommands}
     */
    static boolean execute(LunTable table, @Nullable LogicalUnit unit, Command command) {
        switch (command.opcode()) {
            case Opcode.REPORT_LUNS -> {
                reportUnits(table, command);
                if (unit != null && command.isGood()) {
                    unit.attentions().clear(command.nexus(), Sense.UNITS_CHANGED);
                }
            }
            case Opcode.REQUEST_SENSE -> requestSense(unit, command);
            case Opcode.INQUIRY -> {
                if (unit == null) {
                    Inquiry.ofNone(command);
                } else {
                    Inquiry.execute(unit, command);
                }
            }
            default -> {
                return unit != null && executeAt(unit, command);
            }
        }
        return true;
    }

    private static boolean executeAt(LogicalUnit unit, Command command) {
        switch (command.opcode()) {
            case Opcode.TEST_UNIT_READY -> {
                if (unit.stopped()) {
                    command.fail(Sense.NOT_READY_STOPPED);
                }
            }
            case Opcode.START_STOP_UNIT -> startStop(unit, command);
            case Opcode.READ_CAPACITY_10 -> capacity10(unit, command);
            case Opcode.SERVICE_ACTION_IN_16 -> capacity16(unit, command);
            case Opcode.MODE_SENSE_6, Opcode.MODE_SENSE_10 -> ModePages.sense(unit, command);
            case Opcode.MODE_SELECT_6, Opcode.MODE_SELECT_10 -> ModePages.select(unit, command);
            case Opcode.RESERVE_6, Opcode.RESERVE_10 -> ReservationCommands.reserveUnit(unit, command);
            case Opcode.RELEASE_6, Opcode.RELEASE_10 -> ReservationCommands.releaseUnit(unit, command);
            case Opcode.PERSISTENT_RESERVE_IN -> ReservationCommands.in(unit, command);
            case Opcode.PERSISTENT_RESERVE_OUT -> ReservationCommands.out(unit, command);
            case Opcode.MAINTENANCE_IN -> {
                if (command.action() == Opcode.ACTION_REPORT_OPERATION_CODES) {
                    reportOperationCodes(command);
                } else {
                    reportTaskManagement(command);
                }
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private static void requestSense(@Nullable LogicalUnit unit, Command command) {
        Sense sense = Sense.UNIT_NOT_SUPPORTED;
        if (unit != null) {
            Sense attention = unit.attentions().take(command.nexus());
            sense = attention == null ? Sense.NONE : attention;
        }
        if (command.has(1, 1)) {
            sense.putDescriptor(command.reply());
        } else {
            sense.putFixed(command.reply());
        }
    }

    private static void startStop(LogicalUnit unit, Command command) {
        boolean start = command.has(4, 1);
        boolean flushes = !command.has(4, 4);
        unit.stopped(!start);
        if (!start && flushes) {
            command.flush();
        }
    }

    private static void capacity10(LogicalUnit unit, Command command) {
        if (unit.stopped()) {
            command.fail(Sense.NOT_READY_STOPPED);
            return;
        }
        long last = unit.blockCount() - 1;
        command.reply().putInt((int) Math.min(last, 0xffff_ffffL)).putInt(unit.blockBytes());
    }

    private static void capacity16(LogicalUnit unit, Command command) {
        if (unit.stopped()) {
            command.fail(Sense.NOT_READY_STOPPED);
            return;
        }
        ByteBuffer reply = command.replyOf(32);
        reply.putLong(0, unit.blockCount() - 1).putInt(8, unit.blockBytes());
        int perPhysical = unit.storage().physicalBlockBytes() >> unit.blockShift();
        reply.put(13, (byte) (31 - Integer.numberOfLeadingZeros(Math.max(1, perPhysical))));
        if (unit.discards()) {
            reply.put(14, (byte) (0x80 | (unit.discardsToZeros() ? 0x40 : 0)));
        }
    }

    private static void reportUnits(LunTable table, Command command) {
        int select = command.u8(2);
        if (select > 2 || command.u32(6) < 16) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
            return;
        }
        // 1 asks for well known units alone, of which there are none.
        List<LogicalUnit> units = select == 1 ? List.of() : table.units();
        ByteBuffer reply = command.reply();
        reply.putInt(8 * units.size()).putInt(0);
        for (LogicalUnit unit : units) {
            int number = unit.number();
            reply.putShort((short) (number < 256 ? number : 0x4000 | number))
                    .putShort((short) 0)
                    .putInt(0);
        }
    }

    private static void reportOperationCodes(Command command) {
        boolean timeouts = command.has(2, RETURN_TIMEOUTS);
        int opcode = command.u8(3);
        int action = command.u16(4);
        switch (command.u8(2) & 7) {
            case 0 -> reportAll(command.reply(), timeouts);
            case 1 -> {
                if (CommandTable.hasActions(opcode)) {
                    command.fail(Sense.INVALID_FIELD_IN_CDB);
                } else {
                    reportOne(command.reply(), CommandTable.find(opcode, 0), timeouts);
                }
            }
            case 2 -> {
                if (CommandTable.isKnown(opcode) && !CommandTable.hasActions(opcode)) {
                    command.fail(Sense.INVALID_FIELD_IN_CDB);
                } else {
                    reportOne(command.reply(), CommandTable.find(opcode, action), timeouts);
                }
            }
            case 3 -> {
                boolean exists = CommandTable.hasActions(opcode) || action == 0;
                reportOne(command.reply(), exists ? CommandTable.find(opcode, action) : null, timeouts);
            }
            default -> command.fail(Sense.INVALID_FIELD_IN_CDB);
        }
    }

    private static void reportAll(ByteBuffer reply, boolean timeouts) {
        reply.putInt(0);
        for (CommandTable.Entry entry : CommandTable.entries()) {
            boolean hasAction = entry.action() >= 0;
            reply.put((byte) entry.opcode()).put((byte) 0).putShort((short) (hasAction ? entry.action() : 0));
            reply.put((byte) 0).put((byte) ((timeouts ? 2 : 0) | (hasAction ? 1 : 0)));
            reply.putShort((short) entry.cdbBytes());
            if (timeouts) {
                putTimeouts(reply);
            }
        }
        reply.putInt(0, reply.position() - 4);
    }

    private static void reportOne(ByteBuffer reply, CommandTable.@Nullable Entry entry, boolean timeouts) {
        if (entry == null) {
            // Not supported.
            reply.put((byte) 0).put((byte) 1).putShort((short) 0);
            return;
        }
        reply.put((byte) 0).put((byte) (3 | (timeouts ? 0x80 : 0)));
        reply.putShort((short) entry.cdbBytes()).put(entry.usage().toArray());
        if (timeouts) {
            putTimeouts(reply);
        }
    }

    /** No timeout is known. */
    private static void putTimeouts(ByteBuffer reply) {
        reply.putShort((short) (TIMEOUT_BYTES - 2)).put(new byte[TIMEOUT_BYTES - 2]);
    }

    private static void reportTaskManagement(Command command) {
        boolean isLong = command.has(2, 0x80);
        if (command.u32(6) < 4) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
            return;
        }
        // ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET, QUERY TASK; QUERY TASK SET, I_T NEXUS RESET.
        command.reply().put((byte) 0xd9).put((byte) 0x05).put((byte) 0).put((byte) (isLong ? 12 : 0));
        if (isLong) {
            command.reply().put(new byte[12]);
        }
    }
}
