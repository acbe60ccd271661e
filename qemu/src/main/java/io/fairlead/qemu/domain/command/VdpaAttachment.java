package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.VhostUserDevice;

/** How QEMU reaches a vDPA device. */
public sealed interface VdpaAttachment {
    /** Behind a vhost-user socket; the machine's memory has to be shared. */
    record Shared(VhostUserDevice device) implements VdpaAttachment {}

    /** Opened by QEMU itself. */
    record Direct(DirectVdpaDevice device) implements VdpaAttachment {}
}
