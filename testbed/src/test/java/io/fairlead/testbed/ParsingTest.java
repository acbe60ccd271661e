package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class ParsingTest {
    @Test
    void theMirrorIsTheMainRepository() {
        assertThat(Apt.mirrorUri("""
                'https://tools.example/apt/dists/nodistro/InRelease' tools.example_InRelease 0
                'http://mirror.example/debian-security/dists/bookworm-security/InRelease' s_InRelease 0
                'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' p 0
                'http://mirror.example/debian/dists/bookworm/InRelease' m_InRelease 0
                """)).hasValue("http://mirror.example/debian");
        assertThat(Apt.mirrorUri("'mirror+file:/etc/apt/mirrors/debian.list/dists/stable-updates/InRelease' x 0\n"))
                .hasValue("mirror+file:/etc/apt/mirrors/debian.list");
        assertThat(Apt.mirrorUri("'http://archive.example/ubuntu/dists/noble/InRelease' x 0\n"))
                .isEmpty();
        assertThat(Apt.mirrorUri("")).isEmpty();
    }

    @Test
    void theCacheFollowsTheEnvironment() {
        assertThat(Cache.ofEnvironment(Map.of("FAIRLEAD_CACHE", "/c", "XDG_CACHE_HOME", "/x"), "/h")
                        .directory())
                .isEqualTo(Path.of("/c"));
        assertThat(Cache.ofEnvironment(Map.of("FAIRLEAD_CACHE", "", "XDG_CACHE_HOME", "/x"), "/h")
                        .directory())
                .isEqualTo(Path.of("/x/fairlead"));
        assertThat(Cache.ofEnvironment(Map.of("XDG_CACHE_HOME", "relative"), "/h")
                        .directory())
                .isEqualTo(Path.of("/h/.cache/fairlead"));
        assertThat(Cache.ofEnvironment(Map.of(), "/h").directory()).isEqualTo(Path.of("/h/.cache/fairlead"));
    }

    @Test
    void modulesComeWithWhatTheyNeed() {
        String dependencies = """
                kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/jbd2/jbd2.ko.xz
                kernel/lib/crc16.ko.xz:
                kernel/fs/jbd2/jbd2.ko.xz:
                kernel/net/9p/9pnet-virtio.ko.xz: kernel/net/9p/9pnet.ko.xz
                kernel/net/9p/9pnet.ko.xz:
                kernel/other.ko.xz:
                """;
        assertThat(KernelModules.closure(dependencies, List.of("9pnet_virtio", "ext4", "built_in")))
                .containsExactly(
                        "kernel/fs/ext4/ext4.ko.xz",
                        "kernel/fs/jbd2/jbd2.ko.xz",
                        "kernel/lib/crc16.ko.xz",
                        "kernel/net/9p/9pnet-virtio.ko.xz",
                        "kernel/net/9p/9pnet.ko.xz");
        assertThat(KernelModules.moduleName("kernel/crc32c-intel.ko")).isEqualTo("crc32c_intel");
    }

    @Test
    void librariesAreReadFromTheLoadersListing() throws Exception {
        assertThat(Userland.librariesIn("""
                \tlinux-vdso.so.1 (0x00007ffd)
                \tlibm.so.6 => /r/usr/lib/libm.so.6 (0x00007f10)
                \t/r/ld-linux-x86-64.so.2 (0x00007f11)
                """)).containsExactly("/r/usr/lib/libm.so.6", "/r/ld-linux-x86-64.so.2");
        assertThatThrownBy(() -> Userland.librariesIn("\tlibnone.so.1 => not found\n"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("libnone.so.1");
    }

    @Test
    void resultLinesAreToldFromOthers() {
        assertThat(Objects.requireNonNull(Guest.parse("@fairlead {\"a\":1}"))
                        .path("a")
                        .asInt())
                .isEqualTo(1);
        assertThat(Objects.requireNonNull(Guest.parse("@fairlead {broken"))
                        .path("text")
                        .asString())
                .isEqualTo("{broken");
        assertThat(Guest.parse("[    0.000000] Linux version 6.12")).isNull();
        assertThat(Guest.parse("")).isNull();
    }

    @Test
    void aSetsFolderFollowsItsDefinition() {
        PackageSet set = new PackageSet("s", "trixie", true, List.of("a"), List.of());
        assertThat(set.folder())
                .isEqualTo(new PackageSet("s", "trixie", true, List.of("a"), List.of()).folder())
                .startsWith("s-")
                .isNotEqualTo(new PackageSet("s", "trixie", true, List.of("a", "b"), List.of()).folder())
                .isNotEqualTo(new PackageSet("s", "trixie", false, List.of("a"), List.of()).folder());
    }

    @Test
    void progressIsTextWithTheLastLineAlwaysShown() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Progress progress = new TextProgress(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        progress.step("Fetching x");
        progress.download("x", 0, 2, 1_500_000, 4_000_000, 500_000);
        progress.download("x", 1, 2, 2_000_000, 4_000_000, 500_000);
        progress.download("x", 2, 2, 4_000_000, 4_000_000, 1_000_000);
        progress.download("x", 2, 2, 4_000_000, 4_000_000, 900_000);
        progress.download("y", 0, 1, 0, 1_000_000, 0);
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
                .containsExactly(
                        "Fetching x",
                        "  x: package 0 of 2, 1.5 of 4.0 MB, 0.5 MB/s",
                        "  x: package 2 of 2, 4.0 of 4.0 MB, 1.0 MB/s",
                        "  y: package 0 of 1, 0.0 of 1.0 MB, 0.0 MB/s");
    }
}
