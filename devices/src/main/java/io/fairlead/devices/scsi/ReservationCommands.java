package io.fairlead.devices.scsi;

import java.nio.ByteBuffer;
import java.util.Map;

/** PERSISTENT RESERVE IN and OUT (SPC-4, 6.15 and 6.16), RESERVE and RELEASE (SPC-2, 7.21 and 7.16). */
final class ReservationCommands {
    static final int READ_KEYS = 0;
    static final int READ_RESERVATION = 1;
    static final int REPORT_CAPABILITIES = 2;
    static final int READ_FULL_STATUS = 3;

    static final int REGISTER = 0;
    static final int RESERVE = 1;
    static final int RELEASE = 2;
    static final int CLEAR = 3;
    static final int PREEMPT = 4;
    static final int PREEMPT_AND_ABORT = 5;
    static final int REGISTER_AND_IGNORE = 6;

    static final int PARAMETER_BYTES = 24;

    private static final int TRANSPORT_ID_BYTES = 24;

    /** SPC-4, table 508: no specific protocol. */
    private static final int NO_PROTOCOL = 0xf;

    private static final int RELATIVE_PORT = 1;
    private static final int SPECIFY_INITIATORS = 8;
    private static final int ALL_TARGET_PORTS = 4;
    private static final int PERSIST_THROUGH_POWER_LOSS = 1;

    private ReservationCommands() {}

    static void in(LogicalUnit unit, Command command) {
        Reservations.Snapshot now = unit.reservations().snapshot();
        ByteBuffer reply = command.reply();
        switch (command.action()) {
            case READ_KEYS -> {
                reply.putInt(now.generation()).putInt(8 * now.keys().size());
                now.keyList().forEach(reply::putLong);
            }
            case READ_RESERVATION -> readReservation(now, reply);
            case REPORT_CAPABILITIES -> {
                // Types are told; write exclusive and exclusive access ones of every kind; no ALL_TG_PT, no APTPL.
                reply.putShort((short) 8).put((byte) 0).put((byte) 0x80);
                reply.putShort((short) 0xea01).putShort((short) 0);
            }
            default -> readFullStatus(now, reply);
        }
    }

    private static void readReservation(Reservations.Snapshot now, ByteBuffer reply) {
        reply.putInt(now.generation());
        if (now.type() == 0) {
            reply.putInt(0);
            return;
        }
        reply.putInt(16);
        reply.putLong(now.isForAll() ? 0 : now.keys().getOrDefault(now.holder(), 0L));
        reply.putInt(0).put((byte) 0).put((byte) now.type()).putShort((short) 0);
    }

    private static void readFullStatus(Reservations.Snapshot now, ByteBuffer reply) {
        reply.putInt(now.generation()).putInt(now.keys().size() * (24 + TRANSPORT_ID_BYTES));
        for (Map.Entry<Integer, Long> registration : now.keys().entrySet()) {
            boolean holds = now.isHeldBy(registration.getKey());
            reply.putLong(registration.getValue()).putInt(0);
            reply.put((byte) (holds ? 1 : 0))
                    .put((byte) (holds ? now.type() : 0))
                    .putInt(0);
            reply.putShort((short) RELATIVE_PORT).putInt(TRANSPORT_ID_BYTES);
            reply.put((byte) NO_PROTOCOL).put(new byte[TRANSPORT_ID_BYTES - 5]).putInt(registration.getKey());
        }
    }

    static void out(LogicalUnit unit, Command command) {
        int action = command.action();
        boolean registers = action == REGISTER || action == REGISTER_AND_IGNORE;
        int scope = command.u8(2) >> 4;
        int type = command.u8(2) & 0xf;
        boolean types = action == RESERVE || action == RELEASE || action == PREEMPT || action == PREEMPT_AND_ABORT;
        if (types && (scope != 0 || !Reservations.isType(type))) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
            return;
        }
        ByteBuffer parameters = command.parameters();
        if (parameters.remaining() != PARAMETER_BYTES) {
            command.fail(Sense.PARAMETER_LIST_LENGTH);
            return;
        }
        long key = parameters.getLong(0);
        long otherKey = parameters.getLong(8);
        int flags = parameters.get(20) & (SPECIFY_INITIATORS | ALL_TARGET_PORTS | PERSIST_THROUGH_POWER_LOSS);
        // There is one port, so ALL_TG_PT changes nothing.
        if ((flags & SPECIFY_INITIATORS) != 0 || (registers && (flags & PERSIST_THROUGH_POWER_LOSS) != 0)) {
            command.fail(Sense.INVALID_FIELD_IN_PARAMETERS);
            return;
        }
        Reservations reservations = unit.reservations();
        int nexus = command.nexus();
        // Commands of an initiator that is preempted are not aborted: they end before anything of ours that waits for
        // them.
        end(
                command,
                switch (action) {
                    case REGISTER, REGISTER_AND_IGNORE ->
                        reservations.register(nexus, key, otherKey, action != REGISTER);
                    case RESERVE -> reservations.reserve(nexus, key, type);
                    case RELEASE -> reservations.release(nexus, key, type);
                    case CLEAR -> reservations.clear(nexus, key);
                    default -> reservations.preempt(nexus, key, otherKey, type);
                });
    }

    static void reserveUnit(LogicalUnit unit, Command command) {
        end(command, unit.reservations().reserveUnit(command.nexus()));
    }

    static void releaseUnit(LogicalUnit unit, Command command) {
        end(command, unit.reservations().releaseUnit(command.nexus()));
    }

    private static void end(Command command, Reservations.Outcome outcome) {
        switch (outcome) {
            case DONE -> {}
            case CONFLICT -> command.conflict();
            case INVALID_RELEASE -> command.fail(Sense.INVALID_RELEASE);
            case INVALID_PARAMETER -> command.fail(Sense.INVALID_FIELD_IN_PARAMETERS);
        }
    }
}
