/** The channel between two nodes: mutual TLS, bounded frames, requests with answers. */
@NullMarked
package io.fairlead.node.channel;

import org.jspecify.annotations.NullMarked;
