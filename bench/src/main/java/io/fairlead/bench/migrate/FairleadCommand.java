package io.fairlead.bench.migrate;

import io.fairlead.testbed.blkio.ServerProcess;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Commands of Fairlead, each a process that is waited for. */
final class FairleadCommand {
    private static final String ADDRESS = "127.0.0.1";
    private static final Duration START_TIMEOUT = Duration.ofMinutes(3);

    // The launcher starts commands that end soon with the second where others have the first.
    private static final String LONG = "-XX:TieredStopAtLevel=4";
    private static final String SHORT = "-XX:TieredStopAtLevel=1";

    private FairleadCommand() {}

    /**
     * Runs one.
     *
     * @param fairlead how to start the fairlead command
     * @return what it said
     * @throws IOException where it failed, with what it said
     */
    static String run(List<String> fairlead, String... words) throws IOException {
        List<String> line = new ArrayList<>(fairlead);
        line.replaceAll(word -> word.equals(LONG) ? SHORT : word);
        line.addAll(List.of(words));
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        try (InputStream output = process.getInputStream()) {
            String said = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            if (code != 0) {
                throw new IOException("fairlead %s ended with %d: %s".formatted(words[0], code, said.strip()));
            }
            return said;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            process.destroy();
        }
    }

    /**
     * Starts {@code fairlead serve}, which says as JSON at its end what its devices did; waits until it is ready.
     *
     * @param devices as for {@code --device}
     * @param log for what it says
     */
    static ServerProcess serve(List<String> fairlead, List<String> devices, Path log) throws IOException {
        List<String> words = new ArrayList<>(fairlead);
        words.addAll(List.of("serve", "--json"));
        devices.forEach(device -> words.addAll(List.of("--device", device)));
        ServerProcess process = ServerProcess.start("fairlead serve", new ProcessBuilder(words), log);
        process.awaitReady(written -> written.lines().anyMatch("{\"ready\":true}"::equals), START_TIMEOUT);
        return process;
    }

    /** Makes certificates of this host; answers their folder. */
    static Path createCertificates(List<String> fairlead, Path folder) throws IOException {
        Path authority = folder.resolve("ca");
        String _ = run(
                fairlead, "certificates", "create", "--folder", authority.toString(), "--host", "localhost+" + ADDRESS);
        return authority.resolve("localhost");
    }
}
