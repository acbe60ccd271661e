package io.fairlead.vdpa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.Memfd;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class MemoryTableTest {
    private static final long PAGE = 4096;

    private long descriptorsBefore;
    private long mappingsBefore;

    @BeforeEach
    void count() {
        descriptorsBefore = Fd.openCount();
        mappingsBefore = Mapping.openCount();
    }

    @AfterEach
    void nothingLeaks() {
        assertThat(Fd.openCount()).isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).isEqualTo(mappingsBefore);
    }

    private static MemoryRegion region(long guestAddress, long userAddress, long byteCount) throws IOException {
        return MemoryRegion.map(Memfd.create("test", byteCount), 0, guestAddress, userAddress, byteCount);
    }

    @Test
    void aRegionLivesAsLongAsATableOrAUserOfItsMemory() throws Exception {
        MemoryRegion region = region(0x10000, 0x7000_0000, 2 * PAGE);
        MemoryTable table = new MemoryTable(List.of(region));
        region.release();
        GuestMemory memory = table.memory();
        memory.retain();
        table.release();
        memory.slice(0x10000, 4).set(ValueLayout.JAVA_INT, 0, 42);
        assertThat(region.segment().get(ValueLayout.JAVA_INT, 0)).isEqualTo(42);
        memory.release();
        assertThatThrownBy(() -> region.segment().get(ValueLayout.JAVA_INT, 0))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void changesMakeNewTablesAndLeaveTheOldOnes() throws Exception {
        MemoryRegion low = region(0, 0x1000_0000, PAGE);
        MemoryRegion high = region(0x1_0000_0000L, 0x2000_0000, PAGE);
        MemoryTable one = new MemoryTable(List.of(low));
        MemoryTable both = one.plus(high);
        MemoryTable rest = both.minus(low);
        low.release();
        high.release();
        assertThat(one.regions()).containsExactly(low);
        assertThat(both.regions()).containsExactly(low, high);
        assertThat(rest.regions()).containsExactly(high);
        assertThatThrownBy(() -> rest.minus(low)).isInstanceOf(IllegalArgumentException.class);
        one.release();
        both.release();
        assertThatThrownBy(() -> low.segment().get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        assertThat(high.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        rest.release();
    }

    @Test
    void userAddressesAreTranslatedWithinOneRegionOnly() throws Exception {
        MemoryRegion low = region(0x1000, 0x7f00_0000_0000L, 2 * PAGE);
        // A peer's addresses are arbitrary 64-bit numbers: here above the middle.
        MemoryRegion high = region(0x10000, 0xffff_8000_0000_0000L, PAGE);
        MemoryTable table = new MemoryTable(List.of(low, high));
        low.release();
        high.release();
        assertThat(table.guestAddressOfUser(0x7f00_0000_0010L, 16)).isEqualTo(0x1010);
        assertThat(table.guestAddressOfUser(0x7f00_0000_0000L, 2 * PAGE)).isEqualTo(0x1000);
        assertThat(table.guestAddressOfUser(0xffff_8000_0000_0ff0L, 16)).isEqualTo(0x10ff0);
        for (long[] bad : new long[][] {
            {0x7f00_0000_0000L, 2 * PAGE + 1},
            {0x7f00_0000_1fffL, 2},
            {0x7eff_ffff_ffffL, 1},
            {0x7f00_0000_2000L, 0},
            {0x7f00_0000_0000L, -1},
            {-1, 1},
            {0, 8},
        }) {
            assertThatThrownBy(() -> table.guestAddressOfUser(bad[0], bad[1]))
                    .as("0x%x +%d", bad[0], bad[1])
                    .isInstanceOf(GuestFaultException.class);
        }
        table.release();
    }

    @Test
    void regionsThatAreNoRangeOfTheirFileAreRefusedAndTheirDescriptorClosed() throws Exception {
        long[][] offsetAddressBytes = {
            {0, 0, 0},
            {0, 0, -1},
            {0, 0, 2 * PAGE},
            {PAGE, 0, PAGE},
            {-PAGE, 0, PAGE},
            {Long.MAX_VALUE, 0, PAGE},
            {0, -PAGE, PAGE},
            {0, Long.MAX_VALUE, PAGE},
        };
        for (long[] bad : offsetAddressBytes) {
            Fd fd = Memfd.create("test", PAGE);
            assertThatThrownBy(() -> MemoryRegion.map(fd, bad[0], bad[1], 0, bad[2]))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("memory region");
            assertThat(fd.isOpen()).isFalse();
        }
    }

    @Test
    void overlappingRegionsAreRefused() throws Exception {
        MemoryRegion first = region(0x1000, 0, 2 * PAGE);
        MemoryRegion second = region(0x2000, 0x10000, PAGE);
        assertThatThrownBy(() -> new MemoryTable(List.of(first, second)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("overlap");
        first.release();
        second.release();
    }
}
