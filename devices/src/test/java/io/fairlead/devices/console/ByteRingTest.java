package io.fairlead.devices.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ByteRingTest {
    private static final int CAPACITY = 37;

    /** Beside a queue that does the same. */
    @Test
    void keepsTheNewestInTheirOrder() {
        Random random = new Random(4);
        ByteRing ring = new ByteRing(CAPACITY);
        Deque<Byte> model = new ArrayDeque<>();
        long lost = 0;
        for (int i = 0; i < 20_000; i++) {
            if (random.nextBoolean()) {
                byte[] bytes = new byte[random.nextInt(2 * CAPACITY)];
                random.nextBytes(bytes);
                int offset = random.nextInt(bytes.length + 1);
                ring.put(bytes, offset, bytes.length - offset);
                for (int j = offset; j < bytes.length; j++) {
                    model.add(bytes[j]);
                }
                while (model.size() > CAPACITY) {
                    model.remove();
                    lost++;
                }
            } else {
                ByteBuffer target = ByteBuffer.allocate(random.nextInt(CAPACITY + 5));
                long position = ring.peek(target);
                int copied = target.position();
                target.flip();
                assertThat(copied).isEqualTo(Math.min(model.size(), target.capacity()));
                byte[] more = new byte[random.nextInt(4)];
                ring.put(more, 0, more.length);
                for (byte each : more) {
                    model.add(each);
                }
                int overwritten = Math.max(0, model.size() - CAPACITY);
                lost += overwritten;
                for (int j = 0; j < Math.max(copied, overwritten); j++) {
                    byte removed = model.remove();
                    if (j < copied) {
                        assertThat(target.get()).isEqualTo(removed);
                    }
                }
                ring.dropTo(position + copied);
            }
            assertThat(ring.count()).isEqualTo(model.size());
            assertThat(ring.room()).isEqualTo(CAPACITY - model.size());
            assertThat(ring.lost()).isEqualTo(lost);
        }
    }
}
