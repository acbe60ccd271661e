package io.fairlead.cli;

import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Ansi;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Devices of a host's daemon, in the commands that are about the kernel's, too. */
final class DaemonDevices {
    private DaemonDevices() {}

    /** All that the daemon has; null where no daemon is meant. */
    static @Nullable JsonNode all(DaemonAddress daemon) throws IOException {
        if (!daemon.isMeant()) {
            return null;
        }
        try (ApiClient client = daemon.open()) {
            return client.get("/v1/devices").path("devices");
        }
    }

    /** The one of a name; null where no daemon is meant, or it has none of that name. */
    static @Nullable JsonNode find(DaemonAddress daemon, String name) throws IOException {
        JsonNode all = all(daemon);
        if (all != null) {
            for (JsonNode device : all) {
                if (device.path("name").asString("").equals(name)) {
                    return device;
                }
            }
        }
        return null;
    }

    /** As people see them. */
    static String table(Iterable<JsonNode> devices) {
        Table table = new Table("NAME", "TYPE", "MGMTDEV", "MACHINE", "CONNECTED", "ATTRIBUTES");
        for (JsonNode device : devices) {
            StringBuilder attributes = new StringBuilder();
            device.path("attributes")
                    .properties()
                    .forEach(entry -> attributes
                            .append(attributes.isEmpty() ? "" : " ")
                            .append(entry.getKey())
                            .append('=')
                            .append(entry.getValue().asString("")));
            if (device.has("problem")) {
                attributes.append(" problem: ").append(device.path("problem").asString(""));
            }
            table.row(
                    device.path("name").asString(""),
                    device.path("type").asString(""),
                    device.path("mgmtdev").asString("-"),
                    device.path("machine").asString("-"),
                    device.path("connected").asBoolean(false) ? "yes" : "no",
                    attributes.toString());
        }
        return table.text(Ansi.AUTO.enabled());
    }

    /** One, or what became of it. */
    static void print(JsonNode device, boolean json) {
        if (json) {
            System.out.println(device);
        } else {
            System.out.print(table(List.of(device)));
        }
    }

    /** Makes one. */
    static void add(DaemonAddress daemon, String name, String type, Map<String, String> attributes, boolean json)
            throws IOException {
        ObjectNode body =
                JsonMapper.shared().createObjectNode().put("name", name).put("type", type);
        attributes.forEach(body.putObject("attributes")::put);
        try (ApiClient client = daemon.open()) {
            print(client.post("/v1/devices", body), json);
        }
    }

    static void remove(DaemonAddress daemon, String name) throws IOException {
        try (ApiClient client = daemon.open()) {
            JsonNode _ = client.delete(DaemonMixin.path("/v1/devices/%s", name));
        }
    }

    /** Changes one while a guest uses it. */
    static void change(DaemonAddress daemon, String name, Map<String, String> attributes, boolean forced, boolean json)
            throws IOException {
        ObjectNode body = JsonMapper.shared().createObjectNode().put("force", forced);
        attributes.forEach(body.putObject("attributes")::put);
        try (ApiClient client = daemon.open()) {
            print(client.patch(DaemonMixin.path("/v1/devices/%s", name), body), json);
        }
    }

    /** What one has done. */
    static void statistics(DaemonAddress daemon, String name, boolean json) throws IOException {
        try (ApiClient client = daemon.open()) {
            JsonNode answer = client.get(DaemonMixin.path("/v1/devices/%s/statistics", name));
            if (json) {
                System.out.println(answer);
                return;
            }
            System.out.println(name + ":");
            int queue = 0;
            for (JsonNode counts : answer.path("queues")) {
                StringBuilder line = new StringBuilder("  queue ").append(queue++);
                counts.properties()
                        .forEach(entry -> line.append(' ')
                                .append(entry.getKey())
                                .append(' ')
                                .append(entry.getValue().asString("unknown")));
                System.out.println(line);
            }
            answer.path("counters")
                    .properties()
                    .forEach(entry -> System.out.println(
                            "  " + entry.getKey() + " " + entry.getValue().asString("")));
        }
    }

    /** What makes devices; all, or one. */
    static void showManagementDevices(DaemonAddress daemon, @Nullable String name, boolean json) throws IOException {
        JsonNode answer;
        try (ApiClient client = daemon.open()) {
            answer = client.get("/v1/mgmtdevs");
        }
        ArrayNode found = JsonMapper.shared().createArrayNode();
        answer.path("mgmtdevs")
                .valueStream()
                .filter(one -> name == null || name.equals(one.path("name").asString("")))
                .forEach(found::add);
        if (name != null && found.isEmpty()) {
            throw new IOException("management device %s: the daemon has none of that name".formatted(name));
        }
        if (json) {
            System.out.println(JsonMapper.shared().createObjectNode().set("mgmtdevs", found));
        } else {
            found.forEach(
                    one -> System.out.println(NodeObjects.text(one.path("name").asString(""), one)));
        }
    }
}
