package io.fairlead.devices.scsi;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** INQUIRY: what a logical unit is (SPC-4, 6.6 and 7.8; SBC-3, 6.6). */
final class Inquiry {
    private static final String VENDOR = "FAIRLEAD";
    private static final String PRODUCT = "SCSI DISK";
    private static final String REVISION = "1.0";

    /** Peripheral qualifier and type where there is no unit (SPC-4, 6.6.2). */
    private static final int NO_UNIT = 0x7f;

    private static final int STANDARD_BYTES = 96;
    private static final int SUPPORTED_PAGES = 0x00;
    private static final int SERIAL_NUMBER = 0x80;
    private static final int IDENTIFICATION = 0x83;
    private static final int BLOCK_LIMITS = 0xb0;
    private static final int CHARACTERISTICS = 0xb1;
    private static final int PROVISIONING = 0xb2;
    private static final byte[] PAGES = {
        0, (byte) SERIAL_NUMBER, (byte) IDENTIFICATION, (byte) BLOCK_LIMITS, (byte) CHARACTERISTICS, (byte) PROVISIONING
    };

    /** SAM-5, SPC-4, SBC-3. */
    private static final short[] VERSIONS = {0x00a0, 0x0460, 0x04c0};

    private Inquiry() {}

    /** Of a unit that is there. */
    static void execute(LogicalUnit unit, Command command) {
        int page = command.u8(2);
        if (!command.has(1, 1)) {
            if (page != 0) {
                command.fail(Sense.INVALID_FIELD_IN_CDB);
            } else {
                standard(command, 0);
            }
            return;
        }
        ByteBuffer reply = command.reply();
        reply.put((byte) 0).put((byte) page).putShort((short) 0);
        switch (page) {
            case SUPPORTED_PAGES -> reply.put(PAGES);
            case SERIAL_NUMBER -> reply.put(unit.serial().getBytes(StandardCharsets.US_ASCII));
            case IDENTIFICATION -> identification(unit, reply);
            case BLOCK_LIMITS -> blockLimits(unit, command);
            case CHARACTERISTICS -> command.replyOf(64).put(1, (byte) page).putShort(4, (short) 1);
            case PROVISIONING -> {
                int zeros = unit.discardsToZeros() ? 0x04 : 0;
                reply.put((byte) 0).put((byte) (unit.discards() ? 0xe0 | zeros : 0));
                reply.put((byte) (unit.discards() ? 2 : 0)).put((byte) 0);
            }
            default -> {
                command.fail(Sense.INVALID_FIELD_IN_CDB);
                return;
            }
        }
        reply.putShort(2, (short) (reply.position() - 4));
    }

    /** Of a unit that is not there, at a target that is (SPC-4, 6.6.1). */
    static void ofNone(Command command) {
        if (command.has(1, 1) || command.u8(2) != 0) {
            command.fail(Sense.INVALID_FIELD_IN_CDB);
        } else {
            standard(command, NO_UNIT);
        }
    }

    private static void standard(Command command, int peripheral) {
        ByteBuffer reply = command.replyOf(STANDARD_BYTES);
        reply.put(0, (byte) peripheral);
        // SPC-4; addresses of several levels, format 2; commands are queued.
        reply.put(2, (byte) 6)
                .put(3, (byte) 0x12)
                .put(4, (byte) (STANDARD_BYTES - 5))
                .put(7, (byte) 2);
        text(reply, 8, 8, VENDOR);
        text(reply, 16, 16, PRODUCT);
        text(reply, 32, 4, REVISION);
        for (int i = 0; i < VERSIONS.length; i++) {
            reply.putShort(58 + 2 * i, VERSIONS[i]);
        }
    }

    private static void text(ByteBuffer reply, int offset, int byteCount, String text) {
        reply.put(offset, padded(text, byteCount));
    }

    private static byte[] padded(String text, int byteCount) {
        return (text + " ".repeat(byteCount - text.length())).getBytes(StandardCharsets.US_ASCII);
    }

    private static void identification(LogicalUnit unit, ByteBuffer reply) {
        // Locally assigned NAA of the serial number; vendor and serial number; the one target port.
        reply.put((byte) 1).put((byte) 3).put((byte) 0).put((byte) 8);
        reply.putLong(0x3L << 60 | hash(unit.serial()) >>> 4);
        byte[] serial = unit.serial().getBytes(StandardCharsets.US_ASCII);
        reply.put((byte) 2).put((byte) 1).put((byte) 0).put((byte) (8 + serial.length));
        reply.put(padded(VENDOR, 8)).put(serial);
        reply.put((byte) 1).put((byte) 0x14).put((byte) 0).put((byte) 4);
        reply.putInt(1);
    }

    private static long hash(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
            return ByteBuffer.wrap(digest).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void blockLimits(LogicalUnit unit, Command command) {
        ByteBuffer reply = command.replyOf(64);
        int granularity = unit.storage().physicalBlockBytes() / unit.blockBytes();
        reply.put(1, (byte) BLOCK_LIMITS);
        reply.put(4, (byte) 1); // WSNZ
        reply.putShort(6, (short) granularity);
        reply.putInt(8, (int) MediumCommands.maxTransferBlocks(unit));
        reply.putInt(12, 0);
        if (unit.discards()) {
            reply.putInt(20, (int) MediumCommands.maxUnmapBlocks(unit));
            reply.putInt(24, MediumCommands.MAX_UNMAP_DESCRIPTORS);
            reply.putInt(28, granularity);
            reply.putInt(32, 1 << 31);
        }
        reply.putLong(36, MediumCommands.maxWriteSameBlocks(unit));
    }
}
