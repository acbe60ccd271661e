package io.fairlead.node.migration;

import io.fairlead.vdpa.SharedDirtyLog;
import java.util.OptionalLong;

/**
 * What a device marked as written during a migration.
 *
 * @param device its name
 * @param pages that it marked and that had no mark; one that was written again after QEMU took its mark counts again. Empty
 *     where another process marks, and nobody counts
 */
public record DeviceMarks(String device, OptionalLong pages) {
    /** The same in bytes. */
    public OptionalLong bytes() {
        return pages.isEmpty() ? pages : OptionalLong.of(pages.getAsLong() * SharedDirtyLog.PAGE_BYTES);
    }
}
