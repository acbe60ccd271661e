/** Measures network devices beside DPDK's vhost. */
@NullMarked
package io.fairlead.bench.net;

import org.jspecify.annotations.NullMarked;
