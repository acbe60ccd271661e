package io.fairlead.vdpa.preflight;

import io.fairlead.virtio.BalloonConfig;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.ConsoleConfig;
import java.util.List;
import java.util.Set;

/** Types without rules of their own: every field of the configuration space has to be equal but what drivers write. */
final class OtherChecks {
    /** What a driver writes, or the host asks of it at any time. */
    private static final Set<ConfigField> CHANGING = Set.of(
            BalloonConfig.NUM_PAGES,
            BalloonConfig.ACTUAL_PAGES,
            BalloonConfig.FREE_PAGE_HINT_CMD_ID,
            BalloonConfig.POISON_VAL,
            ConsoleConfig.COLS,
            ConsoleConfig.ROWS,
            ConsoleConfig.EMERG_WR);

    private OtherChecks() {}

    static TypeChecks of(int deviceId) {
        List<FieldRule> rules = ConfigField.of(deviceId).stream()
                .filter(field -> !CHANGING.contains(field))
                .map(field -> new FieldRule(
                        field, FieldRule.Relation.EQUAL, "create the destination with the source's value"))
                .toList();
        return new TypeChecks(rules, Set.of(), false);
    }
}
