package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.qemu.GuestHoldsException;
import io.fairlead.qemu.HotPlug;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Devices come to a running guest, are used, and leave in the middle of that, again and again; nothing stays behind. */
@Timeout(1800)
class HotPlugTest {
    private static final Duration GUEST_TIMEOUT = Duration.ofSeconds(60);

    /** Uses whatever comes. */
    private static final String JOB = """
            modprobe -a virtio_blk virtio_rng 2>/dev/null
            (while :; do
                [ -b /dev/vda ] && dd if=/dev/vda of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null
                dd if=/dev/hwrng of=/dev/null bs=4k count=4 2>/dev/null
                sleep 0.01
            done) &
            emit '{"at":"up"}'
            receive >/dev/null
            """;

    /** A type with its device of QEMU's. */
    enum Type {
        BLK("blk"),
        RNG("rng");

        private final String name;

        Type(String name) {
            this.name = name;
        }

        private VhostUserDevice device(Path socket) {
            return switch (this) {
                case BLK -> VhostUserDevice.blk("hot", socket).with("num-queues", 1);
                case RNG -> VhostUserDevice.of("hot", "vhost-user-rng-pci", socket);
            };
        }

        private Map<String, String> attributes(Path folder) throws IOException {
            return switch (this) {
                case BLK ->
                    Map.of(
                            "path",
                            SoftwareDisks.emptyImage(folder.resolve("hot.img"), 8 << 20)
                                    .toString());
                case RNG -> Map.of();
            };
        }
    }

    private static GuestSpec spec() {
        return GuestSpec.job(JOB).name("hotplug").arguments("-device", "pcie-root-port,id=port0,chassis=1");
    }

    @ParameterizedTest
    @EnumSource
    void comesAndGoes(Type type, @TempDir Path folder) throws Exception {
        cycles(type, 5, folder);
    }

    @Tag("long")
    @ParameterizedTest
    @EnumSource
    void comesAndGoesAHundredTimes(Type type, @TempDir Path folder) throws Exception {
        cycles(type, 100, folder);
    }

    private static void cycles(Type type, int count, Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                Guest guest = Lab.TESTBED.start(spec())) {
            Lab.await(guest, "up");
            Map<String, String> attributes = type.attributes(folder);
            // What the first time makes and keeps is not a leak.
            cycle(type, attributes, devices, guest.machine().qmp());
            long fds = Fd.openCount();
            long mappings = Mapping.openCount();
            Set<String> threads = threads();
            long qemuFds = descriptors(guest.machine().pid());
            for (int i = 1; i < count; i++) {
                cycle(type, attributes, devices, guest.machine().qmp());
            }
            assertThat(Fd.openCount()).as("descriptors").isEqualTo(fds);
            assertThat(Mapping.openCount()).as("mappings").isEqualTo(mappings);
            assertThat(descriptors(guest.machine().pid()))
                    .as("QEMU's descriptors")
                    .isEqualTo(qemuFds);
            await().atMost(GUEST_TIMEOUT)
                    .untilAsserted(() -> assertThat(threads()).isSubsetOf(threads));
            assertThat(guest.machine().qmp().execute("query-chardev").toString())
                    .doesNotContain("hot");
        }
    }

    private static void cycle(Type type, Map<String, String> attributes, SoftwareDevices devices, Qmp qmp)
            throws Exception {
        VdpaDevice device = devices.serve("hot", type.name, attributes);
        HotPlug.plug(qmp, type.device(devices.socket("hot")));
        await().pollInterval(Duration.ofMillis(5)).atMost(GUEST_TIMEOUT).until(() -> isDriven(device));
        await().pollInterval(Duration.ofMillis(5))
                .atMost(GUEST_TIMEOUT)
                .until(() -> device.statistics().total().requests() > 5);
        HotPlug.unplug(qmp, "hot", GUEST_TIMEOUT);
        devices.remove("hot");
        assertThat(Files.exists(devices.socket("hot"))).isFalse();
    }

    /** Not every front-end of QEMU tells the driver's status. */
    private static boolean isDriven(VdpaDevice device) {
        return IntStream.range(0, device.queueCount()).anyMatch(device::queueReady);
    }

    /** Those that serve devices, by name. */
    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("hot") || name.startsWith("fairlead"))
                .collect(Collectors.toSet());
    }

    private static long descriptors(long pid) throws IOException {
        try (Stream<Path> list = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            return list.count();
        }
    }

    /** A guest that stands still: the device stays, and goes when the guest runs again. */
    @Test
    void aGuestThatDoesNotAnswerKeepsTheDevice(@TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                Guest guest = Lab.TESTBED.start(spec())) {
            Lab.await(guest, "up");
            Qmp qmp = guest.machine().qmp();
            VdpaDevice device = devices.serve("hot", "rng", Map.of());
            HotPlug.plug(qmp, Type.RNG.device(devices.socket("hot")));
            await().atMost(GUEST_TIMEOUT).until(() -> isDriven(device));
            var _ = qmp.execute("stop");
            assertThatThrownBy(() -> HotPlug.unplug(qmp, "hot", Duration.ofSeconds(1)))
                    .isInstanceOf(GuestHoldsException.class)
                    .hasMessageContaining("still has it");
            assertThatThrownBy(() ->
                            HotPlug.plug(qmp, VhostUserDevice.of("other", "vhost-user-rng-pci", devices.socket("hot"))))
                    .hasMessageContaining("are taken (port0)");
            var _ = qmp.execute("cont");
            HotPlug.unplug(qmp, "hot", GUEST_TIMEOUT);
            devices.remove("hot");
        }
    }
}
