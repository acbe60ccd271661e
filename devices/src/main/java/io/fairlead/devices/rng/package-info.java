/** The entropy device (virtio 1.4, 5.4). */
@NullMarked
package io.fairlead.devices.rng;

import org.jspecify.annotations.NullMarked;
