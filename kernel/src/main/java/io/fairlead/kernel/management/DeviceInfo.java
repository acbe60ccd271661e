package io.fairlead.kernel.management;

import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What the kernel tells of a vDPA device.
 *
 * @param name on the vdpa bus
 * @param managementDevice who made it
 * @param deviceId the virtio device id
 * @param vendorId the virtio vendor id
 * @param maxQueues its virtqueues
 * @param maxQueueSize the most entries of one
 * @param minQueueSize the fewest, where the kernel tells it
 */
public record DeviceInfo(
        String name,
        ManagementDeviceName managementDevice,
        int deviceId,
        OptionalLong vendorId,
        OptionalLong maxQueues,
        OptionalInt maxQueueSize,
        OptionalInt minQueueSize) {}
