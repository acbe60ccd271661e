package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class RingLayoutTest {
    /** From virtio 1.4, 2.7 and 2.8: alignments and sizes of the parts. */
    @Test
    void sizesOfTheParts() {
        assertThat(RingLayout.descriptorBytes(32768)).isEqualTo(16 * 32768);
        assertThat(RingLayout.availableBytes(256, true)).isEqualTo(6 + 2 * 256);
        assertThat(RingLayout.availableBytes(256, false)).isEqualTo(4 + 2 * 256);
        assertThat(RingLayout.usedBytes(256, true)).isEqualTo(6 + 8 * 256);
        assertThat(RingLayout.usedBytes(256, false)).isEqualTo(4 + 8 * 256);
        assertThat(RingLayout.availableEntry(3)).isEqualTo(10);
        assertThat(RingLayout.usedElement(3)).isEqualTo(28);
        assertThat(RingLayout.usedEvent(4)).isEqualTo(RingLayout.availableEntry(4));
        assertThat(RingLayout.availableEvent(4)).isEqualTo(RingLayout.usedElement(4));
    }

    @Test
    void sizesOfTheRing() {
        assertThat(RingLayout.isValidSize(0, true)).isFalse();
        assertThat(RingLayout.isValidSize(1, false)).isTrue();
        assertThat(RingLayout.isValidSize(3, false)).isFalse();
        assertThat(RingLayout.isValidSize(3, true)).isTrue();
        assertThat(RingLayout.isValidSize(32768, false)).isTrue();
        assertThat(RingLayout.isValidSize(32769, true)).isFalse();
        assertThat(RingLayout.isValidSize(65536, false)).isFalse();
        assertThat(RingLayout.isValidSize(-1, true)).isFalse();
    }

    @Test
    void anEventIsPassedWhenItsEntryWasWritten() {
        Random random = new Random(11);
        for (int round = 0; round < 2000; round++) {
            int from = random.nextInt(65536);
            int count = random.nextInt(20);
            int event = (from + random.nextInt(60) - 20) & 0xffff;
            boolean written = false;
            for (int i = 0; i < count; i++) {
                written |= ((from + i) & 0xffff) == event;
            }
            assertThat(RingLayout.passed(event, (from + count) & 0xffff, from))
                    .as("event %d, from %d, %d entries", event, from, count)
                    .isEqualTo(written);
        }
    }
}
