package io.fairlead.systemtests;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.NetworkNamespace;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.BlkioLibrary;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.opentest4j.TestAbortedException;
import tools.jackson.databind.JsonNode;

/** What all tests of this module share: the test-bed, timeouts, and where figures go. */
final class Lab {
    /** For one step of a guest under emulation on a busy machine. */
    static final Duration PATIENCE = Duration.ofMinutes(4);

    static final Testbed TESTBED = Testbed.open(Progress.toStandardError());

    /** Reports what the guest's kernel says went wrong: the line {@code {"kernelErrors":"..."}}, empty at best. */
    static final String REPORT_KERNEL_ERRORS = """
            wrong='I/O error|blk_update|critical .* error|blocked for more|lockup|BUG:|WARNING:|Oops'
            wrong="$wrong|Call Trace|EXT4-fs (error|warning)|virtio.*(fail|broken|is not a head)"
            errors=$(dmesg | grep -E "$wrong" | tail -n 5 | tr -d '"\\\\' | tr '\\n' ';')
            emit "{\\"kernelErrors\\":\\"$errors\\"}"
            """;

    private Lab() {}

    /** Writes a figure to the test's report. */
    static void report(String format, Object... arguments) {
        System.out.printf(format + "%n", arguments);
    }

    /** A network of its own; where this host does not let us make one, the test is skipped and says why. */
    static NetworkNamespace network(String label) {
        Optional<String> obstacle = NetworkNamespace.obstacle();
        assumeTrue(obstacle.isEmpty(), () -> obstacle.orElse(""));
        try {
            return NetworkNamespace.create(TESTBED, label);
        } catch (IOException e) {
            throw new TestAbortedException("a network namespace cannot be made: " + e.getMessage(), e);
        }
    }

    static BlkioLibrary blkio() throws IOException {
        return BlkioLibrary.load(TESTBED.libblkio().library());
    }

    /** The first line with a member, among those that a guest reported. */
    static JsonNode line(GuestResult result, String member) {
        return line(result.lines(), member);
    }

    static JsonNode line(List<JsonNode> lines, String member) {
        return lines.stream()
                .filter(line -> line.has(member))
                .findFirst()
                .orElseThrow(() -> new AssertionError("the guest did not report " + member + " but " + lines));
    }

    /** Accepts a line whose member {@code at} has a value. */
    static Predicate<JsonNode> at(String value) {
        return line -> line.path("at").asString("").equals(value);
    }

    /** Waits until a guest says {@code {"at":"value"}}. */
    static void await(Guest guest, String value) throws IOException, InterruptedException {
        JsonNode _ = guest.awaitLine(at(value), PATIENCE);
    }
}
