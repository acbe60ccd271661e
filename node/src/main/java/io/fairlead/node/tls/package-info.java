/** Certificates of nodes: made in the layout of QEMU's {@code tls-creds-x509}, read, and explained when refused. */
@NullMarked
package io.fairlead.node.tls;

import org.jspecify.annotations.NullMarked;
