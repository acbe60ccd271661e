package io.fairlead.cli;

import java.io.IOException;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** A command to a node that is done or not, and nothing between. */
final class NodeRequest {
    private NodeRequest() {}

    /**
     * Asks the node and prints what came of it.
     *
     * @param control the node's socket
     * @param success what to say to people
     * @return the exit code
     */
    static int execute(Path control, ObjectNode command, boolean json, String success) throws IOException {
        try (ControlClient client = new ControlClient(control)) {
            JsonNode done = client.execute(command, _ -> {});
            int exitCode = done.path("done").asInt(ExitCodes.INTERNAL);
            if (json) {
                System.out.println(done);
            } else if (exitCode == 0) {
                System.out.println(success);
            } else {
                System.err.println("fairlead: " + done.path("error").asString(""));
            }
            return exitCode;
        }
    }
}
