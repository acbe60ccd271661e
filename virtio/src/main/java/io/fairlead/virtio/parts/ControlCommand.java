package io.fairlead.virtio.parts;

/**
 * A command of the network device's control queue (virtio 1.4, 5.1.6.5), without its acknowledgement.
 *
 * @param commandClass such as 1 for MAC
 * @param command within its class
 * @param data as the driver gave it
 */
public record ControlCommand(int commandClass, int command, Octets data) {}
