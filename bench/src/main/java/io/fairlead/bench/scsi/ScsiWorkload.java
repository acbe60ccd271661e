package io.fairlead.bench.scsi;

import java.util.List;

/**
 * What fio does in the guest.
 *
 * @param pattern as of fio's {@code --rw}
 * @param blockKib of one I/O
 * @param depth I/Os in flight
 */
record ScsiWorkload(String pattern, int blockKib, int depth) {
    static final List<ScsiWorkload> ALL = List.of(
            new ScsiWorkload("randread", 4, 1),
            new ScsiWorkload("randread", 4, 32),
            new ScsiWorkload("randwrite", 4, 1),
            new ScsiWorkload("randwrite", 4, 32),
            new ScsiWorkload("read", 128, 8),
            new ScsiWorkload("write", 128, 8));

    String name() {
        return "%s-%dk/qd%d".formatted(pattern, blockKib, depth);
    }
}
