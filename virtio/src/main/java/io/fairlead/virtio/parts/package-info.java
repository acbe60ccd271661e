/** A device's state in the standard's own parts (virtio 1.4, 2.13), byte by byte. */
@NullMarked
package io.fairlead.virtio.parts;

import org.jspecify.annotations.NullMarked;
