package io.fairlead.devices.scsi;

import java.nio.ByteBuffer;

/** MODE SENSE and MODE SELECT: the caching and the control page (SPC-4, 6.11 to 6.14; SBC-3, 6.5). */
final class ModePages {
    private static final int CACHING = 0x08;
    private static final int CONTROL = 0x0a;
    private static final int ALL = 0x3f;
    private static final int ALL_SUBPAGES = 0xff;

    private static final int CHANGEABLE = 1;
    private static final int SAVED = 3;

    private static final int CACHING_BYTES = 20;
    private static final int CONTROL_BYTES = 12;

    /** Write cache enabled. */
    private static final int WCE = 4;

    private static final int WRITE_PROTECTED = 0x80;
    private static final int FUA_KNOWN = 0x10;

    private static final int SAVES = 1;
    private static final int PAGE_FORMAT = 0x10;

    private ModePages() {}

    static void sense(LogicalUnit unit, Command command) {
        boolean isLong = command.opcode() == Opcode.MODE_SENSE_10;
        int control = command.u8(2) >> 6;
        int page = command.u8(2) & ALL;
        int subpage = command.u8(3);
        boolean isKnown = page == CACHING || page == CONTROL || page == ALL;
        if (!isKnown || (subpage != 0 && subpage != ALL_SUBPAGES)) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
            return;
        }
        if (control == SAVED) {
            command.fail(Sense.SAVING_NOT_SUPPORTED);
            return;
        }
        int specific = FUA_KNOWN | (unit.readOnly() ? WRITE_PROTECTED : 0);
        boolean hasBlocks = !command.has(1, 8);
        boolean longBlocks = isLong && command.has(1, 0x10);
        int blockBytes = !hasBlocks ? 0 : longBlocks ? 16 : 8;
        ByteBuffer reply = command.reply();
        if (isLong) {
            reply.putShort((short) 0).put((byte) 0).put((byte) specific);
            reply.put((byte) (longBlocks && hasBlocks ? 1 : 0)).put((byte) 0).putShort((short) blockBytes);
        } else {
            reply.put((byte) 0).put((byte) 0).put((byte) specific).put((byte) blockBytes);
        }
        if (blockBytes == 16) {
            reply.putLong(unit.blockCount()).putInt(0).putInt(unit.blockBytes());
        } else if (blockBytes == 8) {
            reply.putInt((int) Math.min(unit.blockCount(), 0xffff_ffffL)).putInt(unit.blockBytes());
        }
        if (page == CACHING || page == ALL) {
            caching(unit, control, reply);
        }
        if (page == CONTROL || page == ALL) {
            control(control, reply);
        }
        if (isLong) {
            reply.putShort(0, (short) (reply.position() - 2));
        } else {
            reply.put(0, (byte) (reply.position() - 1));
        }
    }

    private static void caching(LogicalUnit unit, int control, ByteBuffer reply) {
        int start = reply.position();
        reply.put((byte) CACHING).put((byte) (CACHING_BYTES - 2)).put(new byte[CACHING_BYTES - 2]);
        boolean set = switch (control) {
            case CHANGEABLE -> !unit.readOnly();
            case 0 -> unit.writeBack();
            default -> true;
        };
        reply.put(start + 2, (byte) (set ? WCE : 0));
    }

    private static void control(int control, ByteBuffer reply) {
        int start = reply.position();
        reply.put((byte) CONTROL).put((byte) (CONTROL_BYTES - 2)).put(new byte[CONTROL_BYTES - 2]);
        if (control != CHANGEABLE) {
            // No log pages are kept; commands may be reordered; how long the unit may be busy is not limited.
            reply.put(start + 2, (byte) 2).put(start + 3, (byte) 0x10).putShort(start + 8, (short) -1);
        }
    }

    static void select(LogicalUnit unit, Command command) {
        boolean isLong = command.opcode() == Opcode.MODE_SELECT_10;
        if (!command.has(1, PAGE_FORMAT) || command.has(1, SAVES)) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
            return;
        }
        ByteBuffer parameters = command.parameters();
        int headerBytes = isLong ? 8 : 4;
        if (!parameters.hasRemaining()) {
            return;
        }
        if (parameters.remaining() < headerBytes) {
            command.fail(Sense.PARAMETER_LIST_LENGTH);
            return;
        }
        int blockBytes = isLong ? parameters.getShort(6) & 0xffff : parameters.get(3) & 0xff;
        boolean longBlocks = isLong && (parameters.get(4) & 1) != 0;
        if (parameters.remaining() < headerBytes + blockBytes) {
            command.fail(Sense.PARAMETER_LIST_LENGTH);
            return;
        }
        if (!isSameFormat(unit, parameters, headerBytes, blockBytes, longBlocks)) {
            command.fail(Sense.INVALID_FIELD_IN_PARAMETERS);
            return;
        }
        parameters.position(headerBytes + blockBytes);
        boolean writeBack = unit.writeBack();
        while (parameters.hasRemaining()) {
            int page = parameters.get(parameters.position()) & 0xff;
            int byteCount = page == CACHING ? CACHING_BYTES : page == CONTROL ? CONTROL_BYTES : 0;
            if (byteCount == 0) {
                command.fail(Sense.INVALID_FIELD_IN_PARAMETERS);
                return;
            }
            if (parameters.remaining() < byteCount) {
                command.fail(Sense.PARAMETER_LIST_LENGTH);
                return;
            }
            ByteBuffer wanted = parameters.slice(parameters.position(), byteCount);
            if (page == CACHING) {
                writeBack = (wanted.get(2) & WCE) != 0;
            }
            if (!isAllowed(unit, page, wanted)) {
                command.fail(Sense.INVALID_FIELD_IN_PARAMETERS);
                return;
            }
            parameters.position(parameters.position() + byteCount);
        }
        change(unit, command, writeBack);
    }

    private static void change(LogicalUnit unit, Command command, boolean writeBack) {
        if (!writeBack) {
            // From here on every write is durable; what was written before is flushed before the answer.
            command.flush();
        }
        if (writeBack == unit.writeBack()) {
            return;
        }
        unit.writeBack(writeBack);
        for (int nexus = 0; nexus < UnitAttentions.MAX_NEXUSES; nexus++) {
            if (nexus != command.nexus()) {
                unit.attentions().add(nexus, Sense.MODES_CHANGED);
            }
        }
    }

    /** Whether a block descriptor, where there is one, says what is so already. */
    private static boolean isSameFormat(
            LogicalUnit unit, ByteBuffer parameters, int offset, int byteCount, boolean isLong) {
        if (byteCount == 0) {
            return true;
        }
        if (byteCount != (isLong ? 16 : 8)) {
            return false;
        }
        long blocks = isLong ? parameters.getLong(offset) : parameters.getInt(offset) & 0xffff_ffffL;
        int blockBytes = isLong ? parameters.getInt(offset + 12) : parameters.getInt(offset + 4) & 0xff_ffff;
        boolean sameCount = blocks == 0
                || blocks == unit.blockCount()
                || (!isLong && blocks == 0xffff_ffffL && unit.blockCount() > blocks);
        return sameCount && blockBytes == unit.blockBytes();
    }

    /** Whether a page is as it is, but for what may be changed. */
    private static boolean isAllowed(LogicalUnit unit, int page, ByteBuffer wanted) {
        ByteBuffer now = ByteBuffer.allocate(CACHING_BYTES);
        if (page == CACHING) {
            caching(unit, 0, now);
            if (!unit.readOnly()) {
                now.put(2, (byte) (wanted.get(2) & WCE));
            }
        } else {
            control(0, now);
        }
        return now.flip().equals(wanted);
    }
}
