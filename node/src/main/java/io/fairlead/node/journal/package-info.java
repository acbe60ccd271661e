/** What a node must not forget when it is killed: how far a migration has come. */
@NullMarked
package io.fairlead.node.journal;

import org.jspecify.annotations.NullMarked;
