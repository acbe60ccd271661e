package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What {@code ./fairlead dist} makes, of what Maven has built. */
@Timeout(300)
class DistTest {
    private static final Path ROOT = Path.of(System.getProperty("fairlead.root"));

    @TempDir
    static Path folder;

    private static Path dist;

    @BeforeAll
    static void make() throws Exception {
        assumeTrue(
                Files.isRegularFile(ROOT.resolve("cli/target/bom.json")),
                "the list of components is made by 'mvn verify' and './fairlead dist'");
        dist = folder.resolve("dist");
        HostCommand made = run(
                "env",
                "JAVA_HOME=" + System.getProperty("java.home"),
                ROOT.resolve("packaging/dist").toString(),
                "--prebuilt",
                "--into",
                dist.toString());
        assertThat(made.exitCode()).as(made.output()).isZero();
    }

    @Test
    void theImageRunsWithoutAJdkAndQuicklyAfterAMove() throws Exception {
        Path moved = folder.resolve("elsewhere/fairlead");
        Files.createDirectories(moved.getParent());
        HostCommand unpacked = run(
                "tar",
                "-C",
                moved.getParent().toString(),
                "-xzf",
                only(".tar.gz").toString());
        assertThat(unpacked.exitCode()).as(unpacked.output()).isZero();
        List<String> version = List.of(
                "env", "-i", "PATH=/usr/bin:/bin", moved.resolve("bin/fairlead").toString(), "--version");
        HostCommand before = HostCommand.run(version);
        assertThat(before.output()).matches("fairlead \\d+\\.\\d+\\.\\d+(-SNAPSHOT)?");
        HostCommand prepared = run(moved.resolve("prepare").toString());
        assertThat(prepared.exitCode()).as(prepared.output()).isZero();
        List<String> strict = new ArrayList<>(version);
        // The JVM then refuses to start where the start-up data are not used.
        strict.add(3, "FAIRLEAD_JAVA_OPTIONS=-XX:AOTMode=on");
        HostCommand after = HostCommand.run(strict);
        assertThat(after.output()).isEqualTo(before.output());
    }

    @Test
    void theListOfComponentsHasEveryLibraryAndTheRuntime() throws Exception {
        JsonNode list = new JsonMapper().readTree(only(".cdx.json"));
        assertThat(list.path("bomFormat").asString()).isEqualTo("CycloneDX");
        List<String> files = new ArrayList<>();
        list.path("components")
                .forEach(component -> files.add("%s-%s.jar"
                        .formatted(
                                component.path("name").asString(),
                                component.path("version").asString())));
        try (Stream<Path> libraries = Files.list(dist.resolve("fairlead/lib"))) {
            List<String> names = libraries
                    .map(library -> library.getFileName().toString())
                    // The program itself is what the list is of.
                    .filter(name -> !name.startsWith("fairlead-cli-"))
                    .toList();
            assertThat(files).containsAll(names);
            assertThat(files).hasSize(names.size() + 1).anyMatch(name -> name.startsWith("OpenJDK runtime-25"));
        }
    }

    @Test
    void thePackageIsInstalledUsedAndPurgedWithoutATrace() throws Exception {
        assumeTrue(run("id", "-u").output().equals("0"), "installing takes root");
        assumeTrue(
                Files.readString(Path.of("/proc/filesystems")).contains("overlay"),
                "the system is copied by overlayfs, which this kernel does not have");
        Path copy = Files.createDirectory(folder.resolve("copy"));
        HostCommand result = run(
                "unshare",
                "-m",
                "sh",
                script("install-package.sh").toString(),
                only(".deb").toString(),
                copy.toString(),
                script("check-package.sh").toString());
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .endsWith("finished")
                .contains("after removal: /etc/fairlead/daemon.conf")
                .doesNotContain("left:");
    }

    private static Path script(String name) throws IOException {
        Path script = folder.resolve(name);
        try (InputStream stream = Objects.requireNonNull(DistTest.class.getResourceAsStream("/" + name), name)) {
            Files.copy(stream, script, StandardCopyOption.REPLACE_EXISTING);
        }
        return script;
    }

    private static Path only(String ending) throws IOException {
        try (Stream<Path> files = Files.list(dist)) {
            List<Path> found =
                    files.filter(file -> file.toString().endsWith(ending)).toList();
            assertThat(found).as("files *%s", ending).hasSize(1);
            return found.getFirst();
        }
    }

    private static HostCommand run(String... words) throws IOException, InterruptedException {
        return HostCommand.run(List.of(words));
    }
}
