package io.fairlead.devices.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

class SlowStorageTest {
    private static final long DELAY_NANOS = TimeUnit.MILLISECONDS.toNanos(3);

    private final StubStorage stub = new StubStorage();
    private final SlowStorage slow = new SlowStorage(stub, DELAY_NANOS);

    private void assertTakesItsTime(LongSupplier call, long result) {
        long start = System.nanoTime();
        assertThat(call.getAsLong()).isEqualTo(result);
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(DELAY_NANOS);
    }

    @Test
    void whateverTouchesTheStorageTakesItsTimeOnAThreadThatMayWait() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(512);
            MemorySegment vector = arena.allocate(16, 8);
            vector.set(ValueLayout.JAVA_LONG, 0, data.address());
            vector.set(ValueLayout.JAVA_LONG, 8, data.byteSize());
            data.fill((byte) 7);
            assertThat(slow.descriptor()).isEqualTo(-1);
            assertThat(slow.mayReadCached()).isFalse();
            assertThat(slow.readNow(vector.address(), 1, 0)).isEqualTo(-Errno.EAGAIN);
            assertThat(slow.writeNow(vector.address(), 1, 0)).isEqualTo(-Errno.EAGAIN);
            assertTakesItsTime(() -> slow.write(vector.address(), 1, 1024), 512);
            data.fill((byte) 0);
            assertTakesItsTime(() -> slow.read(vector.address(), 1, 1024), 512);
            assertThat(data.get(ValueLayout.JAVA_BYTE, 511)).isEqualTo((byte) 7);
            assertTakesItsTime(slow::flush, 0);
            assertTakesItsTime(() -> slow.discard(0, 512), 0);
            assertTakesItsTime(() -> slow.writeZeroes(0, 512, true), 0);
        }
        slow.close();
        assertThat(stub.closed).isTrue();
    }
}
