package io.fairlead.daemon.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.Api;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.http.HttpOptions;
import io.fairlead.daemon.http.HttpServer;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import io.fairlead.daemon.metrics.Metrics;
import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.node.tls.NodeCertificates;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The client against the server, by the Unix socket and by TLS. */
class ApiClientTest {
    private static final Duration DAY = Duration.ofDays(1);

    @TempDir
    private Path folder;

    private final EventLog events = new EventLog(100, InstantSource.system());
    private final Metrics metrics = new Metrics();
    private final AtomicInteger polls = new AtomicInteger();
    private Path socket;
    private Path certificates;
    private HttpServer server;
    private String tls;

    private static ObjectNode object() {
        return JsonMapper.shared().createObjectNode();
    }

    @BeforeEach
    void start() throws IOException {
        socket = folder.resolve("api.sock");
        certificates = CertificateAuthority.openOrCreate(folder.resolve("ca"), DAY)
                .createHost(List.of("localhost", "127.0.0.1"), DAY);
        Api api = new Api(
                "1",
                List.of(
                        Route.get("/v1/echo/{name}", "one")
                                .answers(200, "Any")
                                .by(request -> Response.ok(object().put("name", request.parameter("name"))
                                        .put("caller", request.caller().name())
                                        .put("local", request.caller().isLocal()))),
                        Route.post("/v1/echo", "body")
                                .mayTakeJson("Any")
                                .answers(200, "Any")
                                .by(request -> Response.ok(request.json())),
                        Route.post("/v1/xml", "xml")
                                .takes("application/xml")
                                .answers(200, "Any")
                                .by(request -> Response.ok(object().put("xml", request.text()))),
                        Route.get("/v1/picture", "bytes")
                                .answers(200, "image/png")
                                .by(_ -> Response.bytes("image/png", new byte[300_000])),
                        Route.delete("/v1/echo/{name}", "gone").answers(204).by(_ -> Response.noContent()),
                        Route.get("/v1/operations/{id}", "one")
                                .query("waitMillis", Route.QueryType.INTEGER, "how long")
                                .answers(200, "Any")
                                .by(_ -> Response.ok(object().put("n", polls.get() / 2)
                                        .put("state", polls.incrementAndGet() < 6 ? "running" : "done"))),
                        Route.get("/v1/refused", "fails").answers(409).by(_ -> {
                            throw new ApiException(409, "busy", "machine vm0: it moves", "wait for it");
                        }),
                        events.route(),
                        metrics.route()),
                object().set("Any", object().put("type", "object")));
        server = HttpServer.start(
                HttpOptions.at(socket)
                        .listening(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                                NodeCertificates.load(certificates)),
                api,
                metrics.requests());
        tls = "https://localhost:" + server.listening().orElseThrow().getPort();
    }

    @AfterEach
    void stop() {
        events.close();
        server.close();
        metrics.close();
    }

    @Test
    void everyMethodByBothWays() throws IOException {
        for (String address : List.of(socket.toString(), tls)) {
            try (ApiClient client = ApiClient.connect(address, certificates)) {
                JsonNode echo = client.get(ApiClient.path("v1", "echo", "a b%ä+"));
                assertThat(echo.path("name").asString()).isEqualTo("a b%ä+");
                assertThat(echo.path("local").asBoolean()).isEqualTo(!address.equals(tls));
                assertThat(echo.path("caller").asString())
                        .isEqualTo(address.equals(tls) ? "CN=localhost" : "user " + System.getProperty("user.name"));
                assertThat(client.post("/v1/echo", object().put("a", "ü"))
                                .path("a")
                                .asString())
                        .isEqualTo("ü");
                assertThat(client.post("/v1/echo", null)).isEmpty();
                assertThat(client.post("/v1/xml", "application/xml", "<a/>")
                                .path("xml")
                                .asString())
                        .isEqualTo("<a/>");
                assertThat(client.getBytes("/v1/picture")).hasSize(300_000);
                assertThat(client.delete("/v1/echo/x").isMissingNode()).isTrue();
            }
        }
    }

    @Test
    void anErrorIsTheDaemons() throws IOException {
        try (ApiClient client = ApiClient.connect(socket.toString(), null)) {
            assertThatThrownBy(() -> client.get("/v1/refused"))
                    .isInstanceOfSatisfying(ApiClientException.class, e -> {
                        assertThat(e.status()).isEqualTo(409);
                        assertThat(e.code()).isEqualTo("busy");
                        assertThat(e.remedy()).isEqualTo("wait for it");
                    })
                    .hasMessage("machine vm0: it moves");
            assertThatThrownBy(() -> client.post("/v1/xml", "application/xml", "x".repeat(3 << 20)))
                    .isInstanceOf(ApiClientException.class)
                    .hasMessageContaining("more than");
            assertThatThrownBy(() -> client.get("/v1/a b")).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void whereNobodyListensTheRemedyIsSaid() {
        assertThatThrownBy(() -> ApiClient.connect(folder.resolve("none").toString(), null))
                .hasMessageContaining("none")
                .hasMessageContaining("fairlead daemon");
        assertThatThrownBy(() -> ApiClient.connect("https://localhost:1", null))
                .hasMessageContaining("fairlead certificates create");
        for (String wrong : List.of("https://localhost", "https://u@localhost:1", "https://localhost:1/x")) {
            assertThatThrownBy(() -> ApiClient.connect(wrong, certificates))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void anOperationIsFollowedToItsEnd() throws IOException {
        List<JsonNode> seen = new ArrayList<>();
        try (ApiClient client = ApiClient.connect(socket.toString(), null)) {
            JsonNode end = client.awaitOperation("7", seen::add);
            assertThat(end.path("state").asString()).isEqualTo("done");
        }
        assertThat(seen).hasSize(4).doesNotHaveDuplicates();
    }

    @Test
    void eventsAreReadFromAnyPlaceByBothWays() throws IOException {
        long first = events.publish("device-added", "device/disk0", "a disk");
        events.publish(
                "device-removed",
                "device/disk0",
                "no disk\nany more",
                object().put("seq", 0).put("by", "ü"));
        for (String address : List.of(socket.toString(), tls)) {
            List<JsonNode> seen = new ArrayList<>();
            try (ApiClient client = ApiClient.connect(address, certificates)) {
                client.events(first - 1, event -> {
                    seen.add(event);
                    return seen.size() < 2;
                });
                assertThat(seen.get(0).path("kind").asString()).isEqualTo("device-added");
                assertThat(seen.get(1).path("by").asString()).isEqualTo("ü");
                assertThat(seen.get(1).path("seq").asLong()).isEqualTo(first + 1);
                // A place that is not kept any more.
                client.events(5, event -> {
                    assertThat(event.path("kind").asString()).isEqualTo(EventLog.GAP);
                    return false;
                });
            }
        }
    }

    @Test
    void aStreamEndsWithTheServer() throws Exception {
        try (ApiClient client = ApiClient.connect(socket.toString(), null)) {
            List<JsonNode> seen = Collections.synchronizedList(new ArrayList<>());
            long before = events.newest();
            Thread reader = Thread.ofVirtual().start(() -> {
                try {
                    client.events(before, seen::add);
                } catch (IOException _) {
                    // An end as good as any.
                }
            });
            events.publish("log", "daemon", "x");
            Awaitility.await().untilAsserted(() -> assertThat(seen).hasSize(1));
            server.close();
            assertThat(reader.join(Duration.ofSeconds(10))).isTrue();
        }
    }

    @Test
    void metricsAreText() throws IOException {
        try (ApiClient client = ApiClient.connect(socket.toString(), null)) {
            try (Metrics.Meter _ = metrics.gauge("fairlead.test", "bytes", "a test", () -> 3, "device", "d\"0")) {
                client.get("/v1/echo/x");
                Awaitility.await()
                        .untilAsserted(() -> assertThat(text(client))
                                .contains("fairlead_test_bytes{device=\"d\\\"0\"} 3.0")
                                .contains("jvm_memory_used_bytes")
                                .contains("path=\"/v1/echo/{name}\""));
            }
            assertThat(text(client)).doesNotContain("fairlead_test");
        }
    }

    private static String text(ApiClient client) throws IOException {
        return new String(client.getBytes("/metrics"), StandardCharsets.UTF_8);
    }

    @Test
    void onlyCertificatesOfTheSameAuthorityOpenTheDoor() throws Exception {
        Path other =
                CertificateAuthority.openOrCreate(folder.resolve("other"), DAY).createHost(List.of("localhost"), DAY);
        assertRefused(other);
        // Their certificate, but trusting our authority: the server says no.
        Path mixed = Files.createDirectory(folder.resolve("mixed"));
        for (String name : List.of("server-cert.pem", "server-key.pem", "client-cert.pem", "client-key.pem")) {
            Files.copy(other.resolve(name), mixed.resolve(name));
        }
        Files.writeString(
                mixed.resolve("ca-cert.pem"),
                Files.readString(other.resolve("ca-cert.pem")) + Files.readString(certificates.resolve("ca-cert.pem")));
        assertRefused(mixed);
        // A host of ours by another name is not this one.
        Path named =
                CertificateAuthority.openOrCreate(folder.resolve("ca"), DAY).createHost(List.of("elsewhere"), DAY);
        try (HttpServer elsewhere = HttpServer.start(
                HttpOptions.at(folder.resolve("elsewhere.sock"))
                        .listening(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                                NodeCertificates.load(named)),
                new Api("1", List.of(), object()),
                (_, _, _, _) -> {})) {
            int port = elsewhere.listening().orElseThrow().getPort();
            assertThatThrownBy(() -> ApiClient.connect("https://localhost:" + port, certificates))
                    .isInstanceOf(IOException.class);
        }
    }

    private void assertRefused(Path own) {
        assertThatThrownBy(() -> {
                    try (ApiClient client = ApiClient.connect(tls, own)) {
                        client.get("/v1/echo/x");
                    }
                })
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(ApiClientException.class);
    }

    @Test
    void withoutTlsOrACertificateNothingAnswers() throws Exception {
        int port = server.listening().orElseThrow().getPort();
        try (java.net.Socket plain = new java.net.Socket(InetAddress.getLoopbackAddress(), port)) {
            plain.setSoTimeout(5000);
            plain.getOutputStream()
                    .write("GET /v1/echo/x HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(plain.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1))
                    .doesNotContain("HTTP");
        } catch (java.net.SocketException _) {
            // A reset is an answer too.
        }
        var trusting = javax.net.ssl.SSLContext.getInstance("TLSv1.3");
        trusting.init(null, new javax.net.ssl.TrustManager[] {new TrustAll()}, null);
        try (var anonymous = trusting.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port)) {
            anonymous.setSoTimeout(5000);
            assertThatThrownBy(() -> {
                        anonymous
                                .getOutputStream()
                                .write("GET /v1/echo/x HTTP/1.1\r\nHost: x\r\n\r\n"
                                        .getBytes(StandardCharsets.US_ASCII));
                        if (anonymous.getInputStream().read() < 0) {
                            throw new IOException("closed");
                        }
                    })
                    .isInstanceOf(IOException.class)
                    .isNotInstanceOf(java.net.SocketTimeoutException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "SSH-2.0-x\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            })
    void brokenAnswersAreErrors(String text) {
        assertThatThrownBy(() -> Answer.read(new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)))
                        .bytes(100))
                .isInstanceOf(IOException.class);
    }

    /** Lets any server in, to see what the server does. */
    private static final class TrustAll extends javax.net.ssl.X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String type, java.net.Socket s) {}

        @Override
        public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String type, java.net.Socket s) {}

        @Override
        public void checkClientTrusted(
                java.security.cert.X509Certificate[] chain, String type, javax.net.ssl.SSLEngine e) {}

        @Override
        public void checkServerTrusted(
                java.security.cert.X509Certificate[] chain, String type, javax.net.ssl.SSLEngine e) {}

        @Override
        public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String type) {}

        @Override
        public java.security.cert.X509Certificate[] getAcceptedIssuers() {
            return new java.security.cert.X509Certificate[0];
        }
    }
}
