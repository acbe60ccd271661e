package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.qemu.IncomingMigration;
import io.fairlead.qemu.MigrationAddress;
import io.fairlead.qemu.MigrationOptions;
import io.fairlead.qemu.MigrationProgress;
import io.fairlead.qemu.OutgoingMigration;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Two hosts in one process and a guest that goes to and fro between them under load. Each host has a device of its own
 * over each image, of which only one is in use at a time.
 */
final class TwoHosts implements AutoCloseable {
    private static final int MEMORY_MIB = 512;

    /** So that memory is sent in several passes while the readers read on. */
    private static final long BANDWIDTH_BYTES_PER_SECOND = 100_000_000;

    private static final Duration DOWNTIME_LIMIT = Duration.ofMillis(500);

    private static final GuestLoad LOAD = new GuestLoad("/dev/vdb");

    private final Path folder;
    private final Map<String, String> properties;
    private final String machineType;
    private final SoftwareDisks disks;
    private final SoftwareDisks.Disk[] roots = new SoftwareDisks.Disk[2];
    private final SoftwareDisks.Disk[] datas = new SoftwareDisks.Disk[2];
    private int here;
    private int migrations;
    private @Nullable MigratingGuest guest;

    /**
     * @param properties of both disks in QEMU
     * @param shown makes of a device what QEMU sees
     */
    TwoHosts(Path folder, Map<String, String> properties, String machineType, UnaryOperator<VdpaDevice> shown)
            throws IOException {
        this.folder = folder;
        this.properties = properties;
        this.machineType = machineType;
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        Path data = GuestLoad.image(folder.resolve("data.img"));
        disks = new SoftwareDisks(folder);
        for (int host = 0; host < 2; host++) {
            roots[host] = disks.serve("root" + host, BlkSettings.of(root).withLocked(false), shown);
            datas[host] = disks.serve(
                    "data" + host, BlkSettings.of(data).withLocked(false).withQueueCount(2), shown);
        }
    }

    private GuestSpec withDevices(GuestSpec spec) {
        // The same ids on both hosts: QEMU's stream goes by them.
        VhostUserDevice root = roots[here].forMachine("root");
        VhostUserDevice data = datas[here].forMachine("data");
        for (Map.Entry<String, String> property : properties.entrySet()) {
            root = root.with(property.getKey(), property.getValue());
            data = data.with(property.getKey(), property.getValue());
        }
        return spec.device(root).device(data);
    }

    private GuestSpec spec(QemuRelease release) {
        return GuestSpec.job(LOAD.job())
                .name("moving")
                .release(release)
                .machineType(machineType)
                .boot(GuestSpec.Boot.KERNEL)
                .memoryMib(MEMORY_MIB)
                .processors(2);
    }

    /** Boots the guest on the first host. */
    void start(QemuRelease release) throws IOException, InterruptedException {
        MigratingGuest started = MigratingGuest.start(Lab.TESTBED, withDevices(spec(release)));
        guest = started;
        Lab.await(started.current(), "load");
    }

    private MigratingGuest guest() {
        MigratingGuest started = guest;
        if (started == null) {
            throw new IllegalStateException("no guest");
        }
        return started;
    }

    /** Moves the guest to the other host. */
    MigrationProgress migrate(QemuRelease release) throws IOException, InterruptedException {
        here = 1 - here;
        MigrationOptions options = MigrationOptions.plain()
                .withPauseBeforeSwitchover(false)
                .withMaxBandwidth(BANDWIDTH_BYTES_PER_SECOND)
                .withDowntimeLimit(DOWNTIME_LIMIT);
        Qmp from = guest().current().machine().qmp();
        Qmp to = guest().startDestination(withDevices(spec(release).destination()))
                .machine()
                .qmp();
        MigrationAddress address = MigrationAddress.unix(folder.resolve("migration" + migrations++));
        try (IncomingMigration incoming = IncomingMigration.listen(to, options, address);
                OutgoingMigration outgoing = OutgoingMigration.start(from, options, incoming.address())) {
            incoming.awaitLoaded(Lab.PATIENCE);
            JsonNode _ = to.execute("cont");
            MigrationProgress end = outgoing.awaitCompleted(Lab.PATIENCE);
            guest().moved();
            return end;
        }
    }

    /** Waits until the load has gone on where the guest is: reads of many buffers, and a round of the writer. */
    void load() {
        long requests = datas[here].statistics().requests();
        long rounds = rounds();
        Awaitility.await()
                .atMost(Lab.PATIENCE)
                .until(() -> rounds() >= rounds + 2 && datas[here].statistics().requests() > requests + 200);
    }

    private long rounds() {
        return GuestLoad.rounds(guest().lines());
    }

    /** What the readers found so far that is not as the host wrote it. */
    List<String> differences() {
        return DeviceWrittenReads.totals(guest().lines()).differences();
    }

    /** Stops the load and lets the guest power off. */
    GuestResult end() throws IOException, InterruptedException {
        guest().send("stop");
        return guest().awaitResult(Lab.PATIENCE);
    }

    /** That both hosts served, nothing failed, and the root file system is sound. */
    void check() throws IOException, InterruptedException {
        for (SoftwareDisks.Disk disk : List.of(roots[0], roots[1], datas[0], datas[1])) {
            assertThat(disk.statistics().guestFaults()).isZero();
            assertThat(disk.statistics().failedRequests()).isZero();
        }
        assertThat(datas[0].statistics().requests()).isPositive();
        assertThat(datas[1].statistics().requests()).isPositive();
        new RootImage(roots[0].image()).check();
    }

    @Override
    public void close() throws IOException {
        try (SoftwareDisks _ = disks;
                MigratingGuest _ = guest) {
            // The guest goes first.
        }
    }
}
