package io.fairlead.vdpa.preflight;

import static io.fairlead.vdpa.preflight.FieldRule.Relation.AT_LEAST;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.AT_LEAST_OR_NONE;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.EQUAL;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.HINT;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.MAY_GROW;

import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.ConfigField;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The block device. Its cache mode, where a driver may choose it, is state and goes along with the machine. */
final class BlkChecks {
    static final TypeChecks CHECKS = new TypeChecks(rules(), Set.of("volume"), false);

    private BlkChecks() {}

    private static List<FieldRule> rules() {
        List<FieldRule> rules = new ArrayList<>();
        rules.add(new FieldRule(
                BlkConfig.CAPACITY_SECTORS,
                MAY_GROW,
                "serve the same volume, or grow the destination's to this size (fairlead dev set NAME size=storage)"));
        String sameBlocks = "give the destination the source's block size (fairlead serve: block-size=)";
        for (ConfigField field :
                List.of(BlkConfig.BLOCK_SIZE_BYTES, BlkConfig.PHYSICAL_BLOCK_EXP, BlkConfig.ALIGNMENT_OFFSET_BLOCKS)) {
            rules.add(new FieldRule(field, EQUAL, sameBlocks));
        }
        String limits = "use a destination with at least the source's limits, or start the source with smaller ones";
        // A device without a limit says 0, qemu-storage-daemon among them.
        rules.add(new FieldRule(BlkConfig.SIZE_MAX_BYTES, AT_LEAST_OR_NONE, limits));
        for (ConfigField field : List.of(
                BlkConfig.SEG_MAX,
                BlkConfig.MAX_DISCARD_SECTORS,
                BlkConfig.MAX_DISCARD_SEGMENTS,
                BlkConfig.MAX_WRITE_ZEROES_SECTORS,
                BlkConfig.MAX_WRITE_ZEROES_SEGMENTS,
                BlkConfig.MAX_SECURE_ERASE_SECTORS,
                BlkConfig.MAX_SECURE_ERASE_SEGMENTS)) {
            rules.add(new FieldRule(field, AT_LEAST, limits));
        }
        for (ConfigField field : List.of(
                BlkConfig.MIN_IO_BLOCKS,
                BlkConfig.OPT_IO_BLOCKS,
                BlkConfig.DISCARD_ALIGNMENT_SECTORS,
                BlkConfig.WRITE_ZEROES_MAY_UNMAP,
                BlkConfig.SECURE_ERASE_ALIGNMENT_SECTORS,
                BlkConfig.CYLINDERS,
                BlkConfig.HEADS,
                BlkConfig.SECTORS)) {
            rules.add(new FieldRule(field, HINT, ""));
        }
        for (ConfigField field : List.of(
                BlkConfig.ZONE_SECTORS,
                BlkConfig.MAX_OPEN_ZONES,
                BlkConfig.MAX_ACTIVE_ZONES,
                BlkConfig.MAX_APPEND_SECTORS,
                BlkConfig.WRITE_GRANULARITY_BYTES,
                BlkConfig.ZONE_MODEL)) {
            rules.add(new FieldRule(field, EQUAL, "use a destination with the source's zones"));
        }
        return List.copyOf(rules);
    }
}
