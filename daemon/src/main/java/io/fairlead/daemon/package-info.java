/** A host's daemon: its parts put together. */
@NullMarked
package io.fairlead.daemon;

import org.jspecify.annotations.NullMarked;
