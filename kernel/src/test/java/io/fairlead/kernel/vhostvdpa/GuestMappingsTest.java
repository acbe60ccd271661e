package io.fairlead.kernel.vhostvdpa;

import static io.fairlead.kernel.vhostvdpa.VhostVdpaFixture.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NoLeaks.class)
class GuestMappingsTest {
    @Test
    void onlyTheDifferenceIsTold() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            MemoryTable one = VhostVdpaFixture.table(0, 16, 0x10_0000, 8);
            fixture.device.memory(one);
            assertThat(fixture.kernel.updates).isEqualTo(2);
            MemoryRegion plugged = MemoryRegion.map(Memfd.create("plugged", 4 * PAGE), 0, 0x1_0000_0000L, 0, 4 * PAGE);
            MemoryTable more = one.plus(plugged);
            plugged.release();
            fixture.device.memory(more);
            assertThat(fixture.kernel.updates).isEqualTo(3);
            assertThat(fixture.kernel.batches).isEqualTo(2);
            // The same memory, mapped anew, as a front-end does that is told the whole table.
            List<MemoryRegion> again = new ArrayList<>();
            for (MemoryRegion region : more.regions()) {
                again.add(MemoryRegion.map(
                        region.fd().duplicate(),
                        region.fdOffset(),
                        region.guestAddress(),
                        region.userAddress(),
                        region.byteCount()));
            }
            MemoryTable same = new MemoryTable(again);
            again.forEach(MemoryRegion::release);
            fixture.device.memory(same);
            assertThat(fixture.kernel.updates).isEqualTo(3);
            assertThat(fixture.kernel.batches).isEqualTo(2);
            one.release();
            more.release();
            same.release();
        }
    }

    @Test
    void whateverTablesComeTheDeviceHasTheLast() throws Exception {
        for (long seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            FakeKernel kernel = new FakeKernel();
            try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
                TreeMap<Long, Long> expected = new TreeMap<>();
                List<MemoryRegion> pool = new ArrayList<>();
                for (int i = 0; i < 8; i++) {
                    long pages = 1 + random.nextLong(4);
                    pool.add(MemoryRegion.map(
                            Memfd.create("test", pages * PAGE), 0, i * 4L * PAGE, i * 4L * PAGE, pages * PAGE));
                }
                for (int step = 0; step < 8; step++) {
                    List<MemoryRegion> chosen =
                            pool.stream().filter(region -> random.nextBoolean()).toList();
                    MemoryTable table = new MemoryTable(chosen);
                    kernel.failingUpdate = random.nextInt(4);
                    try {
                        fixture.device.memory(table);
                        expected.clear();
                        chosen.forEach(region -> expected.put(region.guestAddress(), region.byteCount()));
                    } catch (IOException e) {
                        // What was mapped before stays.
                    }
                    kernel.failingUpdate = 0;
                    table.release();
                    assertThat(kernel.mapped).as("seed %d, step %d", seed, step).isEqualTo(expected);
                    assertThat(kernel.inBatch).isFalse();
                }
                pool.forEach(MemoryRegion::release);
            }
        }
    }

    @Test
    void whatIsRefusedAsAWholeIsMappedInHalves() throws Exception {
        FakeKernel kernel = new FakeKernel();
        kernel.failingUpdate = 1;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            fixture.memory(0, 35);
            assertThat(kernel.mapped).isEqualTo(Map.of(0L, 18 * PAGE, 18 * PAGE, 17 * PAGE));
            fixture.memory(0x10_0000, 1);
            assertThat(kernel.mapped).isEqualTo(Map.of(0x10_0000L, PAGE));
        }
    }

    @Test
    void memoryBeyondTheDevicesReachIsRefused() throws Exception {
        FakeKernel kernel = new FakeKernel();
        kernel.lastAddress = (1L << 39) - 1;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            fixture.memory((1L << 39) - PAGE, 1);
            assertThatThrownBy(() -> fixture.memory(1L << 39, 1))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("beyond what the device reaches, 0x0 to 0x7fffffffff");
            assertThat(kernel.mapped).containsOnlyKeys((1L << 39) - PAGE);
        }
    }

    @Test
    void memoryThatIsNotMadeOfPagesIsRefused() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            MemoryRegion region = MemoryRegion.map(Memfd.create("test", 2 * PAGE), 512, PAGE, PAGE, PAGE);
            MemoryTable table = new MemoryTable(List.of(region));
            region.release();
            assertThatThrownBy(() -> fixture.device.memory(table))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("pages of 4096 bytes");
            table.release();
        }
    }

    @Test
    void theLimitIsRaisedWhereTheSystemLetsUs() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(new FakeKernel())) {
            fixture.limit.limit = 8 * PAGE;
            fixture.limit.pinned = 4 * PAGE;
            fixture.memory(0, 16);
            assertThat(fixture.limit.limit).isEqualTo(20 * PAGE);
        }
    }

    @Test
    void aLimitThatIsTooLowIsNamedWithWhatToSet() throws Exception {
        FakeKernel kernel = new FakeKernel();
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel)) {
            fixture.limit.limit = 8 * PAGE;
            fixture.limit.hardLimit = 8 * PAGE;
            fixture.limit.pinned = 4 * PAGE;
            kernel.failingUpdate = 2;
            assertThatThrownBy(() -> fixture.memory(0, 16, 0x10_0000, 16))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("131072 bytes more are needed")
                    .hasMessageContaining("pinned 147456")
                    .hasMessageContaining("its limit of locked memory is 32768")
                    .hasMessageContaining("'ulimit -l 144'")
                    .hasMessageContaining("LimitMEMLOCK=144K");
            assertThat(kernel.mapped).isEmpty();
            // A device that pins nothing takes no harm from it.
            fixture.memory(0, 16, 0x10_0000, 16);
            assertThat(kernel.mapped).isEqualTo(Map.of(0L, 16 * PAGE, 0x10_0000L, 16 * PAGE));
        }
    }
}
