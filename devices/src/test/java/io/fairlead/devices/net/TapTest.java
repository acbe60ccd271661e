package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A TAP interface in a network namespace of its own: {@link TapCheck} runs there, in a process of its own. */
@Timeout(60)
class TapTest {
    @Test
    void theHostAnswersAGuest() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "a network namespace of its own needs root");
        assumeTrue(Files.exists(Path.of("/dev/net/tun")), "the kernel has no /dev/net/tun");
        assumeTrue(works("unshare", "-n", "ip", "link"), "unshare(1) or ip(8) is missing or may make no namespace");
        Process process = new ProcessBuilder(
                        "unshare",
                        "-n",
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        TapCheck.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("all checks passed");
    }

    private static boolean works(String... command) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        }
    }
}
