package io.fairlead.node;

import java.io.IOException;

/** Makes devices for a node that runs, and takes them away again. One thread at a time. */
public interface DeviceMaker {
    /** Of a node whose devices stay what they are. */
    DeviceMaker NONE = new DeviceMaker() {
        @Override
        public NodeDevice make(DeviceOption option) throws IOException {
            throw new IOException("device %s: this node makes no devices while it runs".formatted(option.name()));
        }

        @Override
        public void remove(NodeDevice device) throws IOException {
            throw new IOException("device %s stays as long as this node".formatted(device.name()));
        }
    };

    /**
     * Makes a device, not served yet.
     *
     * @throws IllegalArgumentException where the option is wrong, or the name taken
     * @throws IOException where the host refuses
     */
    NodeDevice make(DeviceOption option) throws IOException;

    /** Closes a device that nobody uses any more. */
    void remove(NodeDevice device) throws IOException;
}
