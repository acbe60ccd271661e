package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuestMemoryTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 8, 509})
    void findsTheRegionOfEveryAddress(int count) throws Exception {
        MemorySegment host = Arena.ofAuto().allocate(64L * count, 8);
        List<GuestMemory.Region> regions = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            // Every third one adjoins its predecessor.
            long start = 1000L + 128L * i - (i % 3 == 0 ? 64 : 0);
            regions.add(new GuestMemory.Region(start, host.asSlice(64L * i, 64)));
        }
        List<GuestMemory.Region> shuffled = new ArrayList<>(regions);
        Collections.shuffle(shuffled, new Random(7));
        GuestMemory memory = new GuestMemory(shuffled, () -> {});
        assertThat(memory.regions()).containsExactlyElementsOf(regions);
        int step = count > 8 ? 5 : 1;
        for (long address = 900; address < 1000 + 128L * (count + 1); address += step) {
            int expected = -1;
            for (int i = 0; i < count; i++) {
                if (address >= regions.get(i).guestAddress()
                        && address < regions.get(i).guestEnd()) {
                    expected = i;
                }
            }
            for (int hint : new int[] {0, count - 1, count}) {
                assertThat(region(memory, address, hint))
                        .as("address %d", address)
                        .isEqualTo(expected);
            }
        }
        for (int i = 0; i < count; i++) {
            long start = regions.get(i).guestAddress();
            assertThat(memory.start(i)).isEqualTo(start);
            assertThat(memory.end(i)).isEqualTo(start + 64);
            assertThat(memory.hostBase(i) + start).isEqualTo(host.address() + 64L * i);
        }
        assertThat(region(memory, -1, 0)).isEqualTo(-1);
        assertThat(region(memory, Long.MIN_VALUE, 0)).isEqualTo(-1);
        assertThat(region(memory, Long.MAX_VALUE, 0)).isEqualTo(-1);
    }

    private static int region(GuestMemory memory, long address, int hint) {
        try {
            return memory.regionOf(address, hint);
        } catch (GuestFaultException _) {
            return -1;
        }
    }

    @Test
    void slicesLieInOneRegion() throws Exception {
        MemorySegment host = Arena.ofAuto().allocate(256, 8);
        GuestMemory memory = new GuestMemory(
                List.of(
                        new GuestMemory.Region(0x1000, host.asSlice(0, 128)),
                        new GuestMemory.Region(0x1080, host.asSlice(128))),
                () -> {});
        assertThat(memory.slice(0x1010, 112).address()).isEqualTo(host.address() + 16);
        assertThat(memory.slice(0x1010, 112).byteSize()).isEqualTo(112);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> memory.slice(0x1010, 113));
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> memory.slice(0x1010, -1));
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> memory.slice(0x1010, Long.MAX_VALUE));
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> memory.slice(0x1100, 1));
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> GuestMemory.EMPTY.slice(0, 1));
    }

    @Test
    void refusesRegionsThatOverlapWrapOrAreEmpty() {
        MemorySegment host = Arena.ofAuto().allocate(64, 8);
        assertRefused(new GuestMemory.Region(0, host), new GuestMemory.Region(63, host));
        assertRefused(new GuestMemory.Region(-64, host));
        assertRefused(new GuestMemory.Region(Long.MAX_VALUE - 10, host));
        assertRefused(new GuestMemory.Region(0, host.asSlice(0, 0)));
    }

    private static void assertRefused(GuestMemory.Region... regions) {
        assertThatIllegalArgumentException().isThrownBy(() -> new GuestMemory(List.of(regions), () -> {}));
    }

    @Test
    void theLastUserLetsTheMemoryGoOnce() {
        AtomicInteger unused = new AtomicInteger();
        GuestMemory memory = new GuestMemory(List.of(), unused::incrementAndGet);
        memory.retain();
        memory.release();
        assertThat(unused).hasValue(0);
        memory.release();
        assertThat(unused).hasValue(1);
        assertThatIllegalStateException().isThrownBy(memory::retain);
        assertThatIllegalStateException().isThrownBy(memory::release);
        assertThat(unused).hasValue(1);
    }
}
