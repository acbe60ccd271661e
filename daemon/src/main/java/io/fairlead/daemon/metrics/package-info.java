/** Figures for Prometheus. */
@NullMarked
package io.fairlead.daemon.metrics;

import org.jspecify.annotations.NullMarked;
