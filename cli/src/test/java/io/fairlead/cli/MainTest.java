package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    private record Result(int exitCode, String out, String err) {}

    private static Result run(String... arguments) {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
        ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
        System.setOut(new PrintStream(outBytes, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(errBytes, true, StandardCharsets.UTF_8));
        try {
            int exitCode = Main.execute(arguments);
            return new Result(
                    exitCode, outBytes.toString(StandardCharsets.UTF_8), errBytes.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
    }

    @Test
    void helpNamesEveryCommandAndTheExitCodes() {
        Result result = run("--help");
        assertThat(result.exitCode()).isZero();
        assertThat(result.out()).contains("demo", "serve", "bench", "state", "testbed", "test ", "Exit codes");
        for (String command : new String[] {"demo", "serve", "bench", "state", "testbed"}) {
            assertThat(run(command, "--help").out()).as(command).contains("Usage: fairlead " + command);
        }
    }

    @Test
    void theVersionIsTheBuilds() {
        assertThat(run("--version").out()).matches("fairlead \\d+\\.\\d+\\.\\d+\\S*\\s*");
    }

    @Test
    void wrongUsageIsSaidInOneLineWithARemedy() {
        for (String[] wrong : new String[][] {
            {}, {"sail"}, {"demo", "--sideways"}, {"serve"}, {"testbed"}, {"bench"}, {"demo", "--boot", "diskless"}
        }) {
            Result result = run(wrong);
            assertThat(result.exitCode()).as(String.join(" ", wrong)).isEqualTo(2);
            assertThat(result.err()).as(String.join(" ", wrong)).startsWith("fairlead: ");
        }
    }

    @Test
    void mistakesInADeviceNameItAndLeaveNothingBehind(@TempDir Path folder) {
        Path socket = folder.resolve("s");
        Result unknown = run("serve", "--device", "name=d,type=net,socket=" + socket);
        assertThat(unknown.exitCode()).isEqualTo(2);
        assertThat(unknown.err()).contains("cannot create devices of virtio id 1");
        Result missing =
                run("serve", "--device", "name=d,type=blk,socket=" + socket + ",path=" + folder.resolve("none.img"));
        assertThat(missing.exitCode()).isEqualTo(1);
        assertThat(missing.err()).contains("none.img", "ENOENT");
        assertThat(socket).doesNotExist();
    }
}
