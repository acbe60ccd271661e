package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.daemon.client.ApiClient;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead daemon} as a process of its own, which can be killed and started again, and a client of it. */
final class DaemonProcess implements AutoCloseable {
    private final Path folder;
    private final QemuRelease release;
    private final List<String> options;
    private ServeProcess process;

    private DaemonProcess(Path folder, QemuRelease release, List<String> options)
            throws IOException, InterruptedException {
        this.folder = folder;
        this.release = release;
        this.options = options;
        this.process = launch();
    }

    /**
     * @param folder of its state, with a short path
     * @param options more of its configuration, as KEY=VALUE
     */
    static DaemonProcess start(Path folder, QemuRelease release, String... options)
            throws IOException, InterruptedException {
        return new DaemonProcess(folder, release, List.of(options));
    }

    private ServeProcess launch() throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of("daemon", "-c", "/dev/null"));
        List<String> all = new ArrayList<>(options);
        all.add("state-folder=" + folder);
        all.add("qemu=" + Lab.TESTBED.qemuProgram(release));
        all.forEach(option -> words.addAll(List.of("-o", option)));
        ServeProcess started = ServeProcess.startCommand(List.of(), words);
        long _ = started.awaitReady();
        return started;
    }

    /** SIGKILL. */
    void kill() throws IOException, InterruptedException {
        process.kill();
    }

    void startAgain() throws IOException, InterruptedException {
        process = launch();
    }

    /** Of its state. */
    Path folder() {
        return folder;
    }

    String output() {
        return process.output();
    }

    /** An orderly end; its exit code. */
    int terminate() throws IOException, InterruptedException {
        return process.terminate();
    }

    ApiClient client() throws IOException {
        return ApiClient.connect(folder.resolve("run/fairlead.sock").toString(), null);
    }

    JsonNode get(String path) throws IOException {
        try (ApiClient client = client()) {
            return client.get(path);
        }
    }

    JsonNode delete(String path) throws IOException {
        try (ApiClient client = client()) {
            return client.delete(path);
        }
    }

    /** Makes a device; the words are its attributes. */
    JsonNode addDevice(String name, String type, String... attributes) throws IOException {
        ObjectNode body =
                JsonMapper.shared().createObjectNode().put("name", name).put("type", type);
        ObjectNode all = body.putObject("attributes");
        for (String attribute : attributes) {
            int equals = attribute.indexOf('=');
            all.put(attribute.substring(0, equals), attribute.substring(equals + 1));
        }
        try (ApiClient client = client()) {
            return client.post("/v1/devices", body);
        }
    }

    JsonNode define(String document) throws IOException {
        try (ApiClient client = client()) {
            return client.post("/v1/machines", "application/xml", document);
        }
    }

    /** Has something done and waits for its end, which has to be a good one. */
    JsonNode done(JsonNode begun) throws IOException {
        JsonNode ended = ended(begun);
        assertThat(ended.path("state").asString()).as(ended.toString()).isEqualTo("done");
        return ended;
    }

    JsonNode ended(JsonNode begun) throws IOException {
        try (ApiClient client = client()) {
            return client.awaitOperation(begun.path("id").asString(), _ -> {});
        }
    }

    JsonNode post(String path) throws IOException {
        try (ApiClient client = client()) {
            return client.post(path, null);
        }
    }

    JsonNode post(String path, ObjectNode body) throws IOException {
        try (ApiClient client = client()) {
            return client.post(path, body);
        }
    }

    JsonNode attach(String machine, String device) throws IOException {
        try (ApiClient client = client()) {
            return client.post("/v1/machines/" + machine + "/devices", "application/xml", device);
        }
    }

    /** What a guest of the test-bed reported by its second serial port. */
    List<JsonNode> reported(String machine) throws IOException {
        Path log =
                Path.of(get("/v1/machines/" + machine).path("consoles").path(1).asString() + ".log");
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readString(log, StandardCharsets.ISO_8859_1).split("\r?\n", -1)) {
            if (line.startsWith("@fairlead {") && line.endsWith("}")) {
                lines.add(JsonMapper.shared().readTree(line.substring("@fairlead ".length())));
            }
        }
        return lines;
    }

    /** Types a line at the console of a machine, and stays until the terminal has shown it. */
    void type(String machine, String line) throws IOException {
        Path socket =
                Path.of(get("/v1/machines/" + machine).path("consoles").path(0).asString());
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            boolean _ = channel.connect(UnixDomainSocketAddress.of(socket));
            ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                int _ = channel.write(bytes);
            }
            StringBuilder shown = new StringBuilder();
            ByteBuffer some = ByteBuffer.allocate(256);
            while (shown.indexOf(line) < 0 && channel.read(some) >= 0) {
                shown.append(new String(some.array(), 0, some.position(), StandardCharsets.ISO_8859_1));
                some.clear();
            }
        }
    }

    /** Ends what is left of machines, which outlive the daemon, and the daemon. */
    @Override
    public void close() {
        process.close();
        ProcessHandle.allProcesses()
                .filter(handle -> handle.info()
                        .arguments()
                        .map(words -> String.join(" ", words).contains(folder + "/run/machines/"))
                        .orElse(false))
                .forEach(ProcessHandle::destroyForcibly);
    }
}
