/** What happened, numbered and kept for a while, for those who watch. */
@NullMarked
package io.fairlead.daemon.events;

import org.jspecify.annotations.NullMarked;
