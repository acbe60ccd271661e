/** The daemon's configuration file. */
@NullMarked
package io.fairlead.daemon.config;

import org.jspecify.annotations.NullMarked;
