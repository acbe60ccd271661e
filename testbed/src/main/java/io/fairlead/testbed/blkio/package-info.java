/**
 * Block devices as third parties drive and serve them: libblkio as a client ({@link
 * io.fairlead.testbed.blkio.BlkioLibrary} is the way in) and qemu-storage-daemon as a server ({@link
 * io.fairlead.testbed.blkio.StorageDaemon}).
 */
@NullMarked
package io.fairlead.testbed.blkio;

import org.jspecify.annotations.NullMarked;
