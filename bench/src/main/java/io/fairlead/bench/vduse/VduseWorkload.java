package io.fairlead.bench.vduse;

import java.util.List;

/**
 * What fio does on a disk of the host: 4 KiB at random places.
 *
 * @param pattern as of fio's {@code --rw}
 * @param depth I/Os in flight
 */
record VduseWorkload(String pattern, int depth) {
    static final int BLOCK_KIB = 4;

    static final List<VduseWorkload> ALL = List.of(
            new VduseWorkload("randread", 1),
            new VduseWorkload("randread", 32),
            new VduseWorkload("randwrite", 1),
            new VduseWorkload("randwrite", 32));

    String name() {
        return "%s-%dk/qd%d".formatted(pattern, BLOCK_KIB, depth);
    }
}
