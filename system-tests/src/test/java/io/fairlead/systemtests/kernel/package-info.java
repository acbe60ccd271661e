/** Programs that tests run inside L1 hosts. */
@NullMarked
package io.fairlead.systemtests.kernel;

import org.jspecify.annotations.NullMarked;
