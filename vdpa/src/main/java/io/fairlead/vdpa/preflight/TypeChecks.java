package io.fairlead.vdpa.preflight;

import io.fairlead.virtio.DeviceId;
import java.util.List;
import java.util.Set;

/**
 * What the pre-flight check looks at for a device type, beside what it looks at for all.
 *
 * @param fields of the configuration space
 * @param vitalIdentity keys of the identity that both sides have to know, so that no machine wakes up with other data
 * @param queueCountEqual whether the destination may not have more queues either: the driver finds a queue by the count
 */
record TypeChecks(List<FieldRule> fields, Set<String> vitalIdentity, boolean queueCountEqual) {
    static TypeChecks of(DeviceProfile source) {
        return switch (source.deviceId()) {
            case DeviceId.BLOCK -> BlkChecks.CHECKS;
            case DeviceId.NET -> NetChecks.CHECKS;
            case DeviceId.FS -> FsChecks.CHECKS;
            case DeviceId.SCSI -> ScsiChecks.CHECKS;
            default -> OtherChecks.of(source.deviceId());
        };
    }
}
