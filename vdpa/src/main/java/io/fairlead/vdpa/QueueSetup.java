package io.fairlead.vdpa;

/**
 * What the driver set up for a queue.
 *
 * @param size ring entries
 * @param descriptorAddress guest address of the descriptor table or ring
 * @param driverAddress guest address of the available ring or driver event area
 * @param deviceAddress guest address of the used ring or device event area
 */
public record QueueSetup(int size, long descriptorAddress, long driverAddress, long deviceAddress) {}
