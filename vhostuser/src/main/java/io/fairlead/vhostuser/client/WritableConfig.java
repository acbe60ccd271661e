package io.fairlead.vhostuser.client;

import io.fairlead.virtio.BalloonConfig;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.ConsoleConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.ScsiConfig;
import java.util.List;

/**
 * Which bytes of a configuration space a driver may write. A driver may try any, and there are daemons that break down at a
 * write that they do not expect.
 */
final class WritableConfig {
    /** Bytes from start up to, not including, end. */
    record Range(int start, int end) {}

    private WritableConfig() {}

    /** @param byteCount of the configuration space; all of it where the type is not known here */
    static List<Range> ranges(int deviceId, long driverFeatures, int byteCount) {
        return switch (deviceId) {
            case DeviceId.BLOCK -> of(driverFeatures, BlkConfig.WRITEBACK);
            case DeviceId.BALLOON -> of(driverFeatures, BalloonConfig.ACTUAL_PAGES, BalloonConfig.POISON_VAL);
            case DeviceId.SCSI -> of(driverFeatures, ScsiConfig.SENSE_BYTES, ScsiConfig.CDB_BYTES);
            case DeviceId.CONSOLE -> of(driverFeatures, ConsoleConfig.EMERG_WR);
            case DeviceId.NET, DeviceId.VSOCK, DeviceId.FS -> List.of();
            default -> List.of(new Range(0, byteCount));
        };
    }

    private static List<Range> of(long driverFeatures, ConfigField... fields) {
        return List.of(fields).stream()
                .filter(field -> field.exists(driverFeatures))
                .map(field -> new Range(field.offset(), field.end()))
                .toList();
    }
}
