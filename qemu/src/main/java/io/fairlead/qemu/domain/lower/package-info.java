/** From Fairlead's forms to what stock libvirt takes. */
@NullMarked
package io.fairlead.qemu.domain.lower;

import org.jspecify.annotations.NullMarked;
