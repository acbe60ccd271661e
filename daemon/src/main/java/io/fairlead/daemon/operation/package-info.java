/** What a daemon does that takes its time: written down, watched, taken back. */
@NullMarked
package io.fairlead.daemon.operation;

import org.jspecify.annotations.NullMarked;
