package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.ProgramRoot;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A guest makes a git repository in a shared folder, clones it there and builds the program in it, with tools that it finds
 * in another shared folder.
 */
@Timeout(900)
@Tag("long")
class FsBuildTest {
    private static final int MODULES = 40;
    private static final int COMMITS = 5;

    /** Debian's programs and what they need, at the places where they look for it. */
    private static final String TOOLS = """
            modprobe virtiofs
            mkdir -p /mnt/tools /mnt/home /lib /lib64 /usr/lib /usr/share
            mount -t virtiofs -o ro tools /mnt/tools || emit '{"mounted":"no tools"}'
            mount -t virtiofs home /mnt/home || emit '{"mounted":"no home"}'
            tools=/mnt/tools/usr
            ln -s $tools/lib64/ld-linux-x86-64.so.2 /lib64/
            ln -s $tools/lib/x86_64-linux-gnu /lib/
            ln -s $tools/lib/x86_64-linux-gnu $tools/lib/git-core /usr/lib/
            ln -s $tools/share/git-core /usr/share/
            ln -s $tools/include /usr/include
            export PATH=$PATH:$tools/bin HOME=/root
            git config --global user.name guest
            git config --global user.email guest@example.org
            git config --global init.defaultBranch main
            git config --global safe.directory '*'
            """;

    /** A program of so many modules, each with a commit of its own or some together. */
    private static final String REPOSITORY = """
            failed() { emit "{\\"failed\\":\\"$1: $(tail -n 3 /tmp/said.txt | tr -d '"\\\\' | tr '\\n' ';')\\"}"; }
            mkdir /mnt/home/origin && cd /mnt/home/origin
            git init -q . >/tmp/said.txt 2>&1 || failed init
            mkdir source
            {
                echo '#include <stdio.h>'
                for i in $(seq 1 @MODULES@); do echo "long module_$i(long value);"; done
                echo 'int main(void) {'
                echo '    long value = 1;'
                for i in $(seq 1 @MODULES@); do echo "    value = module_$i(value);"; done
                echo '    printf("%ld\\n", value);'
                echo '    return 0;'
                echo '}'
            } >source/main.c
            {
                echo 'program: $(patsubst source/%.c,build/%.o,$(wildcard source/*.c))'
                printf '\\ttcc -o $@ $^\\n'
                echo 'build/%.o: source/%.c | build'
                printf '\\ttcc -c -o $@ $<\\n'
                echo 'build:'
                printf '\\tmkdir build\\n'
            } >Makefile
            printf 'build/\\nprogram\\n' >.gitignore
            for i in $(seq 1 @MODULES@); do
                echo "long module_$i(long value) { return (value * 31 + $i) % 1000003; }" >source/module_$i.c
                if [ $((i % (@MODULES@ / @COMMITS@))) = 0 ]; then
                    git add -A >/tmp/said.txt 2>&1 && git commit -qm "up to $i" >>/tmp/said.txt 2>&1 || failed commit
                fi
            done
            ln -s source/main.c start
            git mv Makefile Makefile.old && git commit -qm renamed && git mv Makefile.old Makefile
            git add -A && git commit -qm 'renamed back' >/tmp/said.txt 2>&1 || failed rename
            """;

    private static final String CLONE = """
            cd /mnt/home
            git clone -q file:///mnt/home/origin clone >/tmp/said.txt 2>&1 || failed clone
            cd clone
            make >/tmp/said.txt 2>&1 || failed make
            # Complaints of a clock that is not the host's are no failure.
            make -q 2>/dev/null
            emit "{\\"leftToMake\\":$?,\\"printed\\":\\"$(./program 2>&1)\\"}"
            emit "{\\"changed\\":\\"$(git status --porcelain 2>&1)\\",\\"commits\\":$(git rev-list --count HEAD)}"
            git gc -q >/tmp/said.txt 2>&1 || failed gc
            git fsck --full --strict >/tmp/said.txt 2>&1 || failed fsck
            emit "{\\"tree\\":\\"$(git rev-parse HEAD^{tree})\\"}"
            cp -r /mnt/home/clone /mnt/home/copy && diff -r /mnt/home/clone /mnt/home/copy >/tmp/said.txt 2>&1 || failed diff
            rm -rf /mnt/home/copy
            cd /
            umount /mnt/home && emit '{"unmounted":"yes"}'
            """ + Lab.REPORT_KERNEL_ERRORS;

    @ParameterizedTest
    @ValueSource(strings = {"auto", "always", "never"})
    void aGuestClonesARepositoryAndBuildsIt(String cache, @TempDir Path folder) throws Exception {
        ProgramRoot tools = Lab.TESTBED.buildTools();
        Path home = Files.createDirectory(folder.resolve("home"));
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            var _ = devices.serve("home", "fs", Map.of("path", home.toString(), "tag", "home", "cache", cache));
            var _ = devices.serve(
                    "tools",
                    "fs",
                    Map.of("path", tools.directory().toString(), "tag", "tools", "read-only", "on", "cache", "always"));
            GuestSpec spec = GuestSpec.job(TOOLS
                            + REPOSITORY
                                    .replace("@MODULES@", Integer.toString(MODULES))
                                    .replace("@COMMITS@", Integer.toString(COMMITS))
                            + CLONE)
                    .name("builds")
                    .processors(2)
                    .device(VhostUserDevice.fs("home", devices.socket("home"), "home"))
                    .device(VhostUserDevice.fs("tools", devices.socket("tools"), "tools"));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            Lab.report("FsBuildTest %s: %s, %d ms", cache, result.lines(), result.totalMillis());
            assertThat(result.lines()).noneMatch(line -> line.has("failed") || line.has("mounted"));
            assertThat(text(result, "printed")).isEqualTo(Long.toString(computed()));
            assertThat(Lab.line(result, "leftToMake").path("leftToMake").asInt(-1))
                    .isZero();
            assertThat(text(result, "changed")).isEmpty();
            assertThat(Lab.line(result, "commits").path("commits").asInt()).isEqualTo(COMMITS + 2);
            assertThat(text(result, "unmounted")).isEqualTo("yes");
            assertThat(text(result, "kernelErrors")).isEmpty();
            // The host finds what the guest made.
            for (String repository : List.of("origin", "clone")) {
                assertThat(git(tools, home.resolve(repository), "rev-parse", "HEAD^{tree}"))
                        .isEqualTo(text(result, "tree"));
                assertThat(git(tools, home.resolve(repository), "fsck", "--full"))
                        .doesNotContain("error", "missing");
            }
            HostCommand program = HostCommand.run(List.of(
                    tools.loader().toString(),
                    "--library-path",
                    tools.libraryPath(),
                    home.resolve("clone/program").toString()));
            assertThat(program.output()).isEqualTo(Long.toString(computed()));
        }
    }

    /** What the program of so many modules prints. */
    private static long computed() {
        long value = 1;
        for (int i = 1; i <= MODULES; i++) {
            value = (value * 31 + i) % 1000003;
        }
        return value;
    }

    private static String git(ProgramRoot tools, Path repository, String... words) throws Exception {
        List<String> command = new ArrayList<>(tools.command("usr/bin/git"));
        command.addAll(List.of("-c", "safe.directory=*", "-C", repository.toString()));
        command.addAll(List.of(words));
        HostCommand done = HostCommand.run(command);
        assertThat(done.exitCode()).as(done.output()).isZero();
        return done.output();
    }

    private static String text(GuestResult result, String member) {
        return Lab.line(result, member).path(member).asString();
    }
}
