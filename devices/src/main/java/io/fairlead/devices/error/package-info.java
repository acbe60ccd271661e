/** What stands in for a device that is gone. */
@NullMarked
package io.fairlead.devices.error;

import org.jspecify.annotations.NullMarked;
