/**
 * What tests, demo and benchmarks need and a machine does not have: QEMU in two versions, a guest kernel, programs and
 * images, fetched by package name into a cache folder without changing the system; and guests that run a job and report
 * what came of it. {@link io.fairlead.testbed.Testbed} is the way in.
 */
@NullMarked
package io.fairlead.testbed;

import org.jspecify.annotations.NullMarked;
