/** The benchmark of shared file systems: {@link io.fairlead.bench.fs.FsBench}. */
@NullMarked
package io.fairlead.bench.fs;

import org.jspecify.annotations.NullMarked;
