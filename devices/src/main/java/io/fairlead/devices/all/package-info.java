/** All software device types together. */
@NullMarked
package io.fairlead.devices.all;

import org.jspecify.annotations.NullMarked;
