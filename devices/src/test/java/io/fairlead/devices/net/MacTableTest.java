package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class MacTableTest {
    private static final long MAC = 0x5254_0012_3456L;

    @Test
    void knowsWhereAnAddressWasSeenLast() {
        MacTable table = new MacTable(8);
        assertThat(table.lookUp(MAC, 0)).isEqualTo(MacTable.NO_PORT);
        table.learn(MAC, 3, 0);
        table.learn(MAC + 1, 4, 0);
        assertThat(table.lookUp(MAC, 1)).isEqualTo(3);
        assertThat(table.lookUp(MAC + 1, 1)).isEqualTo(4);
        table.learn(MAC, 5, 2);
        assertThat(table.lookUp(MAC, 2)).isEqualTo(5);
        assertThat(table.count(3)).isZero();
        assertThat(table.count(5)).isEqualTo(1);
        table.forget(5);
        assertThat(table.lookUp(MAC, 2)).isEqualTo(MacTable.NO_PORT);
        assertThat(table.lookUp(MAC + 1, 2)).isEqualTo(4);
    }

    @Test
    void forgetsWhatIsOldUnlessItIsSeenAgain() {
        MacTable table = new MacTable(8);
        table.learn(MAC, 1, 0);
        table.learn(MAC + 1, 1, 0);
        table.learn(MAC, 1, 200);
        assertThat(table.lookUp(MAC, MacTable.MAX_AGE_SECONDS + 1)).isEqualTo(1);
        assertThat(table.lookUp(MAC + 1, MacTable.MAX_AGE_SECONDS + 1)).isEqualTo(MacTable.NO_PORT);
    }

    @Test
    void onePortThatMakesAddressesUpFillsItsShareAlone() {
        MacTable table = new MacTable(8);
        Random random = new Random(1);
        for (int i = 0; i < 100_000; i++) {
            table.learn(random.nextLong() & 0xfeff_ffff_ffffL, 1, 0);
        }
        assertThat(table.count(1)).isEqualTo(MacTable.MAX_PER_PORT);
        for (int i = 0; i < 500; i++) {
            table.learn(MAC + i, 2, 0);
        }
        int known = 0;
        for (int i = 0; i < 500; i++) {
            known += table.lookUp(MAC + i, 0) == 2 ? 1 : 0;
        }
        assertThat(known).isEqualTo(500);
    }

    @Test
    void threadsThatLearnTheSameAgreeInTheEnd() throws Exception {
        MacTable table = new MacTable(8);
        Thread[] threads = new Thread[4];
        for (int t = 0; t < threads.length; t++) {
            int port = t;
            threads[t] = Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 200_000; i++) {
                    table.learn(MAC + i % 50, port, 0);
                }
            });
        }
        for (Thread thread : threads) {
            thread.join();
        }
        int total = 0;
        for (int port = 0; port < threads.length; port++) {
            total += table.count(port);
        }
        for (int i = 0; i < 50; i++) {
            assertThat(table.lookUp(MAC + i, 0)).isBetween(0, 3);
        }
        // Two threads may each find a place for the same address once; one of the two is not seen again.
        assertThat(total).isBetween(50, 50 * threads.length);
    }
}
