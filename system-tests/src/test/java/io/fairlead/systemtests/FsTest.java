package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A stock guest works in folders of the host through our file system devices. */
@Timeout(900)
class FsTest {
    private static final List<String> CACHES = List.of("auto", "always", "never");
    private static final int EXERCISES = 300;
    private static final Duration PATIENCE = Duration.ofMinutes(10);
    private static final Duration LONG_PATIENCE = Duration.ofMinutes(25);

    /** What {@code fs-check} tries, random operations, a tree of files, and a large one. */
    private static final String WORK = """
            modprobe virtiofs
            work() {
                mkdir -p /mnt/$1
                mount -t virtiofs $1 /mnt/$1 || emit "{\\"mounted\\":\\"no $1\\"}"
                cd /mnt/$1
                mkdir work && cd work
                ../fs-check >/tmp/check.txt 2>&1
                status=$?
                emit "{\\"check-$1\\":$status,\\"said\\":\\"$(tr -d '"\\\\' </tmp/check.txt | tr '\\n' ';')\\"}"
                ../fs-exercise exercised $2 $3 >/tmp/exercise.txt 2>&1
                status=$?
                emit "{\\"exercise-$1\\":$status,\\"said\\":\\"$(tr -d '"\\\\' </tmp/exercise.txt | tr '\\n' ';')\\"}"
                cd ..
                mkdir tree
                for folder in 1 2 3 4 5; do
                    mkdir tree/$folder
                    for file in 1 2 3 4 5 6 7 8 9 10; do
                        echo "content of $folder/$file" >tree/$folder/$file
                    done
                done
                sum=$(find tree -type f | sort | xargs cat | sha256sum | cut -d' ' -f1)
                emit "{\\"tree-$1\\":\\"$sum\\",\\"host-$1\\":\\"$(cat from-host.txt)\\"}"
                echo "from the guest" >from-guest.txt
                dd if=/dev/urandom of=large bs=1M count=4 2>/dev/null
                sync
                emit "{\\"large-$1\\":\\"$(sha256sum <large | cut -d' ' -f1)\\"}"
                cd /
            }
            """;

    @TempDir
    Path folder;

    private Path export(String name) {
        return folder.resolve("export-" + name);
    }

    /** Devices at folders of their own, named and tagged by how the guest caches. */
    private GuestSpec serve(SoftwareDevices devices, String job, List<String> caches, Map<String, String> more)
            throws Exception {
        GuestSpec spec = GuestSpec.job(job).name("fs");
        for (String cache : caches) {
            Path export = Files.createDirectory(export(cache));
            for (String program : List.of("fs-check", "fs-exercise")) {
                Path built = folder.resolve(program);
                if (!Files.exists(built)) {
                    GuestProgram.build(program, built);
                }
                Path _ = Files.copy(built, export.resolve(program));
            }
            Files.writeString(export.resolve("from-host.txt"), "hello from the host");
            Map<String, String> attributes = new HashMap<>(more);
            attributes.putAll(Map.of("path", export.toString(), "tag", cache, "cache", cache));
            var _ = devices.serve(cache, "fs", attributes);
            spec.device(VhostUserDevice.fs(cache, devices.socket(cache), cache));
        }
        return spec;
    }

    private static String work(List<String> caches, int exercises) {
        return WORK
                + caches.stream()
                        .map(cache -> "work %s %d %d\n".formatted(cache, cache.hashCode() & 0xffff, exercises))
                        .collect(Collectors.joining());
    }

    /** Verified random I/O, and so many small files in 100 folders, made by two at a time, some of which go again. */
    private static String fioAndMany(int count) {
        return """
                cd /mnt/auto
                fio --name=verify --directory=/mnt/auto --filename=fio.dat --size=24m --rw=randwrite --bs=4k \\
                    --ioengine=psync --verify=crc32c --verify_fatal=1 --verify_backlog=512 >/tmp/fio.txt 2>&1
                emit "{\\"fio\\":$?,\\"fioSaid\\":\\"$(tail -n 3 /tmp/fio.txt | tr -d '"\\\\' | tr '\\n' ';')\\"}"
                mkdir many && cd many
                fill() {
                    for folder in $(seq $1 2 100); do
                        mkdir $folder
                        for file in $(seq 1 %d); do echo $folder.$file >$folder/$file; done
                    done
                }
                fill 1 &
                other=$!
                fill 2
                wait $other
                emit "{\\"found\\":$(find . -type f | wc -l),\\"bytes\\":$(for folder in *; do cat $folder/*; done | wc -c)}"
                echo 2 >/proc/sys/vm/drop_caches
                rm -rf ../many/1?
                cd /
                """.formatted(count / 100);
    }

    private static String leave(List<String> caches) {
        return "umount %s && emit '{\"unmounted\":\"yes\"}'\n"
                        .formatted(caches.stream().map("/mnt/"::concat).collect(Collectors.joining(" ")))
                + Lab.REPORT_KERNEL_ERRORS;
    }

    private static GuestResult run(GuestSpec spec, Duration patience) throws Exception {
        GuestResult result;
        try (Guest guest = Lab.TESTBED.start(spec)) {
            result = guest.awaitResult(patience);
        }
        Lab.report("%s", result.lines());
        assertThat(Lab.line(result, "unmounted").path("unmounted").asString()).isEqualTo("yes");
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        return result;
    }

    private static String text(GuestResult result, String member) {
        return Lab.line(result, member).path(member).asString();
    }

    private void assertWorked(GuestResult result, String cache) throws Exception {
        for (String program : List.of("check-", "exercise-")) {
            JsonNode line = Lab.line(result, program + cache);
            assertThat(line.path(program + cache).asInt(-1))
                    .as("%s: %s", cache, line.path("said").asString())
                    .isZero();
        }
        Path export = export(cache);
        assertThat(text(result, "tree-" + cache))
                .isEqualTo(sha256("cd %s && find tree -type f | sort | xargs cat".formatted(export)));
        assertThat(text(result, "host-" + cache)).isEqualTo("hello from the host");
        assertThat(export.resolve("from-guest.txt")).hasContent("from the guest\n");
        assertThat(text(result, "large-" + cache)).isEqualTo(sha256("cat %s/large".formatted(export)));
    }

    private static String sha256(String command) throws Exception {
        Process process = new ProcessBuilder("sh", "-c", command + " | sha256sum | cut -d' ' -f1").start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
    }

    @Test
    void aGuestOnTheOlderQemuWorksInAFolder() throws Exception {
        List<String> caches = List.of("auto");
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            GuestSpec spec =
                    serve(devices, work(caches, EXERCISES) + leave(caches), caches, Map.of("file-handles", "off"));
            assertWorked(run(spec.release(QemuRelease.V10), PATIENCE), "auto");
        }
    }

    /** Whatever the guest keeps; with verified random I/O by fio, and many more files than there are descriptors. */
    @Test
    void aGuestWorksInFoldersWithFioAndManyFiles() throws Exception {
        work(EXERCISES, 4_000, PATIENCE);
    }

    /** An emulated guest makes some 500 files a second and reads 800. */
    @Tag("long")
    @Timeout(1800)
    @Test
    void aGuestWorksLongAndWithHundredsOfThousandsOfFiles() throws Exception {
        work(20_000, 200_000, LONG_PATIENCE);
    }

    private void work(int exercises, int count, Duration patience) throws Exception {
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        String job = work(CACHES, exercises) + fioAndMany(count) + leave(CACHES);
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            GuestSpec spec = serve(devices, job, CACHES, Map.of("max-descriptors", "500"));
            GuestResult result = run(spec.boot(GuestSpec.Boot.KERNEL).disk("root", root, 0), patience);
            for (String cache : CACHES) {
                assertWorked(result, cache);
            }
            assertThat(Lab.line(result, "fio").path("fio").asInt(-1))
                    .as(text(result, "fioSaid"))
                    .isZero();
            assertThat(Lab.line(result, "found").path("found").asInt()).isEqualTo(count);
            int bytes = IntStream.rangeClosed(1, 100)
                    .map(i -> IntStream.rangeClosed(1, count / 100)
                            .map(k -> "%d.%d\n".formatted(i, k).length())
                            .sum())
                    .sum();
            assertThat(Lab.line(result, "bytes").path("bytes").asInt()).isEqualTo(bytes);
            try (Stream<Path> left = Files.list(export("auto").resolve("many"))) {
                assertThat(left.count()).as("folders left at the host").isEqualTo(90);
            }
        }
    }
}
