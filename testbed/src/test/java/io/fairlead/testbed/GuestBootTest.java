package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Real guests of both releases; fetches what is not in the cache yet. */
@Tag("long")
class GuestBootTest {
    private static final Duration TIMEOUT = Duration.ofMinutes(4);

    @ParameterizedTest
    @EnumSource
    void runsAJobWithoutADisk(QemuRelease release) throws Exception {
        try (Testbed testbed = Testbed.open(Progress.toStandardError());
                Guest guest = testbed.start(GuestSpec.job("""
                    emit "{\\"sum\\":$((40 + 2)),\\"kernel\\":\\"$(uname -r)\\"}"
                    exit 7
                    """).release(release))) {
            GuestResult result = guest.awaitResult(TIMEOUT);
            System.err.printf(
                    "%s diskless: boot %d ms, total %d ms%n", release, result.bootMillis(), result.totalMillis());
            assertThat(result.status()).isEqualTo(7);
            assertThat(result.lines()).hasSize(1);
            assertThat(result.lines().getFirst().path("sum").asInt()).isEqualTo(42);
            assertThat(result.lines().getFirst().path("kernel").asString())
                    .isEqualTo(testbed.kernel().version());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = GuestSpec.Boot.class,
            names = {"KERNEL", "BIOS", "UEFI"})
    void bootsFromADisk(GuestSpec.Boot boot, @TempDir Path folder) throws Exception {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            Path disk = folder.resolve("disk.img");
            testbed.copyRootImage(disk);
            try (Guest guest = testbed.start(GuestSpec.job("""
                        emit "{\\"root\\":\\"$(findfs LABEL=fairlead-root)\\"}"
                        fio --version >/dev/null && echo written >/root/proof && sync
                        """).boot(boot).disk("disk0", disk, 1))) {
                GuestResult result = guest.awaitResult(TIMEOUT);
                System.err.printf("%s: boot %d ms, total %d ms%n", boot, result.bootMillis(), result.totalMillis());
                assertThat(result.status()).isZero();
                assertThat(result.lines().getFirst().path("root").asString()).isEqualTo("/dev/vda2");
            }
        }
    }
}
