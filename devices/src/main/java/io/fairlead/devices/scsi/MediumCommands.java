package io.fairlead.devices.scsi;

import io.fairlead.linux.Errno;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The commands that touch the medium (SBC-3, 5): what their CDBs say, and what is checked before they begin. */
final class MediumCommands {
    enum Kind {
        READ,
        WRITE,
        VERIFY,
        SYNCHRONIZE,
        UNMAP,
        WRITE_SAME
    }

    static final int MAX_UNMAP_DESCRIPTORS = 255;
    static final int UNMAP_HEADER_BYTES = 8;
    static final int UNMAP_DESCRIPTOR_BYTES = 16;

    /** What VERIFY compares with: nothing, as many blocks, or one block (BYTCHK). */
    static final int COMPARE_NOTHING = 0;

    static final int COMPARE_ALL = 1;
    static final int COMPARE_ONE = 3;

    private static final long MAX_TRANSFER_BYTES = 64 << 20;
    private static final long MAX_UNMAP_BYTES = 1L << 31;
    private static final long MAX_WRITE_SAME_BYTES = 32 << 20;

    private static final int FORCE_UNIT_ACCESS = 8;
    private static final int UNMAP_BIT = 8;
    private static final int NO_DATA = 1;

    private MediumCommands() {}

    static long maxTransferBlocks(LogicalUnit unit) {
        return MAX_TRANSFER_BYTES >> unit.blockShift();
    }

    static long maxUnmapBlocks(LogicalUnit unit) {
        return MAX_UNMAP_BYTES >> unit.blockShift();
    }

    static long maxWriteSameBlocks(LogicalUnit unit) {
        return MAX_WRITE_SAME_BYTES >> unit.blockShift();
    }

    /** Null for any other command. */
    static @Nullable Kind kind(int opcode) {
        return switch (opcode) {
            case Opcode.READ_6, Opcode.READ_10, Opcode.READ_12, Opcode.READ_16 -> Kind.READ;
            case Opcode.WRITE_6, Opcode.WRITE_10, Opcode.WRITE_12, Opcode.WRITE_16 -> Kind.WRITE;
            case Opcode.VERIFY_10, Opcode.VERIFY_12, Opcode.VERIFY_16 -> Kind.VERIFY;
            case Opcode.SYNCHRONIZE_CACHE_10, Opcode.SYNCHRONIZE_CACHE_16 -> Kind.SYNCHRONIZE;
            case Opcode.WRITE_SAME_10, Opcode.WRITE_SAME_16 -> Kind.WRITE_SAME;
            case Opcode.UNMAP -> Kind.UNMAP;
            default -> null;
        };
    }

    /** The first block; one of 64 bits as it stands. */
    static long block(Command command) {
        return switch (command.opcode() >> 5) {
            case 0 -> (command.u8(1) & 0x1fL) << 16 | command.u16(2);
            case 4 -> command.i64(2);
            default -> command.u32(2);
        };
    }

    /** Number of blocks. */
    static long count(Command command) {
        return switch (command.opcode() >> 5) {
            case 0 -> command.u8(4) == 0 ? 256 : command.u8(4);
            case 4 -> command.u32(10);
            case 5 -> command.u32(6);
            default -> command.u16(7);
        };
    }

    /** FUA, which CDBs of 6 bytes do not have. */
    static boolean forcesUnitAccess(Command command) {
        return command.opcode() >> 5 != 0 && command.has(1, FORCE_UNIT_ACCESS);
    }

    static boolean unmaps(Command command) {
        return command.has(1, UNMAP_BIT);
    }

    /** WRITE SAME of zeros, without data. */
    static boolean hasNoData(Command command) {
        return command.opcode() == Opcode.WRITE_SAME_16 && command.has(1, NO_DATA);
    }

    static int comparison(Command command) {
        return command.u8(1) >> 1 & 3;
    }

    /** What a command needs of the initiator's data; what it gives, for reads. */
    static long dataBytes(LogicalUnit unit, Kind kind, Command command) {
        return switch (kind) {
            case READ, WRITE -> count(command) << unit.blockShift();
            case WRITE_SAME -> hasNoData(command) ? 0 : unit.blockBytes();
            case VERIFY ->
                switch (comparison(command)) {
                    case COMPARE_ALL -> count(command) << unit.blockShift();
                    case COMPARE_ONE -> unit.blockBytes();
                    default -> 0;
                };
            case SYNCHRONIZE, UNMAP -> 0;
        };
    }

    /** Whether a command may begin; if not, it has failed. */
    static boolean mayBegin(LogicalUnit unit, Kind kind, Command command) {
        Sense why = obstacle(unit, kind, command);
        if (why != null) {
            command.fail(why);
        }
        return why == null;
    }

    private static @Nullable Sense obstacle(LogicalUnit unit, Kind kind, Command command) {
        if (unit.stopped()) {
            return Sense.NOT_READY_STOPPED;
        }
        boolean changes = kind == Kind.WRITE || kind == Kind.WRITE_SAME || kind == Kind.UNMAP;
        if (changes && unit.readOnly()) {
            return Sense.WRITE_PROTECTED;
        }
        if (kind == Kind.UNMAP) {
            return unit.discards() ? obstacleToUnmap(unit, command) : Sense.INVALID_OPCODE;
        }
        long count = count(command);
        long most = kind == Kind.SYNCHRONIZE
                ? Long.MAX_VALUE
                : kind == Kind.WRITE_SAME ? maxWriteSameBlocks(unit) : maxTransferBlocks(unit);
        if (!unit.isInside(block(command), count)) {
            return Sense.LBA_OUT_OF_RANGE;
        }
        boolean wrong = count > most
                || (kind == Kind.VERIFY && comparison(command) == 2)
                || (kind == Kind.WRITE_SAME && (count == 0 || (unmaps(command) && !unit.discards())));
        return wrong ? Sense.INVALID_FIELD_IN_CDB : null;
    }

    /** How many descriptors an UNMAP has, the last one whole. */
    static int unmapDescriptors(Command command) {
        ByteBuffer parameters = command.parameters();
        if (parameters.limit() < UNMAP_HEADER_BYTES) {
            return 0;
        }
        int said = parameters.getShort(2) & 0xffff;
        return Math.min(said, parameters.limit() - UNMAP_HEADER_BYTES) / UNMAP_DESCRIPTOR_BYTES;
    }

    private static @Nullable Sense obstacleToUnmap(LogicalUnit unit, Command command) {
        ByteBuffer parameters = command.parameters();
        if (parameters.limit() > 0 && parameters.limit() < UNMAP_HEADER_BYTES) {
            return Sense.PARAMETER_LIST_LENGTH;
        }
        int count = unmapDescriptors(command);
        if (count > MAX_UNMAP_DESCRIPTORS) {
            return Sense.INVALID_FIELD_IN_PARAMETERS;
        }
        long blocks = 0;
        for (int i = 0; i < count; i++) {
            int at = UNMAP_HEADER_BYTES + i * UNMAP_DESCRIPTOR_BYTES;
            long here = parameters.getInt(at + 8) & 0xffff_ffffL;
            if (!unit.isInside(parameters.getLong(at), here)) {
                return Sense.LBA_OUT_OF_RANGE;
            }
            blocks += here;
        }
        return blocks > maxUnmapBlocks(unit) ? Sense.INVALID_FIELD_IN_PARAMETERS : null;
    }

    /** What an error of the storage is for the initiator. */
    static Sense sense(Kind kind, int errno) {
        return switch (errno) {
            case Errno.ENOSPC -> Sense.SPACE_EXHAUSTED;
            case Errno.ERANGE -> Sense.LBA_OUT_OF_RANGE;
            default -> kind == Kind.READ || kind == Kind.VERIFY ? Sense.UNRECOVERED_READ : Sense.WRITE_ERROR;
        };
    }
}
