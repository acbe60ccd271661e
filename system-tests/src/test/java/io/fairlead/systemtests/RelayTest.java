package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.vhostuser.client.VhostUserBackend;
import io.fairlead.vhostuser.client.VhostUserBackendSettings;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The relay is switched in and out, again and again, under clients that verify every byte: a guest on QEMU, and libblkio.
 * Disks that can do everything, that can only be suspended, and that can only be drained and reset.
 */
@Timeout(1800)
class RelayTest {
    private static final int DISK_MIB = 16;
    private static final int BLOCKS = 2048;

    /** Guest addresses of QEMU's machines, and of libblkio, which gives its own address space. */
    private static final long ADDRESS_SPACE_BYTES = 1L << 47;

    private static final Set<Capability> ALL = Set.of(
            Capability.SUSPEND, Capability.RESUME, Capability.QUEUE_STOP, Capability.QUEUE_STATE, Capability.INFLIGHT);
    private static final Set<Capability> SUSPEND =
            Set.of(Capability.SUSPEND, Capability.RESUME, Capability.QUEUE_STATE, Capability.INFLIGHT);
    private static final Set<Capability> NOTHING = Set.of(Capability.INFLIGHT);

    @Test
    void underAGuestsLoad(@TempDir Path folder) throws Exception {
        runGuest(folder, 1);
    }

    @Test
    @Tag("long")
    void underAGuestsLoadForLong(@TempDir Path folder) throws Exception {
        runGuest(folder, 20);
    }

    @Test
    void underLibblkio(@TempDir Path folder) throws Exception {
        runClient(folder, 200);
    }

    @Test
    @Tag("long")
    void underLibblkioForLong(@TempDir Path folder) throws Exception {
        runClient(folder, 10_000);
    }

    @Test
    void overAnotherDaemon(@TempDir Path folder) throws Exception {
        runOverDaemon(folder, 60);
    }

    @Test
    @Tag("long")
    void overAnotherDaemonForLong(@TempDir Path folder) throws Exception {
        runOverDaemon(folder, 5_000);
    }

    /** Memory, rings and descriptors are the daemon's, which knows of the relay's rings as of any others. */
    private static void runOverDaemon(Path folder, int switches) throws Exception {
        Path image = SoftwareDisks.emptyImage(folder.resolve("theirs.img"), (long) DISK_MIB << 20);
        for (Set<Capability> capabilities : List.of(ALL, SUSPEND, NOTHING)) {
            SoftwareDisks.emptyImage(image, 0);
            SoftwareDisks.emptyImage(image, (long) DISK_MIB << 20);
            try (StorageDaemon daemon = StorageDaemon.start(
                            StorageDaemon.Spec.of(Lab.TESTBED.storageDaemon(), image, folder.resolve("theirs.sock")));
                    RelayedDisks relayed = new RelayedDisks(folder)) {
                relayed.serveOther("other", daemon.sockets().getFirst(), capabilities);
                verify(relayed, folder.resolve("other.sock"), switches);
            }
        }
    }

    private static void runGuest(Path folder, int rounds) throws Exception {
        FioJob job = new FioJob("libaio", 1, DISK_MIB, "4k-64k", 16, 5);
        try (RelayedDisks relayed = new RelayedDisks(folder)) {
            VhostUserDevice root = relayed.serveRoot();
            VhostUserDevice full = relayed.serve("full", ALL).with("packed", "on");
            VhostUserDevice suspended = relayed.serve("suspended", SUSPEND).with("packed", "on");
            VhostUserDevice drained = relayed.serve("drained", NOTHING);
            GuestSpec spec = GuestSpec.job(
                            """
                            for round in $(seq %d); do
                                pids=
                                for disk in vdb vdc vdd; do
                                    %s >/tmp/$disk 2>&1 &
                                    pids="$pids $!"
                                done
                                for pid in $pids; do
                                    wait $pid || emit "{\\"failed\\":\\"$(tail -n 8 /tmp/vd? | tr -d '"\\\\' | tr '\\n' ';')\\"}"
                                done
                                emit '{"at":"done"}'
                            done
                            sync
                            """.formatted(rounds, job.guestCommand("/dev/$disk")) + Lab.REPORT_KERNEL_ERRORS)
                    .name("relay")
                    .boot(GuestSpec.Boot.KERNEL)
                    .processors(2)
                    .device(root)
                    .device(full)
                    .device(suspended)
                    .device(drained);
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec);
                    Switching switching = new Switching(relayed.devices, 30)) {
                result = guest.awaitResult(Lab.PATIENCE.multipliedBy(1 + rounds / 2));
                switching.stop();
                Lab.report("switched in and out %d times", switching.count);
                assertThat(switching.count).isGreaterThan(20);
            }
            assertThat(result.lines()).noneMatch(line -> line.has("failed"));
            assertThat(result.lines().stream().filter(Lab.at("done"))).hasSize(rounds);
            assertThat(result.status()).isZero();
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            relayed.check();
            for (RelayDevice device : relayed.devices) {
                job.checkImage(folder.resolve(device.name() + ".img"));
            }
        }
    }

    private static void runClient(Path folder, int switches) throws Exception {
        try (RelayedDisks relayed = new RelayedDisks(folder)) {
            Path socket = folder.resolve("full.sock");
            VhostUserDevice _ = relayed.serve("full", ALL);
            verify(relayed, socket, switches);
            relayed.check();
        }
    }

    private static void verify(RelayedDisks relayed, Path socket, int switches) throws Exception {
        try (VerifiedLoad load = new VerifiedLoad(Lab.blkio(), socket, BLOCKS);
                Switching switching = new Switching(relayed.devices, 8)) {
            while (switching.count < switches && !switching.isOver()) {
                Thread.sleep(20);
            }
            switching.stop();
            long verified = load.stop();
            Lab.report("switched in and out %d times, %d blocks verified", switching.count, verified);
            assertThat(verified).isPositive();
            assertThat(relayed.devices.getFirst().relayStatistics().total().requests())
                    .isPositive();
        }
    }

    /** Switches relays in and out, at random times. */
    private static final class Switching implements AutoCloseable {
        private final List<RelayDevice> devices;
        private final int pauseMillis;
        private final CompletableFuture<Void> outcome = new CompletableFuture<>();
        private final Thread thread;
        private volatile boolean stopping;
        volatile int count;

        Switching(List<RelayDevice> devices, int pauseMillis) {
            this.devices = devices;
            this.pauseMillis = pauseMillis;
            thread = Thread.ofPlatform().daemon().name("switching").start(this::run);
        }

        private void run() {
            Random random = new Random(17);
            try (SharedDirtyLog log = SharedDirtyLog.create("relay", ADDRESS_SPACE_BYTES)) {
                int done = 0;
                while (!stopping) {
                    for (RelayDevice device : devices) {
                        device.dirtyLog(log);
                    }
                    Thread.sleep(random.nextInt(pauseMillis));
                    for (RelayDevice device : devices) {
                        device.dirtyLog(null);
                    }
                    Thread.sleep(random.nextInt(pauseMillis));
                    count = ++done;
                }
                assertThat(log.marksOutside()).isZero();
                outcome.complete(null);
            } catch (Throwable e) {
                // Told at once: the load may wait for ever for a device that failed.
                e.printStackTrace(System.out);
                outcome.completeExceptionally(e);
            }
        }

        boolean isOver() {
            return outcome.isDone();
        }

        /** Ends it with the relays out; throws what it failed with. */
        void stop() throws InterruptedException {
            stopping = true;
            try {
                outcome.get();
            } catch (ExecutionException e) {
                throw new AssertionError(e.getCause());
            }
        }

        @Override
        public void close() {
            stopping = true;
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return;
                }
            }
        }
    }

    /** Disks behind relays, each with less abilities than it has. Checks at its end that nothing is left. */
    private static final class RelayedDisks implements AutoCloseable {
        private final long descriptorsBefore = Fd.openCount();
        private final long mappingsBefore = Mapping.openCount();
        private final Path folder;
        private final EventLoopGroup loops;
        private final VhostUserServer server;
        final List<RelayDevice> devices = new ArrayList<>();
        private final List<VdpaDevice> all = new ArrayList<>();

        RelayedDisks(Path folder) throws IOException {
            this.folder = folder;
            loops = new EventLoopGroup(2);
            server = new VhostUserServer();
        }

        VhostUserDevice serve(String name, Set<Capability> capabilities) throws IOException {
            Path image = SoftwareDisks.emptyImage(folder.resolve(name + ".img"), (long) DISK_MIB << 20);
            BlkDevice disk = BlkDevice.create(name, BlkSettings.of(image).withQueueCount(2), loops);
            RelayDevice relay =
                    new RelayDevice(ObservedDevice.withCapabilities(disk, capabilities), loops, Duration.ofSeconds(60));
            devices.add(relay);
            all.add(relay);
            return VhostUserDevice.blk(
                            name,
                            server.serve(relay, folder.resolve(name + ".sock")).path())
                    .with("num-queues", 2);
        }

        /** A disk of another daemon. */
        void serveOther(String name, Path socket, Set<Capability> capabilities) throws IOException {
            VhostUserBackend backend =
                    VhostUserBackend.connect(name, VhostUserBackendSettings.of(socket, DeviceId.BLOCK), loops.next());
            RelayDevice relay = new RelayDevice(
                    ObservedDevice.withCapabilities(backend, capabilities), loops, Duration.ofSeconds(60));
            devices.add(relay);
            all.add(relay);
            var _ = server.serve(relay, folder.resolve(name + ".sock"));
        }

        /** A disk to boot from, without a relay. */
        VhostUserDevice serveRoot() throws IOException {
            Path image = folder.resolve("root.img");
            Lab.TESTBED.copyRootImage(image);
            BlkDevice disk = BlkDevice.create("root", BlkSettings.of(image).withQueueCount(2), loops);
            all.add(disk);
            return VhostUserDevice.blk(
                            "root",
                            server.serve(disk, folder.resolve("root.sock")).path())
                    .with("num-queues", 2);
        }

        void check() {
            for (RelayDevice device : devices) {
                Lab.report(
                        "%s: %s, by the relay %s",
                        device.name(),
                        device.statistics().total(),
                        device.relayStatistics().total());
                assertThat(device.statistics().total().failedRequests()).isZero();
                assertThat(device.statistics().total().guestFaults()).isZero();
                assertThat(device.relayStatistics().total().requests()).isPositive();
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
            for (VdpaDevice device : all) {
                device.close();
            }
            loops.close();
            assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
            assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
        }
    }
}
