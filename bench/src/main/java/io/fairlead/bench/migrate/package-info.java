/** The benchmark of migrations: downtime beside QEMU's own in-process disk. */
@NullMarked
package io.fairlead.bench.migrate;

import org.jspecify.annotations.NullMarked;
