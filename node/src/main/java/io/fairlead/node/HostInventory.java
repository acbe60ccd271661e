package io.fairlead.node;

import java.io.IOException;
import java.util.List;

/** What of vDPA a node's host has at this moment, Fairlead's own first, then the kernel's. Any thread. */
public interface HostInventory {
    /** Nothing. */
    HostInventory NONE = new HostInventory() {
        @Override
        public List<HostObject> managementDevices() {
            return List.of();
        }

        @Override
        public List<HostObject> devices() {
            return List.of();
        }
    };

    /**
     * What makes devices.
     *
     * @throws IOException where the kernel does not tell
     */
    List<HostObject> managementDevices() throws IOException;

    /** The devices that there are, those that the node presents by the names that machines use. */
    List<HostObject> devices() throws IOException;
}
