package io.fairlead.devices.scsi;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The logical units of a target by ascending number. Immutable; a change makes another table. */
final class LunTable {
    static final LunTable EMPTY = new LunTable(List.of());

    private final List<LogicalUnit> units;
    private final int[] numbers;

    private LunTable(List<LogicalUnit> units) {
        this.units = units;
        numbers = units.stream().mapToInt(LogicalUnit::number).toArray();
    }

    List<LogicalUnit> units() {
        return units;
    }

    @Nullable
    LogicalUnit find(int number) {
        int index = Arrays.binarySearch(numbers, number);
        return index < 0 ? null : units.get(index);
    }

    LunTable with(LogicalUnit unit) {
        return new LunTable(Stream.concat(units.stream(), Stream.of(unit))
                .sorted(Comparator.comparingInt(LogicalUnit::number))
                .toList());
    }

    LunTable without(LogicalUnit unit) {
        return new LunTable(units.stream().filter(other -> !other.equals(unit)).toList());
    }
}
