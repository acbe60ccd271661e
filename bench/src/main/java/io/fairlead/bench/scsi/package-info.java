/** The benchmark of SCSI hosts: ours beside QEMU's own in one guest, and the device by itself beside our disk. */
@NullMarked
package io.fairlead.bench.scsi;

import org.jspecify.annotations.NullMarked;
