/** A driver within this process: what a device of ours costs by itself, without a guest or another process. */
@NullMarked
package io.fairlead.bench.driver;

import org.jspecify.annotations.NullMarked;
