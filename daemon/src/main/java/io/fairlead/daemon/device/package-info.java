/** A host's vDPA devices: what makes them, serves them, and keeps them. */
@NullMarked
package io.fairlead.daemon.device;

import org.jspecify.annotations.NullMarked;
