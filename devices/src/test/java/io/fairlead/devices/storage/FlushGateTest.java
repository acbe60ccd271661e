package io.fairlead.devices.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class FlushGateTest {
    @Test
    void aLostWriteIsNeverCalledDurable() {
        AtomicInteger calls = new AtomicInteger();
        FlushGate gate = new FlushGate(-1, "file") {
            @Override
            int sync() {
                return calls.incrementAndGet() == 2 ? -Errno.EIO : 0;
            }
        };
        assertThat(gate.flush()).isZero();
        assertThat(gate.flush()).isEqualTo(-Errno.EIO);
        assertThat(gate.flush()).isEqualTo(-Errno.EIO);
    }

    @Test
    void flushesOfManyAreOneCall() throws Exception {
        CountDownLatch inFirst = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicInteger calls = new AtomicInteger();
        FlushGate gate = new FlushGate(-1, "file") {
            @Override
            int sync() {
                if (calls.incrementAndGet() == 1) {
                    inFirst.countDown();
                    try {
                        goOn.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
                return 0;
            }
        };
        Thread first = Thread.ofPlatform().start(gate::flush);
        inFirst.await();
        Thread[] others = new Thread[6];
        for (int i = 0; i < others.length; i++) {
            others[i] = Thread.ofPlatform().start(gate::flush);
        }
        for (Thread other : others) {
            while (other.getState() != Thread.State.BLOCKED) {
                Thread.onSpinWait();
            }
        }
        goOn.countDown();
        first.join();
        for (Thread other : others) {
            other.join();
        }
        // The first one's call began before the others asked and does not count for them.
        assertThat(calls).hasValue(2);
    }
}
