package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.daemon.http.Api;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.http.HttpOptions;
import io.fairlead.daemon.http.HttpServer;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Commands, the client, and the daemon's HTTP server at a Unix socket, with machines that are made up. */
@Timeout(60)
class DaemonWireTest {
    @TempDir
    Path folder;

    private static HttpServer serve(Path socket) throws IOException {
        ObjectNode schemas = JsonMapper.shared().createObjectNode();
        schemas.putObject("Any").put("type", "object");
        schemas.putObject("Error").put("type", "object");
        return HttpServer.start(
                HttpOptions.at(socket),
                new Api(
                        "1",
                        List.of(
                                Route.get("/v1/machines/{name}", "one")
                                        .answers(200, "Any")
                                        .by(request -> {
                                            String name = request.parameter("name");
                                            if (!name.equals("a b")) {
                                                throw new ApiException(
                                                        404,
                                                        "not-found",
                                                        "machine %s: there is none".formatted(name),
                                                        null);
                                            }
                                            return Response.ok(ScriptedClient.json("{'state':'running','reason':''}"));
                                        }),
                                Route.get("/v1/machines/{name}/xml", "document")
                                        .answers(200, "application/xml")
                                        .by(_ -> Response.text("application/xml", "<domain>\u00e9</domain>\n")),
                                Route.delete("/v1/machines/{name}", "forget")
                                        .answers(204)
                                        .by(_ -> Response.noContent())),
                        schemas),
                (_, _, _, _) -> {});
    }

    @Test
    void commandsReachADaemonAtItsSocket() throws Exception {
        Path socket = folder.resolve("daemon.sock");
        try (HttpServer _ = serve(socket)) {
            CommandResult state = CommandResult.run("vm", "domstate", "a b", "-c", socket.toString());
            assertThat(state.out()).as(state.err()).isEqualTo("running\n");
            assertThat(CommandResult.run("vm", "dumpxml", "x", "-c", socket.toString())
                            .out())
                    .isEqualTo("<domain>\u00e9</domain>\n");
            CommandResult forgotten = CommandResult.run("vm", "undefine", "x", "-c", socket.toString());
            assertThat(forgotten.out()).as(forgotten.err()).isEqualTo("x is not defined any more\n");
            CommandResult missing = CommandResult.run("vm", "domstate", "none", "-c", socket.toString());
            assertThat(missing.exitCode()).isEqualTo(ExitCodes.FAILED);
            assertThat(missing.err()).startsWith("fairlead: machine none: there is none");
        }
    }

    @Test
    void withoutADaemonTheAddressIsNamed() {
        Path socket = folder.resolve("nobody.sock");
        CommandResult result = CommandResult.run("vm", "list", "-c", socket.toString());
        assertThat(result.exitCode()).isEqualTo(ExitCodes.FAILED);
        assertThat(result.err()).contains(socket.toString()).doesNotContain("\tat ");
    }
}
