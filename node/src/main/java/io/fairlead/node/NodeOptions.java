package io.fairlead.node;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How a node runs.
 *
 * @param name for messages of other nodes
 * @param state the folder of its journals; made where it is missing
 * @param control where its control socket is made, with mode 0600; null for none
 * @param listen where other nodes and the source's QEMU connect to
 * @param certificates the host's folder, see {@link io.fairlead.node.tls.NodeCertificates}; absolute
 */
public record NodeOptions(
        String name, Path state, @Nullable Path control, InetSocketAddress listen, Path certificates) {}
