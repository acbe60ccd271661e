/** The kernel's management devices and vDPA devices: what there is, and which driver has it. */
@NullMarked
package io.fairlead.kernel.management;

import org.jspecify.annotations.NullMarked;
