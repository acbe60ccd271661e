package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.MigrationProgress;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** QEMU's own live migration, driven by its monitors alone, of a guest whose disks Fairlead serves on both hosts. */
@Timeout(1800)
class MigrationTest {
    private static final String NEWEST = "q35";

    /** The newest machine type that both releases have. */
    private static final String COMMON = "pc-q35-10.0";

    /** Of the control: one alone may be lucky. */
    private static final int MAX_CONTROL_MIGRATIONS = 8;

    private static final int MANY = 20;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void thereAndBackUnderLoad(boolean packed, @TempDir Path folder) throws Exception {
        run(folder, packed, NEWEST, List.of(QemuRelease.V11, QemuRelease.V11, QemuRelease.V11));
    }

    @Test
    void toANewerQemu(@TempDir Path folder) throws Exception {
        run(folder, false, COMMON, List.of(QemuRelease.V10, QemuRelease.V11));
    }

    /** QEMU carries itself what the devices did not answer. */
    @ParameterizedTest
    @ValueSource(strings = {"off", "on"})
    void requestsInFlightGoInQemusOwnStream(String packed, @TempDir Path folder) throws Exception {
        AtomicInteger freezes = new AtomicInteger();
        run(
                folder,
                Map.of("packed", packed, "inflight-migration", "on"),
                NEWEST,
                List.of(QemuRelease.V11, QemuRelease.V11),
                device -> ObservedDevice.of(device, "stopMode", freezes));
        assertThat(freezes).as("rings that stopped without a drain").hasPositiveValue();
    }

    @Tag("long")
    @ParameterizedTest
    @CsvSource({"V10,V10,false", "V10,V10,true", "V10,V11,true", "V11,V11,false", "V11,V11,true"})
    void manyTimes(QemuRelease first, QemuRelease then, boolean packed, @TempDir Path folder) throws Exception {
        List<QemuRelease> releases = new ArrayList<>(List.of(first));
        for (int i = 0; i < MANY; i++) {
            releases.add(then);
        }
        run(folder, packed, COMMON, releases);
    }

    private static void run(Path folder, boolean packed, String machineType, List<QemuRelease> releases)
            throws Exception {
        run(folder, Map.of("packed", packed ? "on" : "off"), machineType, releases, device -> device);
    }

    private static void run(
            Path folder,
            Map<String, String> properties,
            String machineType,
            List<QemuRelease> releases,
            UnaryOperator<VdpaDevice> shown)
            throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, properties, machineType, shown)) {
            hosts.start(releases.getFirst());
            for (QemuRelease release : releases.subList(1, releases.size())) {
                hosts.load();
                MigrationProgress end = hosts.migrate(release);
                Lab.report("to %s: %s", release, end);
            }
            hosts.load();
            GuestLoad.Outcome _ = GuestLoad.check(hosts.end());
            hosts.check();
        }
    }

    /** The control: where the devices keep no log, the same load finds what the destination did not get. */
    @Test
    void withoutTheDirtyLogTheLoadFindsWhatIsLost(@TempDir Path folder) throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, Map.of(), NEWEST, ObservedDevice::withoutLog)) {
            hosts.start(QemuRelease.V11);
            hosts.load();
            assertThat(hosts.differences()).as("before the first migration").isEmpty();
            int migrations = 0;
            while (migrations < MAX_CONTROL_MIGRATIONS && hosts.differences().isEmpty()) {
                MigrationProgress _ = hosts.migrate(QemuRelease.V11);
                migrations++;
                hosts.load();
            }
            Lab.report("found after %d migrations: %s", migrations, hosts.differences());
            assertThat(hosts.differences()).isNotEmpty();
        }
    }
}
