package io.fairlead.bench.fs;

import io.fairlead.bench.Bar;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Something that the guest does on a shared file system.
 *
 * @param name in reports
 * @param command what the guest's script calls it, with arguments
 * @param unit of the rate
 * @param barred whether the design has a bar for it
 */
record FsWorkload(String name, String command, String unit, boolean barred) {
    private static final double BAR = 1;

    /** All, in an order in which each finds the files that it needs. */
    static List<FsWorkload> all() {
        return List.of(
                new FsWorkload("randread-4k/qd1", "data randread 4k 1", "I/O/s", true),
                new FsWorkload("randread-4k/qd16", "data randread 4k 16", "I/O/s", true),
                new FsWorkload("randwrite-4k/qd1", "data randwrite 4k 1", "I/O/s", false),
                new FsWorkload("randwrite-4k/qd16", "data randwrite 4k 16", "I/O/s", false),
                new FsWorkload("read-1m", "data read 1m 1", "I/O/s", false),
                new FsWorkload("write-1m", "data write 1m 1", "I/O/s", false),
                new FsWorkload("create", "create", "files/s", true),
                new FsWorkload("readdir", "readdir", "files/s", true),
                new FsWorkload("stat", "stat", "files/s", true),
                new FsWorkload("stat-again", "again", "files/s", true),
                new FsWorkload("read-small", "small", "files/s", true),
                new FsWorkload("unlink", "remove", "files/s", true));
    }

    @Nullable
    Bar bar() {
        return barred ? Bar.ratioAtLeast(BAR) : null;
    }
}
