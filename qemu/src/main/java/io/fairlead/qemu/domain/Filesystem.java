package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * A folder of the host that the guest mounts by virtiofs.
 *
 * @param dir the folder; null where a daemon that listens on {@code socket} has it
 * @param socket null where the daemon is started for the machine
 * @param binary of the daemon to start; null for the usual one
 * @param tag by which the guest mounts it
 * @param queueSize 0 for QEMU's
 * @param readOnly whether the daemon is to refuse writes
 */
public record Filesystem(
        @Nullable String dir,
        @Nullable String socket,
        @Nullable String binary,
        String tag,
        int queueSize,
        boolean readOnly,
        Place place,
        Kept kept)
        implements Device {
    @Override
    public String element() {
        return "filesystem";
    }

    @Override
    public Filesystem withPlace(Place value) {
        return new Filesystem(dir, socket, binary, tag, queueSize, readOnly, value, kept);
    }
}
