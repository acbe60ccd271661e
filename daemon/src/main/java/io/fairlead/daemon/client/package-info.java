/** The daemon's API from the other side, for the command line. */
@NullMarked
package io.fairlead.daemon.client;

import org.jspecify.annotations.NullMarked;
