package io.fairlead.vdpa.preflight;

import static io.fairlead.vdpa.preflight.FieldRule.Relation.AT_LEAST;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.EQUAL;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.HINT;

import io.fairlead.virtio.ScsiConfig;
import java.util.List;
import java.util.Set;

/**
 * The SCSI host. Sense and CDB sizes are the driver's and go along with the machine. Its units are compared one by one
 * where both sides tell them ({@link ScsiUnitChecks}); of another daemon's host only a user knows what it stands for.
 */
final class ScsiChecks {
    private static final String LIMITS = "use a destination with at least the source's limits";

    static final TypeChecks CHECKS = new TypeChecks(
            List.of(
                    new FieldRule(ScsiConfig.NUM_QUEUES, AT_LEAST, "give the destination as many request queues"),
                    new FieldRule(ScsiConfig.SEG_MAX, AT_LEAST, LIMITS),
                    new FieldRule(ScsiConfig.MAX_SECTORS, AT_LEAST, LIMITS),
                    new FieldRule(ScsiConfig.CMD_PER_LUN, HINT, ""),
                    new FieldRule(ScsiConfig.EVENT_INFO_BYTES, EQUAL, "use a destination with the source's size"),
                    new FieldRule(ScsiConfig.MAX_CHANNEL, AT_LEAST, LIMITS),
                    new FieldRule(ScsiConfig.MAX_TARGET, AT_LEAST, LIMITS),
                    new FieldRule(ScsiConfig.MAX_LUN, AT_LEAST, LIMITS)),
            Set.of("volume"),
            false);

    private ScsiChecks() {}
}
