/** A host's machines: defined by domain documents, started, watched and stopped. */
@NullMarked
package io.fairlead.daemon.machine;

import org.jspecify.annotations.NullMarked;
