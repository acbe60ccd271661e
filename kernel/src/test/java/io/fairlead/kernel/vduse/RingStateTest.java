package io.fairlead.kernel.vduse;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.virtio.QueueState;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RingStateTest {
    @Test
    void aSplitQueueIsItsAvailableIndex() {
        assertThat(RingState.encode(new QueueState.Split(0xfffe, 0xfff0))).isEqualTo(0xfffe);
        // What the kernel leaves in the other halves is of no consequence.
        assertThat(RingState.decode(0x1234_5678_9abc_fffeL, false)).isEqualTo(new QueueState.Split(0xfffe, 0xfffe));
    }

    @Test
    void aPackedQueueIsCounterAndIndexOfBothSides() {
        assertThat(RingState.encode(new QueueState.Packed(5, true, 3, false))).isEqualTo(0x0003_0000_0005_0001L);
        assertThat(RingState.decode(0x0003_0000_0005_0001L, true)).isEqualTo(new QueueState.Packed(5, true, 3, false));
    }

    @Test
    void everyStateComesBack() {
        Random random = new Random(7);
        for (int i = 0; i < 10_000; i++) {
            QueueState packed = new QueueState.Packed(
                    random.nextInt(0x8000), random.nextBoolean(), random.nextInt(0x8000), random.nextBoolean());
            assertThat(RingState.decode(RingState.encode(packed), true)).isEqualTo(packed);
            // Whatever the kernel says is a state: none throws.
            assertThat(RingState.decode(random.nextLong(), true)).isInstanceOf(QueueState.Packed.class);
            assertThat(RingState.decode(random.nextLong(), false)).isInstanceOf(QueueState.Split.class);
        }
    }
}
