package io.fairlead.node.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PageHashTest {
    private static long hash(byte[] bytes) {
        return PageHash.of(MemorySegment.ofArray(bytes));
    }

    /** As the reference implementation has them, seed 0. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|ef46db3751d8e999",
                "a|d24ec4f1a98c6e5b",
                "abc|44bc2cf5ad770999",
                "The quick brown fox jumps over the lazy dog|0b242d361fda71bc",
            })
    void isXxh64(String text, String expected) {
        assertThat(Long.toHexString(hash(text.getBytes(StandardCharsets.US_ASCII))))
                .isEqualTo(Long.toHexString(Long.parseUnsignedLong(expected, 16)));
    }

    @Test
    void everyBitOfAPageCounts() {
        byte[] page = new byte[4096];
        new Random(1).nextBytes(page);
        Set<Long> hashes = new HashSet<>();
        hashes.add(hash(page));
        for (int bit = 0; bit < page.length * 8; bit++) {
            page[bit / 8] ^= (byte) (1 << bit % 8);
            hashes.add(hash(page));
            page[bit / 8] ^= (byte) (1 << bit % 8);
        }
        assertThat(hashes).hasSize(page.length * 8 + 1);
    }

    @Test
    void lengthsOfZerosDiffer() {
        Set<Long> hashes = new HashSet<>();
        for (int length = 0; length <= 4096; length++) {
            hashes.add(hash(new byte[length]));
        }
        assertThat(hashes).hasSize(4097);
    }
}
