/** The benchmark of disks: {@link io.fairlead.bench.blk.BlkBench}. */
@NullMarked
package io.fairlead.bench.blk;

import org.jspecify.annotations.NullMarked;
