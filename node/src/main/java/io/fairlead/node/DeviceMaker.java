package io.fairlead.node;

import java.io.IOException;
import java.util.Map;

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

        @Override
        public void change(String name, Map<String, String> attributes, boolean forced) throws IOException {
            throw new IOException("device %s: this node changes no devices while it runs".formatted(name));
        }

        @Override
        public void follow(String name, Map<String, String> attributes) {}
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

    /**
     * Changes a device while a driver uses it. Any thread.
     *
     * @param name of one that there is
     * @param forced also where it can cost data
     * @throws IllegalArgumentException where that cannot be changed, or not to this value
     * @throws IOException where the host refuses
     */
    void change(String name, Map<String, String> attributes, boolean forced) throws IOException;

    /**
     * Changes a device as its machine's former host did while the machine moved here: only what names nothing of a host,
     * the rest is left. Any thread.
     *
     * @param name of one that there is
     * @throws IllegalArgumentException where a value is wrong
     * @throws IOException where the host refuses
     */
    void follow(String name, Map<String, String> attributes) throws IOException;
}
