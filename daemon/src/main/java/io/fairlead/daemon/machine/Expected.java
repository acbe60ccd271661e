package io.fairlead.daemon.machine;

import io.fairlead.node.DeviceOption;
import io.fairlead.node.channel.Message;
import io.fairlead.node.migration.Kind;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;

/**
 * A machine that a source announces, see {@link Kind#EXPECT}.
 *
 * @param source the other host's name
 * @param live the domain that runs there
 * @param definition the domain that it is started from the next time
 * @param devices in the order of the machine
 * @param later names of the devices that it gets when it runs here
 */
record Expected(
        String source,
        String machine,
        String live,
        String definition,
        boolean autostart,
        List<ExpectedDevice> devices,
        List<String> later) {
    /**
     * A device of the machine.
     *
     * @param attributes that it was made with there
     * @param isOwned whether the domain makes it wherever it starts
     * @param state what it is there; not final
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on, never compared
    record ExpectedDevice(String name, int deviceId, Map<String, String> attributes, boolean isOwned, byte[] state) {}

    Expected {
        devices = List.copyOf(devices);
        later = List.copyOf(later);
    }

    Message message() {
        Message message = Message.of(Kind.EXPECT).with("machine", machine).with("autostart", autostart ? 1 : 0);
        List<byte[]> blobs = new ArrayList<>();
        blobs.add(live.getBytes(StandardCharsets.UTF_8));
        blobs.add(definition.getBytes(StandardCharsets.UTF_8));
        ArrayNode list = message.fields().putArray("devices");
        for (ExpectedDevice device : devices) {
            var node = list.addObject()
                    .put("name", device.name())
                    .put("type", DeviceId.name(device.deviceId()))
                    .put("owned", device.isOwned());
            device.attributes().forEach(node.putObject("attributes")::put);
            blobs.add(device.state());
        }
        later.forEach(message.fields().putArray("later")::add);
        return new Message(message.kind(), message.fields(), blobs);
    }

    /** @throws IOException where something is missing or cannot be right */
    static Expected of(String source, String machine, Message message) throws IOException {
        JsonNode list = message.fields().path("devices");
        List<byte[]> blobs = message.blobs();
        if (!Domain.isName(machine) || machine.indexOf('/') >= 0) {
            throw new IOException("'%s' is no machine's name".formatted(machine));
        }
        if (blobs.size() != list.size() + 2) {
            throw new IOException(
                    "machine %s: %d states came for %d devices".formatted(machine, blobs.size() - 2, list.size()));
        }
        List<ExpectedDevice> devices = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            JsonNode node = list.path(i);
            String type = node.path("type").asString("");
            devices.add(new ExpectedDevice(
                    node.path("name").asString(""),
                    DeviceId.byName(type).orElseThrow(() -> new IOException("'%s' is no virtio type".formatted(type))),
                    DeviceOption.attributes(node),
                    node.path("owned").asBoolean(false),
                    blobs.get(i + 2)));
        }
        List<String> later = new ArrayList<>();
        message.fields().path("later").forEach(name -> later.add(name.asString("")));
        return new Expected(
                source,
                machine,
                new String(blobs.getFirst(), StandardCharsets.UTF_8),
                new String(blobs.get(1), StandardCharsets.UTF_8),
                message.fields().path("autostart").asInt(0) == 1,
                devices,
                later);
    }

    List<String> order() {
        return devices.stream().map(ExpectedDevice::name).toList();
    }

    /** @throws IOException where it is damaged */
    static DeviceState decode(ExpectedDevice device) throws IOException {
        return DeviceState.decode(device.state());
    }
}
