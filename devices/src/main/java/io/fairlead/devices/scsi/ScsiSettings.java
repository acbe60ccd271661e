package io.fairlead.devices.scsi;

import io.fairlead.devices.base.RingSettings;
import java.util.List;
import java.util.stream.Collectors;

/**
 * How a SCSI host shall be.
 *
 * @param requestQueues 1 to {@value #MAX_QUEUES}; the control and the event queue come on top
 * @param units the logical units that it has from the start, at most {@value UnitCommands#MAX_UNITS}
 */
public record ScsiSettings(RingSettings rings, int requestQueues, List<LunSettings> units) {
    public static final int MAX_QUEUES = 64;

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    public ScsiSettings {
        units = List.copyOf(units);
        if (requestQueues < 1 || requestQueues > MAX_QUEUES) {
            throw new IllegalArgumentException("queues: %d is not in 1..%d".formatted(requestQueues, MAX_QUEUES));
        }
        if (units.size() > UnitCommands.MAX_UNITS) {
            throw new IllegalArgumentException(
                    "%d logical units are more than %d".formatted(units.size(), UnitCommands.MAX_UNITS));
        }
        if (units.stream().map(LunSettings::number).collect(Collectors.toSet()).size() < units.size()) {
            throw new IllegalArgumentException("a logical unit is there twice");
        }
    }
}
