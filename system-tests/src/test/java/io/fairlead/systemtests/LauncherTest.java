package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The program as users start it, from its module path; never builds from within a test. */
@Timeout(300)
class LauncherTest {
    private static final Path ROOT = Path.of(System.getProperty("fairlead.root"));
    private static final Path HOME = ROOT.resolve("target/fairlead");

    /** Ways to start it. */
    enum Start {
        /** The script in the root, where it would not build first. */
        LAUNCHER {
            @Override
            List<String> words() throws IOException {
                Path stamp = HOME.resolve("built");
                assumeTrue(Files.exists(stamp), "the launcher has built nothing yet");
                FileTime built = Files.getLastModifiedTime(stamp);
                for (Path source : sources()) {
                    assumeTrue(
                            Files.getLastModifiedTime(source).compareTo(built) <= 0,
                            source + " is newer than what the launcher has built");
                }
                return List.of(ROOT.resolve("fairlead").toString());
            }
        },
        /** What the script does in the end, with what any build leaves. */
        MODULE_PATH {
            @Override
            List<String> words() {
                Path libraries = HOME.resolve("lib");
                assumeTrue(Files.isDirectory(libraries), "the module path is made by the package phase");
                return List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=io.fairlead.linux",
                        "-p",
                        libraries.toString(),
                        "-m",
                        "io.fairlead.cli");
            }
        };

        abstract List<String> words() throws IOException;

        HostCommand run(String... arguments) throws IOException, InterruptedException {
            List<String> words = new ArrayList<>(words());
            words.addAll(List.of(arguments));
            return HostCommand.run(words);
        }
    }

    /** What the launcher looks at to see whether it has to build. */
    private static List<Path> sources() throws IOException {
        List<Path> sources = new ArrayList<>(List.of(ROOT.resolve("pom.xml"), ROOT.resolve("fairlead")));
        try (Stream<Path> modules = Files.list(ROOT)) {
            for (Path module : modules.toList()) {
                if (Files.exists(module.resolve("pom.xml"))) {
                    sources.add(module.resolve("pom.xml"));
                }
                if (Files.isDirectory(module.resolve("src/main"))) {
                    try (Stream<Path> walk = Files.walk(module.resolve("src/main"))) {
                        sources.addAll(walk.toList());
                    }
                }
            }
        }
        if (Files.isDirectory(ROOT.resolve(".mvn"))) {
            try (Stream<Path> walk = Files.walk(ROOT.resolve(".mvn"))) {
                sources.addAll(walk.toList());
            }
        }
        return sources;
    }

    @ParameterizedTest
    @EnumSource
    void tellsItsVersion(Start start) throws Exception {
        HostCommand version = start.run("--version");
        assertThat(version.exitCode()).as(version.output()).isZero();
        assertThat(version.output()).matches("fairlead \\d+\\.\\d+\\.\\d+(-SNAPSHOT)?");
    }

    @ParameterizedTest
    @EnumSource
    void tellsItsCommands(Start start) throws Exception {
        HostCommand help = start.run("--help");
        assertThat(help.exitCode()).as(help.output()).isZero();
        assertThat(help.output()).contains("Usage: fairlead", "serve", "demo", "bench", "test", "Exit codes");
    }

    @ParameterizedTest
    @EnumSource
    void refusesAnUnknownOption(Start start) throws Exception {
        HostCommand refused = start.run("--no-such-option");
        assertThat(refused.exitCode()).as(refused.output()).isEqualTo(2);
        assertThat(refused.output()).contains("--no-such-option", "--help").doesNotContain("\tat ");
    }

    @ParameterizedTest
    @EnumSource
    void refusesAnUnknownAttribute(Start start, @TempDir Path folder) throws Exception {
        HostCommand refused = start.run("serve", "--device", disk(folder) + ",color=red");
        assertThat(refused.exitCode()).as(refused.output()).isEqualTo(2);
        assertThat(refused.output()).contains("color").doesNotContain("\tat ");
    }

    @ParameterizedTest
    @EnumSource
    void failsWithAWordWhereTheDiskIsMissing(Start start, @TempDir Path folder) throws Exception {
        HostCommand failed = start.run("serve", "--device", disk(folder));
        assertThat(failed.exitCode()).as(failed.output()).isEqualTo(1);
        assertThat(failed.output()).contains("missing.img", "ENOENT").doesNotContain("\tat ");
    }

    private static String disk(Path folder) {
        return "name=disk0,type=blk,socket=%s,path=%s"
                .formatted(folder.resolve("disk0.sock"), folder.resolve("missing.img"));
    }
}
