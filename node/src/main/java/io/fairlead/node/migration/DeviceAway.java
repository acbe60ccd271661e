package io.fairlead.node.migration;

/**
 * A device that QEMU does not migrate: it left the machine before the move and came back to it where it runs now.
 *
 * @param device its name
 * @param awayMillis from when the guest had let go of it until a driver used it again, by the source's clock
 * @param problem why the machine does not have it; empty where it has
 */
public record DeviceAway(String device, long awayMillis, String problem) {}
