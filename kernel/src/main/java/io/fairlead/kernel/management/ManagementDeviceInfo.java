package io.fairlead.kernel.management;

import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;

/**
 * What the kernel tells of a management device.
 *
 * @param classes a bit for each virtio device id up to 63 that it can create
 * @param maxQueues the most virtqueues of one of its devices
 * @param supportedFeatures the virtio feature bits that its devices may have
 */
public record ManagementDeviceInfo(
        ManagementDeviceName name, OptionalLong classes, OptionalLong maxQueues, OptionalLong supportedFeatures) {
    /** The virtio device ids that it can create, sorted. */
    public Set<Integer> deviceIds() {
        Set<Integer> ids = new TreeSet<>();
        for (int id = 1; id < Long.SIZE; id++) {
            if ((classes.orElse(0) >>> id & 1) != 0) {
                ids.add(id);
            }
        }
        return ids;
    }
}
