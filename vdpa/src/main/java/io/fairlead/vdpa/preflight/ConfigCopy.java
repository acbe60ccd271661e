package io.fairlead.vdpa.preflight;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A device's configuration space at one instant.
 *
 * @param generation the device's count of its own changes at that instant
 */
public record ConfigCopy(Octets bytes, int generation) {
    /** The largest configuration space; vhost-user's has 256 bytes, PCI's region a page. */
    public static final int MAX_BYTES = 4096;

    private static final int TRIES = 100;

    /**
     * Reads all of it, again while the device changes it meanwhile.
     *
     * @throws IOException where the device does not leave it alone, or it is too large
     */
    public static ConfigCopy of(VdpaDevice device) throws IOException {
        int byteCount = device.configByteCount();
        if (byteCount < 0 || byteCount > MAX_BYTES) {
            throw new IOException("%s: a configuration space of %d bytes is larger than %d"
                    .formatted(device.name(), byteCount, MAX_BYTES));
        }
        byte[] bytes = new byte[byteCount];
        for (int i = 0; i < TRIES; i++) {
            int before = device.configGeneration();
            device.readConfig(0, MemorySegment.ofArray(bytes));
            if (device.configGeneration() == before) {
                return new ConfigCopy(Octets.of(bytes), before);
            }
        }
        throw new IOException(
                "%s: its configuration space changed at each of %d readings".formatted(device.name(), TRIES));
    }
}
