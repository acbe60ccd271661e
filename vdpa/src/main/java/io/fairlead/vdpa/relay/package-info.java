/**
 * The relay (shadow virtqueue): Fairlead's own rings between the guest's and a device's, for devices that cannot log the
 * pages that they write.
 */
@NullMarked
package io.fairlead.vdpa.relay;

import org.jspecify.annotations.NullMarked;
