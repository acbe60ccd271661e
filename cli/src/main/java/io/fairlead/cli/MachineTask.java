package io.fairlead.cli;

import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A command of {@code fairlead vm} that is about one machine of a daemon. */
abstract class MachineTask implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private DaemonMixin daemon;

    @Parameters(index = "0", paramLabel = "MACHINE", description = "Its name at the daemon.")
    private String machine = "";

    /** @return the exit code */
    abstract int run(ApiClient client) throws IOException, InterruptedException;

    @Override
    public final Integer call() throws IOException, InterruptedException {
        try (ApiClient client = daemon.open()) {
            return run(client);
        }
    }

    final DaemonMixin daemon() {
        return daemon;
    }

    final String machine() {
        return machine;
    }

    /** The API's path of the machine, with what comes after. */
    final String path(String after) {
        return DaemonMixin.path("/v1/machines/%s", machine) + after;
    }

    /** Begins an operation on the machine and waits for its end. */
    final int operate(ApiClient client, String verb, @Nullable JsonNode body, String success) throws IOException {
        return daemon.follow(client, client.post(path("/" + verb), body), machine + " " + success);
    }

    static ObjectNode object() {
        return JsonMapper.shared().createObjectNode();
    }
}
