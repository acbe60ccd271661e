package io.fairlead.cli;

import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vdpa.state.Section;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.FeatureTable;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import io.fairlead.virtio.parts.DevicePart;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A device state as a user reads it: one tree for JSON, for text, and for what differs between two. */
final class StateTree {
    private final JsonMapper mapper = new JsonMapper();
    private final DeviceState state;
    private final ObjectNode root = mapper.createObjectNode();

    private StateTree(DeviceState state) {
        this.state = state;
    }

    static ObjectNode of(DeviceState state) {
        StateTree tree = new StateTree(state);
        tree.header();
        tree.driver();
        tree.queues();
        tree.config();
        ObjectNode identity = tree.root.putObject("identity");
        state.identity().forEach(identity::put);
        tree.source();
        state.sections().forEach(tree::rest);
        return tree.root;
    }

    private void header() {
        root.put("version", "%d.%d".formatted(DeviceState.MAJOR, state.header().minor()));
        root.put("kind", state.isFinal() ? "final" : "provisional");
        root.put("uuid", state.uuid().toString());
        root.put("epoch", state.epoch());
        root.put("type", DeviceId.name(state.deviceId()));
        root.put("deviceId", state.deviceId());
    }

    private void driver() {
        FeatureTable table = FeatureTable.of(state.deviceId());
        ObjectNode driver = root.putObject("driver");
        driver.put("status", DeviceStatus.describe(state.status()));
        table.names(state.driverFeatures()).forEach(driver.putArray("features")::add);
    }

    private void queues() {
        ArrayNode queues = root.putArray("queues");
        SortedMap<Integer, QueueState> positions = state.queueStates();
        SortedMap<Integer, InflightRequests> inflight = state.inflightRequests();
        for (DevicePart.QueueConfiguration part : state.parts().queues()) {
            ObjectNode queue = queues.addObject();
            queue.put("queue", part.queue());
            queue.put("size", part.size());
            if (!part.enabled()) {
                queue.put("enabled", false);
                continue;
            }
            queue.put("descriptors", hex(part.descriptorAddress()));
            queue.put("driver", hex(part.driverAddress()));
            queue.put("device", hex(part.deviceAddress()));
            QueueState position = positions.get(part.queue());
            if (position != null) {
                queue.put("available", describe(position, true));
                queue.put("used", describe(position, false));
            }
            InflightRequests requests = inflight.get(part.queue());
            if (requests != null) {
                describe(requests).forEach(queue.putArray("inflight")::add);
            }
        }
    }

    private static String describe(QueueState position, boolean available) {
        return switch (position) {
            case QueueState.Split split -> Integer.toString(available ? split.availableIndex() : split.usedIndex());
            case QueueState.Packed packed ->
                available
                        ? "%d wrap %d".formatted(packed.availableIndex(), packed.availableWrap() ? 1 : 0)
                        : "%d wrap %d".formatted(packed.usedIndex(), packed.usedWrap() ? 1 : 0);
        };
    }

    private static List<String> describe(InflightRequests requests) {
        return switch (requests) {
            case InflightRequests.Split split ->
                split.heads().stream().map("head %d"::formatted).toList();
            case InflightRequests.Packed packed ->
                packed.chains().stream().map(StateTree::describe).toList();
        };
    }

    private static String describe(InflightRequests.Chain chain) {
        StringBuilder text = new StringBuilder(
                "buffer %d:".formatted(chain.descriptors().getLast().bufferId()));
        for (InflightRequests.Descriptor descriptor : chain.descriptors()) {
            text.append(" 0x%x+%s".formatted(descriptor.address(), Integer.toUnsignedString(descriptor.byteCount())));
            if ((descriptor.flags() & RingLayout.WRITE) != 0) {
                text.append('w');
            }
            if ((descriptor.flags() & RingLayout.INDIRECT) != 0) {
                text.append('i');
            }
        }
        return text.toString();
    }

    private void config() {
        Section.DeviceConfiguration config = state.config();
        ObjectNode node = root.putObject("config");
        byte[] bytes = config.bytes().toArray();
        node.put("generation", Integer.toUnsignedLong(config.generation()));
        List<ConfigField> fields = ConfigField.of(state.deviceId());
        ArrayNode written = mapper.createArrayNode();
        for (ConfigField field : fields) {
            if (field.end() <= bytes.length && field.exists(state.profile().deviceFeatures())) {
                put(node, field, bytes);
                if (config.isDriverWritten(field.offset())) {
                    written.add(field.name());
                }
            }
        }
        if (fields.isEmpty() && bytes.length > 0) {
            node.put("bytes", HexFormat.of().formatHex(bytes));
        }
        node.set("writtenByDriver", written);
    }

    private static void put(ObjectNode node, ConfigField field, byte[] bytes) {
        switch (field.byteCount()) {
            case 1, 2, 4 -> node.put(field.name(), field.read(MemorySegment.ofArray(bytes)));
            case 8 -> node.put(field.name(), Long.toUnsignedString(field.read(MemorySegment.ofArray(bytes))));
            default -> node.put(field.name(), HexFormat.of().formatHex(bytes, field.offset(), field.end()));
        }
    }

    private void source() {
        DeviceProfile profile = state.profile();
        ObjectNode source = root.putObject("source");
        source.put("name", profile.name());
        source.put("vendor", profile.vendor());
        profile.capabilities().forEach(source.putArray("capabilities")::add);
        FeatureTable.of(profile.deviceId()).names(profile.deviceFeatures()).forEach(source.putArray("features")::add);
        profile.queues().forEach(queue -> source.withArray("maxQueueSizes").add(queue.maxSize()));
    }

    /** The sections that not every state has. */
    private void rest(Section section) {
        switch (section) {
            case Section.Completed completed ->
                completed.queues().forEach(queue -> {
                    ArrayNode ids = root.withArray("completed")
                            .addObject()
                            .put("queue", queue.queue())
                            .putArray("requests");
                    queue.completions()
                            .forEach(completion -> ids.add("%d, %s bytes written"
                                    .formatted(completion.id(), Integer.toUnsignedString(completion.writtenBytes()))));
                });
            case Section.ControlState control ->
                control.commands()
                        .forEach(command -> root.withArray("controlQueue")
                                .addObject()
                                .put("class", command.commandClass())
                                .put("command", command.command())
                                .put("data", command.data().toHex()));
            case Section.TypeState type ->
                root.putObject("typeState")
                        .put("bytes", type.data().size())
                        .put("data", type.data().toString());
            case Section.Vendor vendor ->
                root.putObject("vendor")
                        .put("vendor", vendor.vendor())
                        .put("version", vendor.vendorVersion())
                        .put("bytes", vendor.data().size())
                        .put("data", vendor.data().toString());
            case Section.Statistics statistics ->
                statistics
                        .queues()
                        .forEach(queue -> root.withArray("statistics").add(mapper.valueToTree(queue)));
            case Section.Unknown unknown ->
                root.withArray("unknown")
                        .addObject()
                        .put("kind", unknown.kind())
                        .put("version", Integer.toUnsignedLong(unknown.version()))
                        .put("bytes", unknown.data().size())
                        .put("data", unknown.data().toString());
            default -> {
                // Shown before.
            }
        }
    }

    private static String hex(long value) {
        return "0x%x".formatted(value);
    }

    // ---- as text ----

    /** Indented lines, a value a line; objects and lists of plain values in one. */
    static String text(ObjectNode tree) {
        StringBuilder text = new StringBuilder();
        tree.properties().forEach(property -> text(property.getKey(), property.getValue(), "", text));
        return text.toString();
    }

    private static void text(String name, JsonNode value, String indent, StringBuilder text) {
        if (value.isValueNode() || isPlain(value)) {
            text.append("%s%-16s %s%n".formatted(indent, name, line(value)));
            return;
        }
        text.append("%s%s%n".formatted(indent, name));
        if (value.isObject()) {
            value.properties().forEach(property -> text(property.getKey(), property.getValue(), indent + "  ", text));
        } else {
            value.forEach(element -> text.append("%s  %s%n".formatted(indent, line(element))));
        }
    }

    /** A list of values. */
    private static boolean isPlain(JsonNode value) {
        return value.isArray() && value.valueStream().allMatch(JsonNode::isValueNode);
    }

    private static String line(JsonNode value) {
        if (value.isValueNode()) {
            String text = value.asString();
            return text.isEmpty() ? "unknown" : text;
        }
        if (value.isArray()) {
            List<String> elements = value.valueStream().map(StateTree::line).toList();
            return elements.isEmpty() ? "none" : String.join(", ", elements);
        }
        return String.join(
                ", ",
                value.properties().stream()
                        .map(property -> property.getKey() + " " + bracketed(property.getValue()))
                        .toList());
    }

    private static String bracketed(JsonNode value) {
        return value.isArray() ? "[" + line(value) + "]" : line(value);
    }

    // ---- what differs ----

    /** Every value by its path, such as {@code queues[0].used}. */
    static SortedMap<String, String> flat(ObjectNode tree) {
        SortedMap<String, String> values = new TreeMap<>();
        for (Map.Entry<String, JsonNode> property : tree.properties()) {
            flat(property.getKey(), property.getValue(), values);
        }
        return values;
    }

    private static void flat(String path, JsonNode value, SortedMap<String, String> values) {
        if (value.isObject()) {
            value.properties().forEach(property -> flat(path + "." + property.getKey(), property.getValue(), values));
        } else if (value.isArray() && !isPlain(value)) {
            for (int i = 0; i < value.size(); i++) {
                flat("%s[%d]".formatted(path, i), value.get(i), values);
            }
        } else {
            values.put(path, line(value));
        }
    }
}
