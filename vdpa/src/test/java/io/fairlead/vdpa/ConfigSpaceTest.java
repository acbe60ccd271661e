package io.fairlead.vdpa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import org.junit.jupiter.api.Test;

class ConfigSpaceTest {
    private static ConfigSpace space() {
        BitSet writable = new BitSet();
        writable.set(5);
        return new ConfigSpace(8, writable);
    }

    @Test
    void theGenerationMovesWithTheDevicesChangesOnly() {
        ConfigSpace space = space();
        int before = space.generation();
        space.update(bytes -> bytes.set(ValueLayout.JAVA_INT, 0, 0x01020304));
        assertThat(space.generation()).isNotEqualTo(before);
        int after = space.generation();
        space.write(5, MemorySegment.ofArray(new byte[] {9}));
        assertThat(space.generation()).isEqualTo(after);
        byte[] read = new byte[8];
        space.read(0, MemorySegment.ofArray(read));
        assertThat(read).containsExactly(4, 3, 2, 1, 0, 9, 0, 0);
    }

    @Test
    void aDriverChangesWhatItMayAndNothingElse() {
        ConfigSpace space = space();
        assertThat(space.write(4, MemorySegment.ofArray(new byte[] {1, 2, 3}))).isTrue();
        byte[] read = new byte[8];
        space.read(0, MemorySegment.ofArray(read));
        assertThat(read).containsExactly(0, 0, 0, 0, 0, 2, 0, 0);
        assertThat(space.write(4, MemorySegment.ofArray(new byte[] {1, 2, 3}))).isFalse();
    }

    @Test
    void rangesOutsideAreRefused() {
        ConfigSpace space = space();
        for (int[] bad : new int[][] {{-1, 1}, {8, 1}, {0, 9}, {7, 2}, {Integer.MAX_VALUE, 1}}) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[bad[1]]);
            assertThatThrownBy(() -> space.read(bad[0], bytes)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> space.write(bad[0], bytes)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }
}
