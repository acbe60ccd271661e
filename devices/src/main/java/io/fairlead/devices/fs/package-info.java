/** The shared file system device, virtio-fs: a folder of the host in the guest. */
@NullMarked
package io.fairlead.devices.fs;

import org.jspecify.annotations.NullMarked;
