/** What disks of any virtio type store on: files and block devices of the host, and the data path to them. */
@NullMarked
package io.fairlead.devices.storage;

import org.jspecify.annotations.NullMarked;
