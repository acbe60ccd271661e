/** What a daemon must not forget: its objects, in a journal. */
@NullMarked
package io.fairlead.daemon.store;

import org.jspecify.annotations.NullMarked;
