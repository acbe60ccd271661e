/** Whether a machine may move from one device to another: profiles of devices, and a verdict on each of their fields. */
@NullMarked
package io.fairlead.vdpa.preflight;

import org.jspecify.annotations.NullMarked;
