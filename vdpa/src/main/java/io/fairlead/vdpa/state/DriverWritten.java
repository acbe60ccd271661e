package io.fairlead.vdpa.state;

import io.fairlead.virtio.BalloonConfig;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.parts.Octets;
import java.util.BitSet;
import java.util.List;

/** Which bytes of a configuration space a driver writes and the device then holds: state, and no property of the device. */
final class DriverWritten {
    private DriverWritten() {}

    /** The mask as {@link Section.DeviceConfiguration} has it. */
    static Octets mask(int deviceId, long driverFeatures, int configBytes) {
        BitSet bytes = new BitSet();
        for (ConfigField field : fields(deviceId)) {
            if (field.exists(driverFeatures) && field.end() <= configBytes) {
                bytes.set(field.offset(), field.end());
            }
        }
        byte[] mask = new byte[(configBytes + Byte.SIZE - 1) / Byte.SIZE];
        byte[] used = bytes.toByteArray();
        System.arraycopy(used, 0, mask, 0, used.length);
        return Octets.of(mask);
    }

    private static List<ConfigField> fields(int deviceId) {
        return switch (deviceId) {
            case DeviceId.BLOCK -> List.of(BlkConfig.WRITEBACK);
            case DeviceId.SCSI -> List.of(ScsiConfig.SENSE_BYTES, ScsiConfig.CDB_BYTES);
            case DeviceId.BALLOON -> List.of(BalloonConfig.ACTUAL_PAGES, BalloonConfig.POISON_VAL);
            default -> List.of();
        };
    }
}
