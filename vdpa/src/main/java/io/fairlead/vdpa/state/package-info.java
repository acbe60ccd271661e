/** The vendor-neutral state of a device: its format, how it is taken from a device, and how one takes it. */
@NullMarked
package io.fairlead.vdpa.state;

import org.jspecify.annotations.NullMarked;
