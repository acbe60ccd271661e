package io.fairlead.testbed;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import tools.jackson.databind.JsonNode;

/** A command of an L1 host, running or ended. Any thread. */
public final class L1Command {
    private static final int SHOWN_CHARS = 4000;

    private final L1Host host;
    private final int id;
    private final String script;

    L1Command(L1Host host, int id, String script) {
        this.host = host;
        this.id = id;
        this.script = script;
    }

    /**
     * Waits for its end.
     *
     * @return its exit code
     * @throws IOException where it takes longer, or the host ends
     */
    public int awaitExit(Duration timeout) throws IOException, InterruptedException {
        try {
            JsonNode line = host.guest()
                    .awaitLine(
                            node -> node.path("event").asString("").equals("done")
                                    && node.path("id").asInt(-1) == id,
                            timeout);
            return line.path("status").asInt(-1);
        } catch (IOException e) {
            throw new IOException("An L1 host's command did not end: " + description(), e);
        }
    }

    /**
     * Waits for its end.
     *
     * @return its standard output
     * @throws IOException where it takes longer, or fails
     */
    public String awaitSuccess(Duration timeout) throws IOException, InterruptedException {
        int exitCode = awaitExit(timeout);
        if (exitCode != 0) {
            throw new IOException("An L1 host's command failed with exit code " + exitCode + ": " + description());
        }
        return output();
    }

    /** Its standard output so far. */
    public String output() throws IOException {
        return read(outputFile());
    }

    /** Its standard error so far. */
    public String errors() throws IOException {
        return read(errorFile());
    }

    /** Where its standard output goes. */
    public Path outputFile() {
        return host.sharedDirectory().resolve(id + ".out");
    }

    /** Where its standard error goes. */
    public Path errorFile() {
        return host.sharedDirectory().resolve(id + ".err");
    }

    /** Sends a signal, by name or number, to the command and all it has started. */
    public void signal(String name) throws IOException {
        host.guest().send("signal " + id + " " + name);
    }

    private String description() throws IOException {
        return script.strip() + "\nIt printed: " + end(output()) + "\n" + end(errors());
    }

    private static String read(Path file) throws IOException {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return "";
        }
    }

    private static String end(String text) {
        String stripped = text.strip();
        return stripped.substring(Math.max(0, stripped.length() - SHOWN_CHARS));
    }
}
