package io.fairlead.systemtests;

import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.loop.EventLoopGroup;
import java.nio.file.Path;

/**
 * Where a device is made.
 *
 * @param folder the host's own; its name is the host's
 * @param release of the host's QEMU
 * @param loops for what is served by this process
 * @param parts what is closed after the device
 */
record HostPlace(Path folder, QemuRelease release, EventLoopGroup loops, Parts parts) {
    /** The host's name. */
    String host() {
        return folder.getFileName().toString();
    }
}
