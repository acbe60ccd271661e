package io.fairlead.node;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * A change of a device on line, as of {@code fairlead dev set}. Those that are made while a machine moves go with it, after
 * the states of its devices.
 *
 * @param attributes with their new values
 */
record DeviceChange(Map<String, String> attributes) {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceChange.class);
    private static final JsonMapper JSON = new JsonMapper();

    DeviceChange {
        attributes = new LinkedHashMap<>(attributes);
    }

    /** What was changed of devices while their machine moved, for the other node. */
    static byte[] encode(List<NodeDevice> devices) {
        ArrayNode all = JSON.createArrayNode();
        for (NodeDevice device : devices) {
            for (DeviceChange change : device.changes()) {
                var node = all.addObject().put("device", device.name());
                change.attributes().forEach(node.putObject("attributes")::put);
            }
        }
        return JSON.writeValueAsString(all).getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Changes the devices of the same names here in the same way, as far as it names nothing of a host: another node must
     * not open a path here. What cannot be changed is in the log; where the guest would see it, the devices' states do not
     * fit then.
     *
     * @throws IOException where the bytes are damaged
     */
    static void replay(byte[] encoded, List<NodeDevice> devices, DeviceMaker maker) throws IOException {
        JsonNode all;
        try {
            all = JSON.readTree(encoded);
        } catch (JacksonException e) {
            throw new IOException("the changes on the way are damaged: " + e.getOriginalMessage(), e);
        }
        for (JsonNode node : all) {
            DeviceChange change = new DeviceChange(DeviceOption.attributes(node));
            for (NodeDevice device : devices) {
                if (device.name().equals(node.path("device").asString(""))) {
                    device.replay(maker, change);
                }
            }
        }
    }

    /** Of a device that did not take it. */
    void refused(String device, Exception reason) {
        LOG.warn(
                "device {}: {} was set at the source while its machine moved, and is not here: {}",
                device,
                attributes,
                reason.getMessage());
    }
}
