package io.fairlead.node.migration;

import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What came of a migration, and how long it took.
 *
 * @param result where the machine is
 * @param reason why it is not at the destination; empty where it is
 * @param totalMillis from the start to the end
 * @param phaseMillis of each phase that was entered
 * @param stoppedMillis from QEMU's word that the machine stands still to the word that it runs, here or there, by the
 *     source's clock; 0 where it never stood still
 * @param stopMillis of it until the grant
 * @param loadedMillis from the grant until the destination had loaded the machine, by its clock
 * @param startedMillis from the grant until it ran there, by its clock
 * @param stateBytes of the final device states
 * @param checkedBytes of memory whose hashes went to the destination for a self-check; 0 where there was none
 * @param checkMillis of the stop that this took; the comparison lies between loaded and started
 * @param deviceMarks what each device marked as written; none where it did not come so far
 * @param stream QEMU's last figures
 * @param away the devices that left the machine and came back to it, as QEMU does not migrate them
 */
public record MigrationReport(
        Result result,
        String reason,
        long totalMillis,
        Map<Phase, Long> phaseMillis,
        long stoppedMillis,
        long stopMillis,
        long loadedMillis,
        long startedMillis,
        long stateBytes,
        long checkedBytes,
        long checkMillis,
        List<DeviceMarks> deviceMarks,
        StreamProgress stream,
        List<DeviceAway> away) {
    /** Where a machine is after a migration. */
    public enum Result {
        /** It runs at the destination. */
        MOVED,
        /** It runs at the source. */
        STAYED,
        /** It ended with a QEMU that ended. */
        LOST
    }

    public MigrationReport {
        phaseMillis = Collections.unmodifiableMap(new EnumMap<>(phaseMillis));
        deviceMarks = List.copyOf(deviceMarks);
        away = List.copyOf(away);
    }

    /** The same with these devices that were away. */
    public MigrationReport withAway(List<DeviceAway> devices) {
        return new MigrationReport(
                result,
                reason,
                totalMillis,
                phaseMillis,
                stoppedMillis,
                stopMillis,
                loadedMillis,
                startedMillis,
                stateBytes,
                checkedBytes,
                checkMillis,
                deviceMarks,
                stream,
                devices);
    }
}
