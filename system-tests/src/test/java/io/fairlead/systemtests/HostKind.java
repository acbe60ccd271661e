package io.fairlead.systemtests;

import io.fairlead.qemu.VhostUserDevice;
import java.io.IOException;
import java.nio.file.Path;

/** What a host has for its machine. Its text stands in tables. */
interface HostKind {
    /** Makes the device. What serves it is the place's to close, after the device, also where this fails. */
    HostDevice make(HostPlace place) throws IOException;

    /** What QEMU has of it. */
    VhostUserDevice model(Path socket);
}
