package io.fairlead.daemon.device;

import io.fairlead.node.DeviceOption;
import io.fairlead.node.NodeDevice;
import io.fairlead.virtio.DeviceId;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A device that the daemon keeps, whether it could be made or not. Guarded by {@link Devices}. */
final class KeptDevice {
    private final DeviceOption option;

    private final DeviceOwner owner;

    private @Nullable NodeDevice device;
    private String problem = "";
    private @Nullable String machine;

    KeptDevice(DeviceOption option, DeviceOwner owner) {
        this.option = option;
        this.owner = owner;
    }

    static KeptDevice of(JsonNode written) {
        return new KeptDevice(DeviceOption.of(written), DeviceOwner.of(written));
    }

    /** As it is written down. */
    ObjectNode written() {
        return owner.into(option.into(JsonNodeFactory.instance.objectNode()));
    }

    /** The same with other attributes. */
    KeptDevice with(DeviceOption other) {
        KeptDevice changed = new KeptDevice(other, owner);
        changed.device = device;
        changed.problem = problem;
        changed.machine = machine;
        return changed;
    }

    DeviceOption option() {
        return option;
    }

    DeviceOwner owner() {
        return owner;
    }

    @Nullable
    NodeDevice device() {
        return device;
    }

    void made(NodeDevice made) {
        device = made;
        problem = "";
    }

    void failed(String why) {
        device = null;
        problem = why;
    }

    String problem() {
        return problem;
    }

    @Nullable
    String machine() {
        return machine;
    }

    void machine(@Nullable String user) {
        machine = user;
    }

    /** As the API shows it. */
    ObjectNode json() {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("name", option.name());
        node.put("type", DeviceId.name(option.deviceId()));
        ObjectNode attributes = node.putObject("attributes");
        option.attributes().forEach(attributes::put);
        node.put("machine", machine);
        node.put("owner", owner.machine() == null ? "user" : "machine");
        node.put("socket", option.socket().toString());
        NodeDevice there = device;
        node.put("connected", there != null && there.isConnected());
        if (there == null) {
            node.put("problem", problem);
        } else {
            node.put("max_vqs", there.device().queueCount());
            node.put("max_vq_size", there.device().maxQueueSize(0));
        }
        return node;
    }
}
