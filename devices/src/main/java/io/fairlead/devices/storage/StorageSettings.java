package io.fairlead.devices.storage;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Where a disk's content is and how it is used.
 *
 * @param path a raw image file or a block device of the host
 * @param readOnly the guest may not write; others may read the file at the same time
 * @param direct I/O past the host's page cache (O_DIRECT)
 * @param locked whether the file is locked against other writers
 * @param blockSizeBytes logical block: a power of two from 512 to 4096, or 0 for the smallest that the file allows
 * @param physicalBlockSizeBytes what the guest shall best write at once, a power of two from 512 to 65536, or 0 for what
 *     the storage says
 * @param volume the user's name for what is stored there, the same on every host that reaches it; empty to derive one
 * @param delayMillis by how much later than it could each access begins, to try slow storage; 0 for none, at most {@value
 *     #MAX_DELAY_MILLIS}
 */
public record StorageSettings(
        Path path,
        boolean readOnly,
        boolean direct,
        boolean locked,
        int blockSizeBytes,
        int physicalBlockSizeBytes,
        String volume,
        int delayMillis) {
    public static final int MAX_DELAY_MILLIS = 60_000;
    public static final int MAX_VOLUME_CHARACTERS = 200;

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public StorageSettings {
        if (blockSizeBytes != 0
                && (blockSizeBytes < 512 || blockSizeBytes > 4096 || Integer.bitCount(blockSizeBytes) != 1)) {
            throw new IllegalArgumentException(
                    "block-size: %d is not one of 512, 1024, 2048, 4096".formatted(blockSizeBytes));
        }
        if (physicalBlockSizeBytes != 0
                && (physicalBlockSizeBytes < 512
                        || physicalBlockSizeBytes > 65536
                        || Integer.bitCount(physicalBlockSizeBytes) != 1)) {
            throw new IllegalArgumentException(
                    "physical-block-size: %d is not a power of two in 512..65536".formatted(physicalBlockSizeBytes));
        }
        if (volume.length() > MAX_VOLUME_CHARACTERS || volume.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "volume: '%s' is not at most %d printable characters".formatted(volume, MAX_VOLUME_CHARACTERS));
        }
        if (delayMillis < 0 || delayMillis > MAX_DELAY_MILLIS) {
            throw new IllegalArgumentException(
                    "delay-millis: %d is not in 0..%d".formatted(delayMillis, MAX_DELAY_MILLIS));
        }
    }

    /**
     * Opens it.
     *
     * @throws IOException where it is unfit; says why
     */
    public Storage open() throws IOException {
        Storage file = RawFile.open(this);
        return delayMillis == 0 ? file : new SlowStorage(file, TimeUnit.MILLISECONDS.toNanos(delayMillis));
    }
}
