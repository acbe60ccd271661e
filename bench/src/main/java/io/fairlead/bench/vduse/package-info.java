/** The benchmark of disks by VDUSE: ours beside qemu-storage-daemon's, used by the kernel of one L1 host. */
@NullMarked
package io.fairlead.bench.vduse;

import org.jspecify.annotations.NullMarked;
