package io.fairlead.node;

import java.nio.file.Path;
import java.util.List;

/**
 * A machine that a node gets from its owner.
 *
 * @param qmp the socket of a monitor of its QEMU that is the node's own
 * @param devices that it uses, served by the node
 */
public record HostedMachine(String name, Path qmp, List<NodeDevice> devices) {
    public HostedMachine {
        devices = List.copyOf(devices);
    }
}
