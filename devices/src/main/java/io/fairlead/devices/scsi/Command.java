package io.fairlead.devices.scsi;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One command while it is looked at: its CDB, its parameters, and what becomes of it. One a queue, used again for each
 * command. Numbers are big-endian (SPC-4, 3.6).
 */
final class Command {
    /** The longest CDB that is looked at; bytes beyond the driver's are 0. */
    static final int CDB_BYTES = 32;

    /** Room for parameters: UNMAP may have 255 descriptors of 16 bytes, and more are to be seen as too many. */
    static final int PARAMETER_BYTES = 8192;

    /** Room for replies: REPORT LUNS has 256 units of 8 bytes. */
    static final int REPLY_BYTES = 4096;

    static final int GOOD = 0x00;
    static final int CHECK_CONDITION = 0x02;
    static final int RESERVATION_CONFLICT = 0x18;

    final byte[] cdbBytes = new byte[CDB_BYTES];
    final byte[] parameterBytes = new byte[PARAMETER_BYTES];
    final byte[] replyBytes = new byte[REPLY_BYTES];
    private final ByteBuffer cdb = ByteBuffer.wrap(cdbBytes);
    private final ByteBuffer parameters = ByteBuffer.wrap(parameterBytes);
    private final ByteBuffer reply = ByteBuffer.wrap(replyBytes);
    private int nexus;
    private int status;
    private boolean flushes;
    private @Nullable Sense sense;

    /** Begins with a CDB that {@link #cdbBytes} holds. */
    void begin(int newNexus) {
        nexus = newNexus;
        status = GOOD;
        sense = null;
        flushes = false;
        reply.clear();
        parameters.clear();
    }

    /** Who sent it. */
    int nexus() {
        return nexus;
    }

    int opcode() {
        return cdbBytes[0] & 0xff;
    }

    int action() {
        return cdbBytes[1] & 0x1f;
    }

    int u8(int offset) {
        return cdbBytes[offset] & 0xff;
    }

    int u16(int offset) {
        return cdb.getShort(offset) & 0xffff;
    }

    long u32(int offset) {
        return cdb.getInt(offset) & 0xffff_ffffL;
    }

    long i64(int offset) {
        return cdb.getLong(offset);
    }

    boolean has(int offset, int bit) {
        return (cdbBytes[offset] & bit) != 0;
    }

    /** The number at an offset, of 1, 2 or 4 bytes. */
    long number(int offset, int byteCount) {
        return switch (byteCount) {
            case 1 -> u8(offset);
            case 2 -> u16(offset);
            case 4 -> u32(offset);
            default -> throw new IllegalArgumentException("a number of %d bytes".formatted(byteCount));
        };
    }

    /** What the initiator sent along: from position to limit. */
    ByteBuffer parameters() {
        return parameters;
    }

    /** What goes to the initiator: up to its position. Zeros unless set. */
    ByteBuffer reply() {
        return reply;
    }

    /** Begins a reply of so many bytes, all 0; they are set by their offsets. */
    ByteBuffer replyOf(int byteCount) {
        Arrays.fill(replyBytes, 0, byteCount, (byte) 0);
        reply.clear().position(byteCount);
        return reply;
    }

    /** Ends in a sense; an earlier reply is none. */
    void fail(Sense why) {
        status = CHECK_CONDITION;
        sense = why;
        reply.clear();
    }

    void conflict() {
        status = RESERVATION_CONFLICT;
        sense = null;
        reply.clear();
    }

    boolean isGood() {
        return status == GOOD;
    }

    int status() {
        return status;
    }

    @Nullable
    Sense sense() {
        return sense;
    }

    /** Ends well when all that was written before is durable. */
    void flush() {
        flushes = true;
    }

    boolean flushes() {
        return flushes;
    }
}
