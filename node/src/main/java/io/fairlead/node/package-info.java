/**
 * One host's node: serves devices to machines, knows their QEMUs, talks to other nodes and moves machines between them.
 * The composition of everything below it.
 */
@NullMarked
package io.fairlead.node;

import org.jspecify.annotations.NullMarked;
