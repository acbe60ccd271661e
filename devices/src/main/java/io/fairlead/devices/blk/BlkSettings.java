package io.fairlead.devices.blk;

import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.storage.StorageSettings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Consumer;

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
 * @param physicalBlockSizeBytes what the guest shall best write at once, a power of two from 512 to 65536, or 0 for what
 *     the storage says
 * @param discard whether the guest may give space back
 * @param volume the user's name for what is stored there, the same on every host that reaches it; empty to derive one
 * @param features of the features that the device has, only these are offered, so that it can be as another one is; -1
 *     for all
 * @param delayMillis by how much later than it could each read, write, flush, discard or zeroing begins, to try slow
 *     storage; 0 for none, at most {@value StorageSettings#MAX_DELAY_MILLIS}
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
        int physicalBlockSizeBytes,
        boolean discard,
        String volume,
        long features,
        int delayMillis) {
    public static final int MAX_QUEUES = 64;
    static final int MAX_SERIAL_CHARACTERS = 20;

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public BlkSettings {
        if (queueCount < 1 || queueCount > MAX_QUEUES) {
            throw new IllegalArgumentException("queues: %d is not in 1..%d".formatted(queueCount, MAX_QUEUES));
        }
        var _ = new RingSettings(queueSize, features);
        if (serial.length() > MAX_SERIAL_CHARACTERS
                || !StandardCharsets.US_ASCII.newEncoder().canEncode(serial)
                || serial.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("serial: '%s' is not at most %d printable ASCII characters"
                    .formatted(serial, MAX_SERIAL_CHARACTERS));
        }
        var _ = new StorageSettings(
                path, readOnly, direct, locked, blockSizeBytes, physicalBlockSizeBytes, volume, delayMillis);
    }

    /** What of them is about the storage. */
    StorageSettings storage() {
        return new StorageSettings(
                path, readOnly, direct, locked, blockSizeBytes, physicalBlockSizeBytes, volume, delayMillis);
    }

    /** The same fields, to change one. */
    private static final class Edit {
        private final Path path;
        private boolean readOnly;
        private boolean direct;
        private boolean locked = true;
        private int queueCount = 1;
        private int queueSize = RingSettings.DEFAULT_QUEUE_SIZE;
        private String serial = "";
        private int blockSizeBytes;
        private int physicalBlockSizeBytes;
        private boolean discard = true;
        private String volume = "";
        private long features = -1;
        private int delayMillis;

        Edit(Path path) {
            this.path = path;
        }

        BlkSettings done() {
            return new BlkSettings(
                    path,
                    readOnly,
                    direct,
                    locked,
                    queueCount,
                    queueSize,
                    serial,
                    blockSizeBytes,
                    physicalBlockSizeBytes,
                    discard,
                    volume,
                    features,
                    delayMillis);
        }
    }

    private BlkSettings with(Consumer<Edit> change) {
        Edit edit = new Edit(path);
        edit.readOnly = readOnly;
        edit.direct = direct;
        edit.locked = locked;
        edit.queueCount = queueCount;
        edit.queueSize = queueSize;
        edit.serial = serial;
        edit.blockSizeBytes = blockSizeBytes;
        edit.physicalBlockSizeBytes = physicalBlockSizeBytes;
        edit.discard = discard;
        edit.volume = volume;
        edit.features = features;
        edit.delayMillis = delayMillis;
        change.accept(edit);
        return edit.done();
    }

    /** A writable, buffered, locked device of one queue of 1024 entries. */
    public static BlkSettings of(Path path) {
        return new Edit(path).done();
    }

    public BlkSettings withReadOnly(boolean value) {
        return with(edit -> edit.readOnly = value);
    }

    public BlkSettings withDirect(boolean value) {
        return with(edit -> edit.direct = value);
    }

    public BlkSettings withLocked(boolean value) {
        return with(edit -> edit.locked = value);
    }

    public BlkSettings withQueueCount(int value) {
        return with(edit -> edit.queueCount = value);
    }

    public BlkSettings withQueueSize(int value) {
        return with(edit -> edit.queueSize = value);
    }

    public BlkSettings withSerial(String value) {
        return with(edit -> edit.serial = value);
    }

    public BlkSettings withBlockSizeBytes(int value) {
        return with(edit -> edit.blockSizeBytes = value);
    }

    public BlkSettings withPhysicalBlockSizeBytes(int value) {
        return with(edit -> edit.physicalBlockSizeBytes = value);
    }

    public BlkSettings withDiscard(boolean value) {
        return with(edit -> edit.discard = value);
    }

    public BlkSettings withVolume(String value) {
        return with(edit -> edit.volume = value);
    }

    public BlkSettings withFeatures(long value) {
        return with(edit -> edit.features = value);
    }

    public BlkSettings withDelayMillis(int value) {
        return with(edit -> edit.delayMillis = value);
    }
}
