package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.blkio.BlkioCompletions;
import io.fairlead.testbed.blkio.BlkioDevice;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.BlkioMemory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a serving process takes of the host, by the bars of the design, and what it gives back. */
@Timeout(600)
class ResourceTest {
    private static final long ONE_DISK_KIB = 150 << 10;
    private static final long IDLE_DISK_KIB = 1 << 10;
    private static final int IDLE_DISKS = 100;
    private static final int IDLE_MILLIS = 3000;

    @Test
    void oneDiskUnderAGuestsLoad(@TempDir Path folder) throws Exception {
        Path image = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(image);
        FioJob job = new FioJob("libaio", 4, 8, "4k-128k", 32, 1);
        GuestSpec spec = GuestSpec.job("""
                        truncate -s 32m /root/file
                        emit '{"at":"load"}'
                        %s >/tmp/out 2>&1
                        """.formatted(job.guestCommand("/root/file")))
                .name("load")
                .boot(GuestSpec.Boot.KERNEL)
                .processors(4)
                .device(VhostUserDevice.blk("disk0", folder.resolve("disk0.sock"))
                        .with("num-queues", 4));
        try (ServeProcess process = ServeProcess.start(device("disk0", image, folder) + ",queues=4")) {
            long _ = process.awaitReady();
            long most = 0;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "load");
                while (guest.machine().isAlive()) {
                    most = Math.max(most, process.ownResidentKib() - process.mappedKib(image));
                    Thread.sleep(100);
                }
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                assertThat(result.status()).isZero();
            }
            long peak = process.statusKib("VmHWM");
            assertThat(process.terminate()).isZero();
            Lab.report(
                    "one disk under load: at most %d KiB of its own (bar %d); peak with the guest's memory %d KiB%n%s",
                    most, ONE_DISK_KIB, peak, process.output());
            assertThat(most).isPositive().isLessThanOrEqualTo(ONE_DISK_KIB);
        }
    }

    @Test
    void hundredIdleDisks(@TempDir Path folder) throws Exception {
        Path image = SoftwareDisks.emptyImage(folder.resolve("idle.img"), 1 << 20);
        BlkioLibrary library = Lab.blkio();
        long one;
        try (ServeProcess process = ServeProcess.start(idle(0, image, folder));
                Clients clients = new Clients()) {
            long _ = process.awaitReady();
            clients.connect(library, folder, 1);
            one = process.ownResidentKib();
        }
        String[] devices = IntStream.range(0, IDLE_DISKS)
                .mapToObj(i -> idle(i, image, folder))
                .toArray(String[]::new);
        try (ServeProcess process = ServeProcess.start(devices)) {
            long _ = process.awaitReady();
            try (Clients clients = new Clients()) {
                clients.connect(library, folder, IDLE_DISKS);
                long all = process.ownResidentKib();
                long ticks = ticksAtRest(process);
                Lab.report(
                        "one disk %d KiB, %d disks %d KiB: %d KiB each (bar %d); %d ticks in %d ms",
                        one, IDLE_DISKS, all, (all - one) / (IDLE_DISKS - 1), IDLE_DISK_KIB, ticks, IDLE_MILLIS);
                assertThat((all - one) / (IDLE_DISKS - 1)).isLessThanOrEqualTo(IDLE_DISK_KIB);
                assertThat(ticks).isLessThanOrEqualTo(1);
            }
            assertThat(process.terminate()).isZero();
        }
    }

    @Test
    void nothingIsLeftOfClientsThatHaveGone(@TempDir Path folder) throws Exception {
        Path image = SoftwareDisks.emptyImage(folder.resolve("idle.img"), 1 << 20);
        BlkioLibrary library = Lab.blkio();
        int disks = 20;
        String[] devices =
                IntStream.range(0, disks).mapToObj(i -> idle(i, image, folder)).toArray(String[]::new);
        try (ServeProcess process = ServeProcess.start(devices)) {
            long _ = process.awaitReady();
            long descriptors = process.descriptorCount();
            List<Integer> mappings = new ArrayList<>();
            for (int round = 0; round < 4; round++) {
                try (Clients clients = new Clients()) {
                    clients.connect(library, folder, disks);
                    assertThat(process.descriptorCount()).isGreaterThan(descriptors + 3L * disks);
                    assertThat(guestMemory(process)).isGreaterThanOrEqualTo(disks);
                }
                Awaitility.await().untilAsserted(() -> {
                    assertThat(process.descriptorCount()).isEqualTo(descriptors);
                    assertThat(guestMemory(process)).isZero();
                });
                mappings.add(process.mappings().size());
            }
            // The first round loads classes and starts threads; from then on all stays as it is, but for the JVM's own.
            Lab.report("descriptors %d; mappings after each round: %s", descriptors, mappings);
            assertThat(mappings.getLast()).isLessThanOrEqualTo(mappings.get(1) + disks / 2);
        }
    }

    /** Processor time of a while in which nothing happens; the compiler may be busy for a few seconds first. */
    private static long ticksAtRest(ServeProcess process) throws IOException, InterruptedException {
        long ticks = Long.MAX_VALUE;
        for (int i = 0; i < 10 && ticks > 1; i++) {
            long before = process.cpuTicks();
            Thread.sleep(IDLE_MILLIS);
            ticks = process.cpuTicks() - before;
        }
        return ticks;
    }

    /** Mappings of shared memory files: what clients handed over, and in-flight records. */
    private static long guestMemory(ServeProcess process) throws IOException {
        return process.mappings().stream()
                .filter(line -> line.contains("memfd:"))
                .count();
    }

    private static String idle(int index, Path image, Path folder) {
        return device("idle" + index, image, folder) + ",read-only=on";
    }

    private static String device(String name, Path image, Path folder) {
        return "name=%s,type=blk,socket=%s,path=%s".formatted(name, folder.resolve(name + ".sock"), image);
    }

    /** Host programs that are connected, have read once and rest. */
    private static final class Clients implements AutoCloseable {
        private final List<BlkioDevice> devices = new ArrayList<>();

        void connect(BlkioLibrary library, Path folder, int count) throws IOException {
            for (int i = 0; i < count; i++) {
                BlkioDevice device = library.startVhostUser(folder.resolve("idle" + i + ".sock"), 1, true);
                devices.add(device);
                BlkioMemory memory = device.allocate(4096);
                BlkioCompletions completions = new BlkioCompletions(1);
                device.queue(0).read(4096, memory.segment(), i);
                assertThat(device.queue(0).await(completions, 1)).isEqualTo(1);
                completions.check();
            }
        }

        @Override
        public void close() {
            devices.forEach(BlkioDevice::close);
        }
    }
}
