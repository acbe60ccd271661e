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
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A stock guest works in a folder of the host through our file system device. */
@Timeout(600)
class FsTest {
    private static final String MOUNT = """
            modprobe virtiofs
            mkdir -p /mnt/home
            mount -t virtiofs home /mnt/home || emit '{"mounted":"no"}'
            cd /mnt/home
            """;

    private static final String CHECK = MOUNT + """
            mkdir work && cd work
            ../fs-check >/tmp/check.txt 2>&1
            status=$?
            emit "{\\"failures\\":$status,\\"said\\":\\"$(tr -d '"\\\\' </tmp/check.txt | tr '\\n' ';')\\"}"
            cd ..
            mkdir tree
            for folder in 1 2 3 4 5 6 7 8 9 10; do
                mkdir tree/$folder
                for file in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
                    echo "content of $folder/$file" >tree/$folder/$file
                done
            done
            sum=$(find tree -type f | sort | xargs cat | sha256sum | cut -d' ' -f1)
            emit "{\\"tree\\":\\"$sum\\",\\"count\\":$(find tree -type f | wc -l)}"
            emit "{\\"host\\":\\"$(cat from-host.txt)\\"}"
            echo "from the guest" >from-guest.txt
            dd if=/dev/urandom of=large bs=1M count=8 2>/dev/null
            sync
            emit "{\\"large\\":\\"$(sha256sum <large | cut -d' ' -f1)\\"}"
            cd /
            umount /mnt/home && emit '{"unmounted":"yes"}'
            """ + Lab.REPORT_KERNEL_ERRORS;

    private static GuestSpec spec(SoftwareDevices devices, String job) {
        return GuestSpec.job(job).name("fs").device(VhostUserDevice.fs("fs0", devices.socket("fs0"), "home"));
    }

    private static Map<String, String> attributes(Path export, String... more) {
        Map<String, String> attributes = new HashMap<>(Map.of("path", export.toString(), "tag", "home"));
        for (int i = 0; i < more.length; i += 2) {
            attributes.put(more[i], more[i + 1]);
        }
        return attributes;
    }

    private static String sha256(String command) throws Exception {
        Process process = new ProcessBuilder("sh", "-c", command + " | sha256sum | cut -d' ' -f1").start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
    }

    @ParameterizedTest
    @CsvSource({"V10,auto", "V11,auto", "V11,always", "V11,never"})
    void aGuestWorksInAFolder(QemuRelease release, String cache, @TempDir Path folder) throws Exception {
        Path export = Files.createDirectory(folder.resolve("export"));
        GuestProgram.build("fs-check", export.resolve("fs-check"));
        Files.writeString(export.resolve("from-host.txt"), "hello from the host");
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            var fs = devices.serve("fs0", "fs", attributes(export, "cache", cache));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec(devices, CHECK).release(release))) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            Lab.report("%s", result.lines());
            assertThat(Lab.line(result, "failures").path("failures").asInt())
                    .as(Lab.line(result, "said").path("said").asString())
                    .isZero();
            assertThat(Lab.line(result, "count").path("count").asInt()).isEqualTo(200);
            assertThat(Lab.line(result, "tree").path("tree").asString())
                    .isEqualTo(sha256("cd %s && find tree -type f | sort | xargs cat".formatted(export)));
            assertThat(Lab.line(result, "host").path("host").asString()).isEqualTo("hello from the host");
            assertThat(export.resolve("from-guest.txt")).hasContent("from the guest\n");
            assertThat(Lab.line(result, "large").path("large").asString())
                    .isEqualTo(sha256("cat %s/large".formatted(export)));
            assertThat(Lab.line(result, "unmounted").path("unmounted").asString())
                    .isEqualTo("yes");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(fs.statistics().total().writtenBytes()).isGreaterThan(8 << 20);
        }
    }

    /** Verified random I/O by fio, and thousands of small files: fewer than a process may have open by default. */
    @Test
    void fioAndManySmallFiles(@TempDir Path folder) throws Exception {
        int count = 8_000;
        Path export = Files.createDirectory(folder.resolve("export"));
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        String job = MOUNT + """
                fio --name=verify --directory=/mnt/home --filename=fio.dat --size=24m --rw=randwrite --bs=4k \\
                    --ioengine=psync --verify=crc32c --verify_fatal=1 --verify_backlog=512 >/tmp/fio.txt 2>&1
                emit "{\\"fio\\":$?,\\"fioSaid\\":\\"$(tail -n 3 /tmp/fio.txt | tr -d '"\\\\' | tr '\\n' ';')\\"}"
                mkdir many && cd many
                for folder in $(seq 1 100); do
                    mkdir $folder
                    for file in $(seq 1 %d); do echo $folder.$file >$folder/$file; done
                done
                emit "{\\"found\\":$(find . -type f | wc -l),\\"bytes\\":$(cat */* | wc -c)}"
                echo 2 >/proc/sys/vm/drop_caches
                rm -rf ../many/1?
                cd / && umount /mnt/home && emit '{"unmounted":"yes"}'
                """.formatted(count / 100) + Lab.REPORT_KERNEL_ERRORS;
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            var _ = devices.serve("fs0", "fs", attributes(export));
            GuestResult result;
            GuestSpec spec = spec(devices, job).boot(GuestSpec.Boot.KERNEL).disk("root", root, 0);
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            Lab.report("%s", result.lines());
            assertThat(Lab.line(result, "fio").path("fio").asInt())
                    .as(Lab.line(result, "fioSaid").path("fioSaid").asString())
                    .isZero();
            assertThat(Lab.line(result, "found").path("found").asInt()).isEqualTo(count);
            int bytes = IntStream.rangeClosed(1, 100)
                    .map(i -> IntStream.rangeClosed(1, count / 100)
                            .map(k -> "%d.%d\n".formatted(i, k).length())
                            .sum())
                    .sum();
            assertThat(Lab.line(result, "bytes").path("bytes").asInt()).isEqualTo(bytes);
            try (Stream<Path> left = Files.list(export.resolve("many"))) {
                assertThat(left.count()).as("folders left at the host").isEqualTo(90);
            }
            assertThat(Lab.line(result, "unmounted").path("unmounted").asString())
                    .isEqualTo("yes");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
        }
    }
}
