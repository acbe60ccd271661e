package io.fairlead.devices.blk;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * How a block device shall be.
 *
 * @param path a raw image file or a block device of the host
 * @param readOnly the guest may not write; others may read the file at the same time
 * @param direct I/O past the host's page cache (O_DIRECT)
 * @param locked whether the file is locked against other writers; off for two devices on one shared file of which only
 *     one is in use at a time, as in a migration between daemons of one host
 * @param queueCount request queues, 1 to {@value #MAX_QUEUES}
 * @param queueSize most entries of a queue, a power of two from 4 to 32768
 * @param serial what GET_ID answers, at most 20 ASCII characters
 * @param blockSizeBytes logical block: a power of two from 512 to 4096, or 0 for the smallest that the file allows
 * @param discard whether the guest may give space back
 */
public record BlkSettings(
        Path path,
        boolean readOnly,
        boolean direct,
        boolean locked,
        int queueCount,
        int queueSize,
        String serial,
        int blockSizeBytes,
        boolean discard) {
    public static final int MAX_QUEUES = 64;
    static final int MAX_SERIAL_CHARACTERS = 20;

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public BlkSettings {
        if (queueCount < 1 || queueCount > MAX_QUEUES) {
            throw new IllegalArgumentException("queues: %d is not in 1..%d".formatted(queueCount, MAX_QUEUES));
        }
        if (queueSize < 4 || queueSize > 32768 || Integer.bitCount(queueSize) != 1) {
            throw new IllegalArgumentException("queue-size: %d is not a power of two in 4..32768".formatted(queueSize));
        }
        if (serial.length() > MAX_SERIAL_CHARACTERS
                || !StandardCharsets.US_ASCII.newEncoder().canEncode(serial)
                || serial.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("serial: '%s' is not at most %d printable ASCII characters"
                    .formatted(serial, MAX_SERIAL_CHARACTERS));
        }
        if (blockSizeBytes != 0
                && (blockSizeBytes < 512 || blockSizeBytes > 4096 || Integer.bitCount(blockSizeBytes) != 1)) {
            throw new IllegalArgumentException(
                    "block-size: %d is not one of 512, 1024, 2048, 4096".formatted(blockSizeBytes));
        }
    }

    /** A writable, buffered, locked device of one queue of 256 entries. */
    public static BlkSettings of(Path path) {
        return new BlkSettings(path, false, false, true, 1, 256, "", 0, true);
    }

    public BlkSettings withReadOnly(boolean value) {
        return new BlkSettings(path, value, direct, locked, queueCount, queueSize, serial, blockSizeBytes, discard);
    }

    public BlkSettings withDirect(boolean value) {
        return new BlkSettings(path, readOnly, value, locked, queueCount, queueSize, serial, blockSizeBytes, discard);
    }

    public BlkSettings withLocked(boolean value) {
        return new BlkSettings(path, readOnly, direct, value, queueCount, queueSize, serial, blockSizeBytes, discard);
    }

    public BlkSettings withQueueCount(int value) {
        return new BlkSettings(path, readOnly, direct, locked, value, queueSize, serial, blockSizeBytes, discard);
    }

    public BlkSettings withQueueSize(int value) {
        return new BlkSettings(path, readOnly, direct, locked, queueCount, value, serial, blockSizeBytes, discard);
    }

    public BlkSettings withSerial(String value) {
        return new BlkSettings(path, readOnly, direct, locked, queueCount, queueSize, value, blockSizeBytes, discard);
    }

    public BlkSettings withBlockSizeBytes(int value) {
        return new BlkSettings(path, readOnly, direct, locked, queueCount, queueSize, serial, value, discard);
    }

    public BlkSettings withDiscard(boolean value) {
        return new BlkSettings(path, readOnly, direct, locked, queueCount, queueSize, serial, blockSizeBytes, value);
    }
}
