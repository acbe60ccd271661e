package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The API's document against the specification of OpenAPI, and a daemon's answers against the document. */
@Timeout(300)
class ApiDocumentTest {
    private static final String JSON = "application/json";
    private static final String XML = "application/xml";
    private static final String ONE = "/v1/machines/{name}";

    /** Its firmware finds nothing to start, which is all that is needed of it here. */
    private static final String MACHINE = """
            <domain type='qemu'>
              <name>vm0</name>
              <memory unit='MiB'>64</memory>
              <vcpu>1</vcpu>
              <os><type arch='x86_64' machine='q35'>hvm</type></os>
              <features><acpi/></features>
              <devices>
                <hostdev mode='subsystem' type='vdpa'><source dev='disk0'/></hostdev>
                <serial type='pty'/>
                <graphics type='vnc' socket='SOCKET'/>
                <video><model type='vga'/></video>
              </devices>
            </domain>
            """;

    @TempDir
    private static Path folder;

    private static DaemonProcess daemon;
    private static DaemonProcess destination;
    private static Path socket;
    private static ApiDocument document;

    /** What was asked, with the status of the answer. */
    private final Set<String> answered = new TreeSet<>();

    @BeforeAll
    static void start() throws Exception {
        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder.resolve("ca"), Duration.ofDays(2));
        daemon = daemon(authority, "s");
        destination = daemon(authority, "d");
        socket = folder.resolve("s/run/fairlead.sock");
        document = new ApiDocument(daemon.get("/v1/openapi.json"));
    }

    private static DaemonProcess daemon(CertificateAuthority authority, String name) throws Exception {
        Path certificates = authority.createHost(List.of(name, "127.0.0.1"), Duration.ofDays(2));
        return DaemonProcess.start(
                folder.resolve(name),
                QemuRelease.V10,
                "name=" + name,
                "listen=127.0.0.1:" + freePort(),
                "certificates=" + certificates);
    }

    private static int freePort() throws IOException {
        try (ServerSocket some = new ServerSocket(0)) {
            return some.getLocalPort();
        }
    }

    @AfterAll
    static void stop() {
        Stream.of(daemon, destination).filter(Objects::nonNull).forEach(DaemonProcess::close);
    }

    private HttpAnswer ask(int status, String operation, String name, String contentType, String body)
            throws IOException {
        return ask(status, operation, name, "", contentType, body);
    }

    /**
     * Asks, and checks the answer.
     *
     * @param operation as the document names it
     * @param name for its first parameter
     * @param more what follows the path, up to a parameter that is left: the query
     */
    private HttpAnswer ask(int status, String operation, String name, String more, String contentType, String body)
            throws IOException {
        int space = operation.indexOf(' ');
        String path =
                operation.substring(space + 1).replaceFirst("\\{[a-z]+}", name).replace("{alias}", "disk1") + more;
        HttpAnswer answer = HttpAnswer.ask(socket, operation.substring(0, space), path, contentType, body);
        assertThat(answer.status()).as("%s: %s", operation, answer.text()).isEqualTo(status);
        assertThat(document.check(operation, answer))
                .as("%s: %s", operation, answer.text())
                .isEmpty();
        if (status < 400) {
            assertThat(document.checkRequest(operation, contentType, body))
                    .as(operation)
                    .isEmpty();
        }
        answered.add(operation + " " + status);
        return answer;
    }

    private HttpAnswer ask(int status, String operation, String name) throws IOException {
        return ask(status, operation, name, "", "");
    }

    /** Has an operation begun, and waits for its end, good or bad. */
    private JsonNode end(HttpAnswer begun) throws IOException {
        HttpAnswer ended =
                ask(200, "GET /v1/operations/{id}", begun.json().path("id").asString(), "?waitMillis=60000", "", "");
        assertThat(ended.json().path("state").asString()).isNotEqualTo("running");
        return ended.json();
    }

    private void done(HttpAnswer begun) throws IOException {
        JsonNode ended = end(begun);
        assertThat(ended.path("state").asString()).as(ended.toString()).isEqualTo("done");
    }

    @Test
    void theDocumentIsOne() throws IOException {
        JsonNode whole = daemon.get("/v1/openapi.json");
        assertThat(ApiDocument.faults(whole)).isEmpty();
        // What would be one that is not.
        for (String broken : new String[] {"info", "openapi"}) {
            ObjectNode less = (ObjectNode) whole.deepCopy();
            less.remove(broken);
            assertThat(ApiDocument.faults(less)).as(broken).isNotEmpty();
        }
        ObjectNode type = (ObjectNode) whole.deepCopy();
        ((ObjectNode) type.at("/components/schemas/Device")).put("type", "objekt");
        assertThat(ApiDocument.faults(type)).isNotEmpty();
        ObjectNode answer = (ObjectNode) whole.deepCopy();
        ((ObjectNode) answer.at("/paths/~1v1~1devices/get/responses/200")).remove("description");
        assertThat(ApiDocument.faults(answer)).isNotEmpty();
    }

    /** A path takes the methods of the document and no others. */
    @Test
    void noMethodIsUndocumented() throws IOException {
        assertThat(document.paths()).isNotEmpty();
        for (String path : document.paths()) {
            String some = path.replaceAll("\\{[a-z]+}", "none");
            for (String method : Set.of("GET", "POST", "PUT", "PATCH", "DELETE")) {
                if (!document.methods(path).contains(method)) {
                    HttpAnswer refused = HttpAnswer.ask(socket, method, some, "", "");
                    assertThat(refused.status()).as("%s %s", method, path).isEqualTo(405);
                    assertThat(Set.of(
                                    refused.headers().getOrDefault("allow", "").split(", ", -1)))
                            .as("%s %s", method, path)
                            .isEqualTo(document.methods(path));
                }
            }
        }
    }

    /** Each operation with each status that the document names for it. */
    @Test
    void everyRouteAnswersAsItIsDocumented() throws IOException {
        host();
        devices();
        machine();
        nothing();
        Set<String> all = new TreeSet<>();
        document.operations()
                .forEach(
                        operation -> document.statuses(operation).forEach(status -> all.add(operation + " " + status)));
        assertThat(answered).containsAll(all);
    }

    private void host() throws IOException {
        for (String path : new String[] {"host", "mgmtdevs", "devices", "statistics", "machines", "operations"}) {
            ask(200, "GET /v1/" + path, "");
            ask(400, "GET /v1/" + path, "", "?misspelt=1", "", "");
        }
        ask(200, "GET /v1/openapi.json", "");
        ask(200, "GET /metrics", "");
    }

    private void devices() throws IOException {
        for (String name : new String[] {"disk0", "disk1"}) {
            Path image = SoftwareDisks.emptyImage(folder.resolve(name + ".img"), 16 << 20);
            String device =
                    "{\"name\":\"%s\",\"type\":\"blk\",\"attributes\":{\"path\":\"%s\",\"locked\":\"off\",\"volume\":\"%s\"}}"
                            .formatted(name, image, name);
            ask(201, "POST /v1/devices", "", JSON, device);
            ask(409, "POST /v1/devices", "", JSON, device);
        }
        ask(400, "POST /v1/devices", "", JSON, "{\"name\":\"disk2\"}");
        ask(200, "GET /v1/devices/{name}", "disk0");
        ask(200, "PATCH /v1/devices/{name}", "disk1", JSON, "{\"attributes\":{\"size\":\"24M\"}}");
        ask(400, "PATCH /v1/devices/{name}", "disk1", JSON, "{\"attributes\":{\"size\":\"8M\"}}");
        ask(200, "GET /v1/devices/{name}/statistics", "disk0");
        ask(200, "GET /v1/statistics", "");
        ask(200, "GET /v1/devices", "");
        ask(200, "GET /v1/events", "", "?after=0", "", "");
    }

    private void machine() throws IOException {
        String xml = MACHINE.replace("SOCKET", folder.resolve("vnc").toString());
        ask(201, "POST /v1/machines", "", XML, xml);
        ask(400, "POST /v1/machines", "", XML, xml.replace(">64<", ">much<"));
        ask(200, "GET /v1/machines", "");
        ask(200, "GET " + ONE, "vm0");
        ask(200, "GET " + ONE + "/xml", "vm0", "?inactive=true", "", "");
        ask(200, "PUT " + ONE + "/autostart", "vm0", JSON, "{\"enabled\":false}");
        ask(409, "GET " + ONE + "/screenshot", "vm0");
        ask(409, "GET " + ONE + "/statistics", "vm0");
        String there = "{\"to\":\"%s\"}"
                .formatted(destination.get("/v1/host").path("listen").asString());
        ask(409, "POST " + ONE + "/check", "vm0", JSON, there);

        done(ask(202, "POST " + ONE + "/start", "vm0"));
        HttpAnswer picture = ask(200, "GET " + ONE + "/screenshot", "vm0");
        assertThat(picture.bytes()).startsWith("\u0089PNG");
        ask(200, "GET " + ONE + "/statistics", "vm0");
        ask(200, "GET " + ONE, "vm0");
        ask(200, "POST " + ONE + "/check", "vm0", JSON, there);
        JsonNode nowhere = end(ask(202, "POST " + ONE + "/migrate", "vm0", JSON, "{\"to\":\"127.0.0.1:1\"}"));
        assertThat(nowhere.path("state").asString()).as(nowhere.toString()).isEqualTo("failed");
        ask(409, "DELETE /v1/devices/{name}", "disk0");
        ask(409, "DELETE " + ONE, "vm0");
        for (String verb : new String[] {"pause", "resume", "reset"}) {
            done(ask(202, "POST " + ONE + "/" + verb, "vm0"));
        }
        String disk = "<hostdev mode='subsystem' type='vdpa'><source dev='disk1'/></hostdev>";
        done(ask(202, "POST " + ONE + "/devices", "vm0", XML, disk));
        // Nobody is there who would let go of it: how it ends is not the question.
        JsonNode kept = end(ask(202, "DELETE " + ONE + "/devices/{alias}", "vm0", "?guestTimeoutSeconds=1", "", ""));
        ask(409, "DELETE /v1/operations/{id}", kept.path("id").asString());

        // Nobody hears the power button either: it is waited for, and nothing else may begin.
        HttpAnswer waits = ask(202, "POST " + ONE + "/reboot", "vm0");
        for (String verb : new String[] {"start", "shutdown", "reboot", "reset", "destroy", "pause", "resume"}) {
            ask(409, "POST " + ONE + "/" + verb, "vm0");
        }
        ask(409, "POST " + ONE + "/migrate", "vm0", JSON, there);
        ask(409, "POST " + ONE + "/devices", "vm0", XML, disk);
        ask(409, "DELETE " + ONE + "/devices/{alias}", "vm0");
        ask(409, "POST /v1/machines", "", XML, xml);
        ask(200, "GET /v1/operations", "");
        ask(202, "DELETE /v1/operations/{id}", waits.json().path("id").asString());
        assertThat(end(waits).path("state").asString()).isEqualTo("cancelled");
        waits = ask(202, "POST " + ONE + "/shutdown", "vm0");
        ask(202, "DELETE /v1/operations/{id}", waits.json().path("id").asString());
        assertThat(end(waits).path("state").asString()).isEqualTo("cancelled");
        done(ask(202, "POST " + ONE + "/destroy", "vm0"));

        done(ask(202, "POST " + ONE + "/start", "vm0", JSON, "{\"paused\":true}"));
        assertThat(ask(200, "GET " + ONE, "vm0").json().path("state").asString())
                .isEqualTo("paused");
        done(ask(202, "POST " + ONE + "/destroy", "vm0"));
        ask(204, "DELETE " + ONE, "vm0");
        ask(204, "DELETE /v1/devices/{name}", "disk0");
    }

    /** What there is none of, wherever the document says that there may be none. */
    private void nothing() throws IOException {
        for (String operation : document.operations()) {
            if (document.statuses(operation).contains(404)) {
                String type = "";
                String body = "";
                if (operation.startsWith("PUT") || operation.startsWith("PATCH")) {
                    type = JSON;
                    body = "{\"enabled\":true,\"attributes\":{}}";
                } else if (operation.equals("POST " + ONE + "/devices")) {
                    type = XML;
                    body = "<disk/>";
                } else if (operation.endsWith("/check") || operation.endsWith("/migrate")) {
                    type = JSON;
                    body = "{\"to\":\"127.0.0.1:1\"}";
                }
                ask(404, operation, "none", type, body);
            }
        }
    }
}
