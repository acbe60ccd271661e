/** The block device (virtio 1.4, 5.2) over a raw file or a block device of the host. */
@NullMarked
package io.fairlead.devices.blk;

import org.jspecify.annotations.NullMarked;
