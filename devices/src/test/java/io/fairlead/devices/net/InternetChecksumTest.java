package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class InternetChecksumTest {
    @Test
    void knownHeaders() {
        // The example of RFC 1071, 3, and an IPv4 header whose checksum is b861.
        byte[] example = HexFormat.of().parseHex("0001f203f4f5f6f7");
        assertThat(bigEndian(InternetChecksum.fold(InternetChecksum.sum(MemorySegment.ofArray(example), 0, 8))))
                .isEqualTo(0xddf2);
        byte[] header = HexFormat.of().parseHex("45000073000040004011" + "0000" + "c0a80001c0a800c7");
        MemorySegment memory = MemorySegment.ofArray(header);
        InternetChecksum.storeComplement(memory, 10, InternetChecksum.sum(memory, 0, 20), false);
        assertThat(HexFormat.of().formatHex(header, 10, 12)).isEqualTo("b861");
        assertThat(InternetChecksum.fold(InternetChecksum.sum(memory, 0, 20))).isEqualTo(0xffff);
    }

    private static int bigEndian(int folded) {
        return Short.reverseBytes((short) folded) & 0xffff;
    }

    @Test
    void bytesOfAnyNumberAndSense() {
        Random random = new Random(3);
        for (int i = 0; i < 2000; i++) {
            byte[] bytes = new byte[random.nextInt(i == 0 ? 70_000 : 300) + 8];
            random.nextBytes(bytes);
            int offset = random.nextInt(7);
            int count = bytes.length - offset;
            int expected = Frames.sum(bytes, offset, count, 0);
            int sum =
                    bigEndian(InternetChecksum.fold(InternetChecksum.sum(MemorySegment.ofArray(bytes), offset, count)));
            assertThat(sum % 0xffff).isEqualTo(expected % 0xffff);
        }
    }

    @Test
    void udpNeverHasTheChecksumThatMeansNone() {
        byte[] bytes = new byte[2];
        InternetChecksum.storeComplement(MemorySegment.ofArray(bytes), 0, 0xffff, true);
        assertThat(bytes).containsExactly(0xff, 0xff);
        InternetChecksum.storeComplement(MemorySegment.ofArray(bytes), 0, 0xffff, false);
        assertThat(bytes).containsExactly(0, 0);
    }
}
