package io.fairlead.devices.scsi;

import java.nio.ByteBuffer;

/**
 * Why a command failed: sense key, additional sense code and its qualifier (SPC-4, 4.5).
 *
 * @param key 4 bits
 * @param code ASC
 * @param qualifier ASCQ
 */
record Sense(int key, int code, int qualifier) {
    /** Bytes of the fixed format. */
    static final int FIXED_BYTES = 18;

    static final int DESCRIPTOR_BYTES = 8;

    private static final int ILLEGAL_REQUEST = 5;
    private static final int UNIT_ATTENTION = 6;
    private static final int DATA_PROTECT = 7;

    static final Sense NONE = new Sense(0, 0, 0);
    static final Sense NOT_READY_STOPPED = new Sense(2, 0x04, 0x02);
    static final Sense UNRECOVERED_READ = new Sense(3, 0x11, 0x00);
    static final Sense WRITE_ERROR = new Sense(3, 0x0c, 0x00);
    static final Sense PARAMETER_LIST_LENGTH = new Sense(ILLEGAL_REQUEST, 0x1a, 0x00);
    static final Sense INVALID_OPCODE = new Sense(ILLEGAL_REQUEST, 0x20, 0x00);
    static final Sense LBA_OUT_OF_RANGE = new Sense(ILLEGAL_REQUEST, 0x21, 0x00);
    static final Sense INVALID_FIELD_IN_CDB = new Sense(ILLEGAL_REQUEST, 0x24, 0x00);
    static final Sense UNIT_NOT_SUPPORTED = new Sense(ILLEGAL_REQUEST, 0x25, 0x00);
    static final Sense INVALID_FIELD_IN_PARAMETERS = new Sense(ILLEGAL_REQUEST, 0x26, 0x00);
    static final Sense INVALID_RELEASE = new Sense(ILLEGAL_REQUEST, 0x26, 0x04);
    static final Sense SAVING_NOT_SUPPORTED = new Sense(ILLEGAL_REQUEST, 0x39, 0x00);
    static final Sense POWER_ON = new Sense(UNIT_ATTENTION, 0x29, 0x00);
    static final Sense UNIT_RESET = new Sense(UNIT_ATTENTION, 0x29, 0x03);
    static final Sense NEXUS_LOSS = new Sense(UNIT_ATTENTION, 0x29, 0x07);
    static final Sense MODES_CHANGED = new Sense(UNIT_ATTENTION, 0x2a, 0x01);
    static final Sense RESERVATIONS_PREEMPTED = new Sense(UNIT_ATTENTION, 0x2a, 0x03);
    static final Sense RESERVATIONS_RELEASED = new Sense(UNIT_ATTENTION, 0x2a, 0x04);
    static final Sense REGISTRATIONS_PREEMPTED = new Sense(UNIT_ATTENTION, 0x2a, 0x05);
    static final Sense CAPACITY_CHANGED = new Sense(UNIT_ATTENTION, 0x2a, 0x09);
    static final Sense UNITS_CHANGED = new Sense(UNIT_ATTENTION, 0x3f, 0x0e);
    static final Sense WRITE_PROTECTED = new Sense(DATA_PROTECT, 0x27, 0x00);

    /** The storage is full. */
    static final Sense SPACE_EXHAUSTED = new Sense(DATA_PROTECT, 0x27, 0x07);

    static final Sense MISCOMPARE = new Sense(0xe, 0x1d, 0x00);

    boolean isUnitAttention() {
        return key == UNIT_ATTENTION;
    }

    /** Appends it in the fixed format (SPC-4, 4.5.3). */
    void putFixed(ByteBuffer target) {
        target.put((byte) 0x70).put((byte) 0).put((byte) key).putInt(0);
        target.put((byte) (FIXED_BYTES - 8)).putInt(0);
        target.put((byte) code).put((byte) qualifier).putInt(0);
    }

    /** Appends it in the descriptor format without descriptors (SPC-4, 4.5.2). */
    void putDescriptor(ByteBuffer target) {
        target.put((byte) 0x72).put((byte) key).put((byte) code).put((byte) qualifier);
        target.putInt(0);
    }
}
