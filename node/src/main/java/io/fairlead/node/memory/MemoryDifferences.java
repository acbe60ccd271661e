package io.fairlead.node.memory;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** The pages that are not as they should be, in ascending order. One thread. */
public final class MemoryDifferences {
    /** More ranges are counted and not listed. */
    private static final int LISTED = 16;

    private static final class Range {
        private final long start;
        private long end;

        private Range(long start, long end) {
            this.start = start;
            this.end = end;
        }
    }

    private final List<Range> listed = new ArrayList<>();
    private long ranges;
    private long pages;
    private long lastEnd = -1;

    /** None yet. */
    public MemoryDifferences() {}

    /** A page that differs. */
    void add(long address, long byteCount) {
        pages++;
        if (address != lastEnd) {
            ranges++;
            if (ranges <= LISTED) {
                listed.add(new Range(address, address + byteCount));
            }
        } else if (ranges <= LISTED) {
            listed.getLast().end = address + byteCount;
        }
        lastEnd = address + byteCount;
    }

    public boolean isEmpty() {
        return pages == 0;
    }

    /** How many pages. */
    public long pages() {
        return pages;
    }

    /** For an operator: how many pages and where. */
    @Override
    public String toString() {
        String where = listed.stream()
                .map(range -> "0x%x-0x%x".formatted(range.start, range.end - 1))
                .collect(Collectors.joining(", "));
        String more = ranges > LISTED ? " and %d ranges more".formatted(ranges - LISTED) : "";
        return "%d page%s of memory differ%s from the source's: %s%s"
                .formatted(pages, pages == 1 ? "" : "s", pages == 1 ? "s" : "", where, more);
    }
}
