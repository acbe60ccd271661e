package io.fairlead.vdpa;

import java.io.IOException;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * What creates vDPA devices: Fairlead's own software, and the kernel's (a DPU's physical function, VDUSE, a simulator).
 * Called by one control thread at a time.
 */
public interface ManagementDevice {
    /** As in {@code vdpa mgmtdev show}. */
    String name();

    /** The virtio device ids that it can create. */
    Set<Integer> deviceIds();

    /**
     * Creates a device.
     *
     * @param name unique in the registry
     * @param deviceId one of {@link #deviceIds}
     * @param attributes settings of the type, by name
     * @throws IllegalArgumentException where an attribute is unknown, missing or wrong: says which, and what is allowed
     * @throws IOException where the host refuses
     */
    VdpaDevice add(String name, int deviceId, Map<String, String> attributes) throws IOException;

    /**
     * Closes a device that {@link #add} created, and deletes what stands for it on the host, such as the kernel's vDPA
     * device. A device that is only closed may be opened again where it outlives the process.
     *
     * @throws IOException where the host refuses; the device is closed all the same
     */
    default void delete(VdpaDevice device) throws IOException {
        device.close();
    }

    /** The most virtqueues that one of its devices may have, where it says so. */
    default OptionalInt maxQueues() {
        return OptionalInt.empty();
    }

    /** The feature bits that its devices may have, where it says so. */
    default OptionalLong supportedFeatures() {
        return OptionalLong.empty();
    }
}
