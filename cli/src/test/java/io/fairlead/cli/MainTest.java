package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    @Test
    void helpNamesEveryCommandAndTheExitCodes() {
        CommandResult result = CommandResult.run("--help");
        assertThat(result.exitCode()).isZero();
        assertThat(result.out()).contains("demo", "serve", "bench", "state", "testbed", "test ", "Exit codes");
        for (String command : new String[] {"demo", "serve", "bench", "state", "testbed"}) {
            assertThat(CommandResult.run(command, "--help").out()).as(command).contains("Usage: fairlead " + command);
        }
    }

    @Test
    void theVersionIsTheBuilds() {
        assertThat(CommandResult.run("--version").out()).matches("fairlead \\d+\\.\\d+\\.\\d+\\S*\\s*");
    }

    @Test
    void wrongUsageIsSaidInOneLineWithARemedy() {
        for (String[] wrong : new String[][] {
            {}, {"sail"}, {"demo", "--sideways"}, {"serve"}, {"testbed"}, {"bench"}, {"demo", "--boot", "diskless"}
        }) {
            CommandResult result = CommandResult.run(wrong);
            assertThat(result.exitCode()).as(String.join(" ", wrong)).isEqualTo(2);
            assertThat(result.err()).as(String.join(" ", wrong)).startsWith("fairlead: ");
        }
    }

    @Test
    void mistakesInADeviceNameItAndLeaveNothingBehind(@TempDir Path folder) {
        Path socket = folder.resolve("s");
        CommandResult unknown = CommandResult.run("serve", "--device", "name=d,type=gpu,socket=" + socket);
        assertThat(unknown.exitCode()).isEqualTo(2);
        assertThat(unknown.err()).contains("cannot create devices of virtio id 16");
        CommandResult missing = CommandResult.run(
                "serve", "--device", "name=d,type=blk,socket=" + socket + ",path=" + folder.resolve("none.img"));
        assertThat(missing.exitCode()).isEqualTo(1);
        assertThat(missing.err()).contains("none.img", "ENOENT");
        assertThat(socket).doesNotExist();
    }

    @Test
    void whatIsWrongWithAFileIsSaidBesideItsName() {
        assertThat(FailureText.of(new AccessDeniedException("/some/lock")))
                .isEqualTo("/some/lock: this user may not use it: permission denied");
        assertThat(FailureText.of(new UncheckedIOException(new NoSuchFileException("/none"))))
                .isEqualTo("/none: no such file or directory");
        assertThat(FailureText.of(new FileSystemException("/full", null, "No space left on device")))
                .isEqualTo("/full: No space left on device");
        assertThat(FailureText.of(new IOException("it broke"))).isEqualTo("it broke");
        assertThat(FailureText.of(new EOFException())).isEqualTo("java.io.EOFException");
    }
}
