/** What every benchmark shares: samples, bars, rows, and the report as text, JSON and Markdown. */
@NullMarked
package io.fairlead.bench;

import org.jspecify.annotations.NullMarked;
