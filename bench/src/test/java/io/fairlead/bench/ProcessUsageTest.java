package io.fairlead.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessUsageTest {
    private static final String STATUS = """
            Name:\tx
            VmRSS:\t  999999 kB
            RssAnon:\t   100 kB
            RssFile:\t    20 kB
            RssShmem:\t     3 kB
            """;

    @ParameterizedTest
    @ValueSource(strings = {"java", "a b", ") R 1 2 3 4 5 6 7 8 9 10 11 12 13 14", "((", "", "a\nb", "x) S 9 9"})
    void readsTimesAfterAnyName(String name) throws IOException {
        String stat = "4711 (" + name + ") S 1 4711 4711 0 -1 4194560 2500 0 3 0 700 55 7 8 20 0 12 0 100 8000 900\n";
        ProcessUsage usage = ProcessUsage.parse(stat, STATUS);
        assertThat(usage.cpuNanos()).isEqualTo(7_550_000_000L);
        assertThat(usage.anonymousBytes()).isEqualTo(102_400);
        assertThat(usage.fileBytes()).isEqualTo(20_480);
        assertThat(usage.sharedBytes()).isEqualTo(3_072);
        assertThat(usage.ownResidentBytes()).isEqualTo(122_880);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "4711", "4711 (x) S 1 2", "4711 (x) S 1 2 3 4 5 6 7 8 9 10 u s 13 14"})
    void refusesWhatIsNoStat(String stat) {
        assertThatThrownBy(() -> ProcessUsage.parse(stat, STATUS)).isInstanceOf(IOException.class);
    }

    @Test
    void countsTheTimeThatThisProcessUses() throws IOException {
        long pid = ProcessHandle.current().pid();
        long before = ProcessUsage.of(pid).cpuNanos();
        long sum = 0;
        long spent = 0;
        for (long i = 0; spent == 0; i++) {
            sum += i * i;
            if (i % 1_000_000 == 0) {
                spent = ProcessUsage.of(pid).cpuNanos() - before;
            }
        }
        assertThat(sum).isNotNegative();
        assertThat(spent).isPositive();
        assertThat(ProcessUsage.of(pid).ownResidentBytes()).isBetween(10L << 20, 4L << 30);
    }

    @Test
    void aProcessThatIsNotThereIsAnError() {
        assertThatThrownBy(() -> ProcessUsage.of(Integer.MAX_VALUE)).isInstanceOf(IOException.class);
    }

    @Test
    void whatIsMappedOfOneFileIsCountedOverAllItsMappings() {
        String smaps = """
                7f00-7f10 r--s 00000000 08:01 12 /data/disk.img
                Size: 64 kB
                Rss: 8 kB
                7f10-7f20 r--s 00000000 08:01 13 /data/disk.img.old
                Rss: 32 kB
                7f20-7f30 rw-p 00000000 00:00 0
                Rss: 128 kB
                7f30-7f40 r--s 00001000 08:01 12 /data/disk.img
                Rss: 4 kB
                """;
        assertThat(ProcessUsage.parseMapped(smaps, "/data/disk.img")).isEqualTo(12 * 1024);
    }
}
