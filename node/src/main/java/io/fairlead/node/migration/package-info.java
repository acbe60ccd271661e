/** The orchestration of a live migration, both sides. */
@NullMarked
package io.fairlead.node.migration;

import org.jspecify.annotations.NullMarked;
