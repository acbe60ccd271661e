package io.fairlead.testbed;

import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * What came of a guest's job.
 *
 * @param status the job's exit status
 * @param lines what the job emitted, in order
 * @param bootMillis from QEMU's start to the job's, by the host's clock
 * @param totalMillis from QEMU's start to its end
 * @param consoleLog the console's log; gone with the work folder unless that was chosen
 */
public record GuestResult(int status, List<JsonNode> lines, long bootMillis, long totalMillis, Path consoleLog) {
    public GuestResult {
        lines = List.copyOf(lines);
    }
}
