/** The kernel's vDPA devices at /dev/vhost-vdpa-N as back-ends. */
@NullMarked
package io.fairlead.kernel.vhostvdpa;

import org.jspecify.annotations.NullMarked;
