/** The SCSI host (virtio 1.4, 5.6): a target whose logical units are disks on files and block devices of the host. */
@NullMarked
package io.fairlead.devices.scsi;

import org.jspecify.annotations.NullMarked;
