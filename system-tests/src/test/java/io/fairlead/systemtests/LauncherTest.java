package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The launcher in the root of the checkout, where it has been built: never builds from within a test. */
@Timeout(120)
class LauncherTest {
    private static final Path ROOT = Path.of(System.getProperty("fairlead.root"));

    @BeforeEach
    void isBuilt() throws IOException {
        Path stamp = ROOT.resolve("target/fairlead/built");
        assumeTrue(Files.exists(stamp), "the launcher has built nothing yet");
        FileTime built = Files.getLastModifiedTime(stamp);
        try (Stream<Path> walk = Files.walk(ROOT, 2)) {
            for (Path path : walk.filter(
                            path -> path.endsWith("pom.xml") || path.endsWith("src") || path.endsWith("fairlead"))
                    .toList()) {
                assumeTrue(isOlder(path, built), path + " is newer than what the launcher has built");
            }
        }
    }

    private static boolean isOlder(Path path, FileTime built) throws IOException {
        Path main = path.endsWith("src") ? path.resolve("main") : path;
        if (!Files.exists(main) || path.equals(ROOT.resolve("target/fairlead"))) {
            return true;
        }
        try (Stream<Path> walk = Files.walk(main)) {
            for (Path file : walk.toList()) {
                if (Files.getLastModifiedTime(file).compareTo(built) > 0) {
                    return false;
                }
            }
        }
        return true;
    }

    @Test
    void tellsItsVersion() throws Exception {
        HostCommand version = fairlead("--version");
        assertThat(version.exitCode()).isZero();
        assertThat(version.output()).matches("fairlead \\d+\\.\\d+\\.\\d+(-SNAPSHOT)?");
    }

    @Test
    void tellsItsCommands() throws Exception {
        HostCommand help = fairlead("--help");
        assertThat(help.exitCode()).isZero();
        assertThat(help.output()).contains("Usage: fairlead", "serve", "demo", "bench", "test", "Exit codes");
    }

    @Test
    void refusesAnUnknownOption() throws Exception {
        HostCommand refused = fairlead("--no-such-option");
        assertThat(refused.exitCode()).isEqualTo(2);
        assertThat(refused.output()).contains("--no-such-option", "--help");
    }

    @Test
    void refusesAnUnknownAttribute() throws Exception {
        HostCommand refused =
                fairlead("serve", "--device", "name=a,type=blk,socket=/tmp/fairlead-no.sock,path=/dev/null,color=red");
        assertThat(refused.exitCode()).isEqualTo(2);
        assertThat(refused.output()).contains("color");
    }

    private static HostCommand fairlead(String... arguments) throws Exception {
        return HostCommand.run(Stream.concat(Stream.of(ROOT.resolve("fairlead").toString()), Stream.of(arguments))
                .toList());
    }
}
