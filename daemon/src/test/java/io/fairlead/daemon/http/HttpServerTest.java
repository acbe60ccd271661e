package io.fairlead.daemon.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The server at a Unix socket, asked by bytes that no client of ours would send. */
class HttpServerTest {
    @TempDir
    private Path folder;

    private Path socket;
    private HttpServer server;
    private final CountDownLatch release = new CountDownLatch(1);
    private final List<String> answered = new CopyOnWriteArrayList<>();

    private static ObjectNode object() {
        return JsonMapper.shared().createObjectNode();
    }

    private Api api() {
        return new Api(
                "1",
                List.of(
                        Route.get("/v1/devices/{name}", "one")
                                .query("depth", Route.QueryType.INTEGER, "how deep")
                                .answers(200, "Device")
                                .by(request -> Response.ok(object().put("name", request.parameter("name"))
                                        .put("depth", request.query("depth", 7, 0, 9))
                                        .put("caller", request.caller().name()))),
                        Route.post("/v1/devices", "make")
                                .takesJson("Device")
                                .answers(201, "Device")
                                .by(request -> Response.json(201, request.json())),
                        Route.post("/v1/machines", "define")
                                .takes("application/xml")
                                .answers(201, "Device")
                                .by(request -> Response.json(
                                        201,
                                        object().put("length", request.text().length()))),
                        Route.delete("/v1/devices/{name}", "remove")
                                .answers(204)
                                .by(_ -> Response.noContent()),
                        Route.get("/v1/wait", "waits").answers(204).by(_ -> {
                            release.await();
                            return Response.noContent();
                        }),
                        Route.get("/v1/fail/{how}", "fails").answers(204).by(request -> {
                            throw switch (request.parameter("how")) {
                                case "argument" -> new IllegalArgumentException("size: -1");
                                case "none" -> new NoSuchElementException("device disk9: there is none");
                                case "state" -> new IllegalStateException("machine vm0: runs");
                                case "io" -> new IOException("open /x: no space");
                                case "remedy" -> new ApiException(503, "busy", "not now", "later");
                                default -> new ArithmeticException("secret");
                            };
                        })),
                object().set("Device", object().put("type", "object")));
    }

    @BeforeEach
    void start() throws IOException {
        socket = folder.resolve("api.sock");
        server = HttpServer.start(
                HttpOptions.at(socket).within(Duration.ofSeconds(5), Duration.ofMillis(700)),
                api(),
                (method, path, status, _) -> answered.add(method + " " + path + " " + status));
    }

    @AfterEach
    void stop() throws IOException {
        release.countDown();
        server.close();
        try (var left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    private static int status(String answer) {
        assertThat(answer).startsWith("HTTP/1.1 ");
        return Integer.parseInt(answer.substring(9, 12));
    }

    private static JsonNode body(String answer) {
        return JsonMapper.shared().readTree(answer.substring(answer.indexOf("\r\n\r\n") + 4));
    }

    @Test
    void aRequestIsAnswered() throws IOException {
        String answer = Raw.get(socket, "/v1/devices/disk0?depth=3");
        assertThat(status(answer)).isEqualTo(200);
        assertThat(body(answer).path("name").asString()).isEqualTo("disk0");
        assertThat(body(answer).path("depth").asInt()).isEqualTo(3);
        assertThat(body(answer).path("caller").asString()).isEqualTo("user " + System.getProperty("user.name"));
        assertThat(answer).doesNotContainIgnoringCase("server:").doesNotContainIgnoringCase("jetty");
        // Told after the answer is away.
        Awaitility.await().untilAsserted(() -> assertThat(answered).containsExactly("GET /v1/devices/{name} 200"));
    }

    @Test
    void theSocketIsItsOwnersAlone() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-------");
    }

    @Test
    void aGroupMayUseTheSocketToo() throws IOException {
        String group = Files.readAttributes(folder, java.nio.file.attribute.PosixFileAttributes.class)
                .group()
                .getName();
        Path other = folder.resolve("group.sock");
        try (HttpServer _ = HttpServer.start(HttpOptions.at(other).forGroup(group), api(), (_, _, _, _) -> {})) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(other)))
                    .isEqualTo("rw-rw----");
            assertThat(status(Raw.get(other, "/v1/devices/d"))).isEqualTo(200);
        }
        assertThatThrownBy(() ->
                        HttpServer.start(HttpOptions.at(other).forGroup("no-such-group"), api(), (_, _, _, _) -> {}))
                .hasMessageContaining("no-such-group")
                .hasMessageContaining("groupadd");
        assertThat(other).doesNotExist();
    }

    @Test
    void aLiveSocketIsNotTakenAway() throws IOException {
        assertThatThrownBy(() -> HttpServer.start(HttpOptions.at(socket), api(), (_, _, _, _) -> {}))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("a process listens there");
        assertThat(status(Raw.get(socket, "/v1/devices/d"))).isEqualTo(200);
    }

    @Test
    void aDeadDaemonsSocketIsReplacedAndAFileIsNot() throws IOException {
        Path stale = folder.resolve("stale.sock");
        ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        dead.bind(UnixDomainSocketAddress.of(stale));
        dead.close();
        assertThat(stale).exists();
        try (HttpServer _ = HttpServer.start(HttpOptions.at(stale), api(), (_, _, _, _) -> {})) {
            assertThat(status(Raw.get(stale, "/v1/devices/d"))).isEqualTo(200);
        }
        assertThat(stale).doesNotExist();
        Path file = Files.writeString(folder.resolve("file"), "precious");
        assertThatThrownBy(() -> HttpServer.start(HttpOptions.at(file), api(), (_, _, _, _) -> {}))
                .hasMessageContaining("no socket");
        assertThat(file).hasContent("precious");
        Files.delete(file);
    }

    @ParameterizedTest
    @CsvSource({
        "argument,400,bad-request,size: -1",
        "none,404,not-found,device disk9: there is none",
        "state,409,conflict,machine vm0: runs",
        "io,500,failed,open /x: no space",
        "remedy,503,busy,not now"
    })
    void whatAHandlerThrowsBecomesTheAnswer(String how, int status, String code, String message) throws IOException {
        String answer = Raw.get(socket, "/v1/fail/" + how);
        assertThat(status(answer)).isEqualTo(status);
        assertThat(body(answer).at("/error/code").asString()).isEqualTo(code);
        assertThat(body(answer).at("/error/message").asString()).isEqualTo(message);
        assertThat(body(answer).at("/error").has("remedy")).isEqualTo(how.equals("remedy"));
    }

    @Test
    void aFaultOfOursTellsNothing() throws IOException {
        String answer = Raw.get(socket, "/v1/fail/otherwise");
        assertThat(status(answer)).isEqualTo(500);
        assertThat(answer).doesNotContain("secret").doesNotContain("Arithmetic");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/devices/%2e%2e",
                "/v1/devices/..",
                "/v1/devices/.",
                "/v1/devices/%2E",
                "/v1/devices/a%2Fb",
                "/v1/devices/a%00b",
                "/v1/devices/a%0Ab",
                "/v1/devices/a%7Fb",
                "/v1/devices/%ff",
                "/v1/devices/%c0%af",
                "/v1/devices/%",
                "/v1/devices/%4",
                "/v1/devices/%zz",
                "/v1/devices/",
                "/v1/devices/x/../../../etc/passwd",
                "//v1/devices/x",
                "/v1/devices;a=b/x",
                "/v1/devices/x?other=1",
                "/v1/devices/x?depth=1&depth=2",
                "/v1/devices/x?depth=10",
                "/v1/devices/x?depth=%00",
                "v1/devices/x",
                "*",
                "http://elsewhere/v2/x",
            })
    void tricksInPathsAreRefused(String path) throws IOException {
        assertThat(status(Raw.get(socket, path))).isIn(400, 404);
    }

    @Test
    void aNameIsDecodedOnce() throws IOException {
        assertThat(body(Raw.get(socket, "/v1/devices/a%2525b%20%C3%A4+"))
                        .path("name")
                        .asString())
                .isEqualTo("a%25b ä+");
    }

    @Test
    void otherMethodsAreRefusedAndNotOverridden() throws IOException {
        String answer = Raw.send(socket, "PUT", "/v1/devices/x", "application/json", "{}");
        assertThat(status(answer)).isEqualTo(405);
        assertThat(answer).contains("Allow: GET, DELETE");
        assertThat(status(Raw.get(socket, "/v1/nothing"))).isEqualTo(404);
        for (String method : List.of("HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW", "get")) {
            assertThat(status(Raw.ask(
                            socket,
                            method + " /v1/devices/x HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: DELETE\r\n"
                                    + "Connection: close\r\n\r\n")))
                    .as(method)
                    .isIn(400, 405, 501);
        }
        assertThat(status(Raw.ask(
                        socket,
                        "GET /v1/devices/x HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: DELETE\r\nConnection:"
                                + " close\r\n\r\n")))
                .isEqualTo(200);
    }

    @Test
    void aBodyIsCheckedBeforeAHandlerSeesIt() throws IOException {
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json", "{\"a\":1}")))
                .isEqualTo(201);
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json; charset=UTF-8", "{}")))
                .isEqualTo(201);
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "text/plain", "{}")))
                .isEqualTo(415);
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json; charset=utf-16", "{}")))
                .isEqualTo(415);
        assertThat(status(Raw.send(socket, "POST", "/v1/machines", "application/json", "{}")))
                .isEqualTo(415);
        assertThat(status(Raw.send(socket, "DELETE", "/v1/devices/x", "application/json", "{}")))
                .isEqualTo(400);
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json", "")))
                .isEqualTo(400);
        for (String broken : List.of("[]", "1", "{", "{} {}", "{\"a\":1,\"a\":2}", "{\"a\":NaN}", "null", "{'a':1}")) {
            assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json", broken)))
                    .as(broken)
                    .isEqualTo(400);
        }
        String deep = "{\"a\":".repeat(100_000) + "1" + "}".repeat(100_000);
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json", deep)))
                .isEqualTo(400);
        String number = "{\"a\":" + "1".repeat(500_000) + "}";
        assertThat(status(Raw.send(socket, "POST", "/v1/devices", "application/json", number)))
                .isEqualTo(400);
    }

    @Test
    void aBodyThatIsTooLargeIsRefused() throws IOException {
        int most = 1 << 20;
        assertThat(status(Raw.send(socket, "POST", "/v1/machines", "application/xml", "x".repeat(most))))
                .isEqualTo(201);
        String head = "POST /v1/machines HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\n";
        // Refused by its length alone, before it comes.
        try (Raw raw = Raw.connect(socket)) {
            raw.send(head + "Content-Length: " + (most + 1) + "\r\n\r\n");
            assertThat(status(raw.readAll())).isEqualTo(413);
        }
        try (Raw raw = Raw.connect(socket)) {
            raw.send(head + "Content-Length: 99999999999999999999\r\n\r\n");
            assertThat(status(raw.readAll())).isEqualTo(400);
        }
        // And one that does not say how long it is.
        try (Raw raw = Raw.connect(socket)) {
            raw.send(head + "Transfer-Encoding: chunked\r\n\r\n");
            String chunk = "10000\r\n" + "x".repeat(0x10000) + "\r\n";
            for (int i = 0; i < 16; i++) {
                raw.send(chunk);
            }
            raw.send("1\r\nx\r\n0\r\n\r\n");
            assertThat(status(raw.readAll())).isEqualTo(413);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\r\n\r\n\r\n\0\0\0",
                "GET / HTTP/1.1\r\n\r\n",
                "GET /v1/devices/x HTTP/9.9\r\nHost: x\r\n\r\n",
                "GET /v1/devices/x\r\n\r\n",
                "\u0016\u0003\u0001",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                "POST /v1/devices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "GET /v1/devices/x HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
            })
    void garbageIsRefusedAndTheNextIsServed(String garbage) throws IOException {
        try (Raw raw = Raw.connect(socket)) {
            raw.send(garbage);
            raw.halfClose();
            String answer = raw.readAll();
            if (answer.startsWith("HTTP")) {
                assertThat(status(answer)).isGreaterThanOrEqualTo(400);
            }
        }
        assertThat(status(Raw.get(socket, "/v1/devices/d"))).isEqualTo(200);
    }

    @Test
    void hugeHeadersAreRefused() throws IOException {
        String answer = Raw.get(socket, "/v1/devices/" + "x".repeat(20_000));
        assertThat(status(answer)).isEqualTo(414);
        assertThat(body(answer).at("/error/code").asString()).isEqualTo("header-too-large");
        assertThat(status(Raw.ask(
                        socket,
                        "GET /v1/devices/x HTTP/1.1\r\nHost: x\r\n" + ("X-A: " + "y".repeat(100) + "\r\n").repeat(200)
                                + "\r\n")))
                .isEqualTo(431);
    }

    @Test
    void requestsInOnePieceAreAnsweredInOrderUntilTheGarbage() throws IOException {
        try (Raw raw = Raw.connect(socket)) {
            String request = "GET /v1/devices/%s HTTP/1.1\r\nHost: x\r\n\r\n";
            raw.send(request.formatted("first") + request.formatted("second") + "garbage\r\n\r\n");
            String answers = raw.readAll();
            assertThat(answers).containsSubsequence("first", "second");
            assertThat(answers.split("HTTP/1.1 200", -1)).hasSize(3);
        }
    }

    @Test
    void whoClosesHisHalfIsStillAnswered() throws IOException {
        try (Raw raw = Raw.connect(socket)) {
            raw.send("GET /v1/devices/half HTTP/1.1\r\nHost: x\r\n\r\n");
            raw.halfClose();
            assertThat(raw.readAll()).contains("half");
        }
    }

    @Test
    void aSlowHeaderAndASlowBodyAreCutOff() throws IOException {
        String header = "GET /v1/devices/x HTTP/1.1\r\nHost: x\r\nX-Long: ";
        assertThat(trickled(header)).doesNotContain("200 OK");
        assertThat(trickled("POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n"
                        .formatted("Content-Length: 100000")))
                .doesNotContain("201");
    }

    /** Sends a byte every 50 ms until the server has enough of it, which it has to have. */
    private String trickled(String beginning) throws IOException {
        try (Raw raw = Raw.connect(socket)) {
            raw.send(beginning);
            for (int i = 0; i < 400; i++) {
                Thread.sleep(50);
                raw.send("a");
            }
            throw new AssertionError("twenty seconds were allowed");
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Test
    void aThousandSilentConnectionsDoNotKeepACallerAway() throws IOException {
        List<Raw> silent = new ArrayList<>();
        try (Raw waiting = Raw.connect(socket)) {
            waiting.send("GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            for (int i = 0; i < 1000; i++) {
                silent.add(Raw.connect(socket));
                if (i % 100 == 0) {
                    assertThat(status(Raw.get(socket, "/v1/devices/d"))).isEqualTo(200);
                }
            }
            assertThat(status(Raw.get(socket, "/v1/devices/d"))).isEqualTo(200);
            // The one that is being served was not dropped for any of them.
            release.countDown();
            assertThat(status(waiting.readAll())).isEqualTo(204);
        } finally {
            for (Raw raw : silent) {
                raw.close();
            }
        }
    }

    @Test
    void whereAllAreBeingServedTheNextIsRefusedAtOnce() throws IOException {
        List<Raw> busy = new ArrayList<>();
        try {
            for (int i = 0; i < 256; i++) {
                Raw raw = Raw.connect(socket);
                busy.add(raw);
                raw.send("GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            }
            // Some of those before may not have been read yet, and are as silent as this one: it is refused in the end.
            Awaitility.await().untilAsserted(() -> {
                try (Raw raw = Raw.connect(socket)) {
                    assertThat(raw.readAll()).isEmpty();
                }
            });
            release.countDown();
            int served = 0;
            for (Raw raw : busy) {
                served += raw.readAll().startsWith("HTTP/1.1 204") ? 1 : 0;
            }
            assertThat(served).isGreaterThan(200);
        } finally {
            for (Raw raw : busy) {
                raw.close();
            }
        }
    }

    @Test
    void theDocumentNamesWhatThereIs() throws IOException {
        JsonNode document = body(Raw.get(socket, "/v1/openapi.json"));
        assertThat(document.path("openapi").asString()).isEqualTo("3.1.0");
        assertThat(document.path("paths").propertyNames())
                .contains("/v1/devices/{name}", "/v1/devices", "/v1/openapi.json");
        assertThat(document.at("/paths/~1v1~1devices~1{name}/get/parameters")).hasSize(2);
        assertThatThrownBy(() -> HttpServer.start(
                        HttpOptions.at(folder.resolve("x")),
                        new Api("1", api().routes(), object()),
                        (_, _, _, _) -> {}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Device");
    }

    @Test
    void routesThatContradictEachOtherAreRefused() {
        assertThatThrownBy(() -> new RouteTable(List.of(
                        Route.get("/v1/a/{b}", "").by(_ -> Response.noContent()),
                        Route.get("/v1/a/{c}", "").by(_ -> Response.noContent()))))
                .hasMessageContaining("two routes");
        assertThatThrownBy(() -> new RouteTable(List.of(Route.get("v1/a", "").by(_ -> Response.noContent()))))
                .hasMessageContaining("path");
    }
}
