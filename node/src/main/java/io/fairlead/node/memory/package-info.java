/** The self-check of a migration: a machine's memory by the hashes of its pages, made at one host and compared at another. */
@NullMarked
package io.fairlead.node.memory;

import org.jspecify.annotations.NullMarked;
