package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.blkio.BlkioCompletions;
import io.fairlead.testbed.blkio.BlkioDevice;
import io.fairlead.testbed.blkio.BlkioMemory;
import io.fairlead.testbed.blkio.BlkioQueue;
import io.fairlead.testbed.blkio.StorageDaemon;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.client.VhostUserBackend;
import io.fairlead.vhostuser.client.VhostUserBackendSettings;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk of qemu-storage-daemon taken by our back-end and presented by our front-end, with libblkio and a guest on it. */
@Timeout(600)
class StorageDaemonDeviceTest {
    private static final int BLOCK = 4096;
    private static final int BLOCKS = 4096;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    /** Both daemons' worth of it: qemu-storage-daemon's socket, our device on it, and our socket. */
    private final class Taken implements AutoCloseable {
        private final long descriptorsBefore = Fd.openCount();
        private final long mappingsBefore = Mapping.openCount();
        final EventLoopGroup loops = new EventLoopGroup(1);
        final VhostUserServer server = new VhostUserServer();
        final Path socket = folder.resolve("ours.sock");
        final VhostUserBackend device;

        Taken(Path backend) throws IOException {
            device = VhostUserBackend.connect(
                    "taken", VhostUserBackendSettings.of(backend, DeviceId.BLOCK), loops.next());
            server.serve(device, socket);
        }

        @Override
        public void close() throws IOException {
            server.close();
            device.close();
            loops.close();
            assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
            assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
        }
    }

    private Path emptyDisk() throws IOException {
        return SoftwareDisks.emptyImage(folder.resolve("disk.raw"), (long) BLOCKS * BLOCK);
    }

    private StorageDaemon daemon(Path image) throws IOException {
        return StorageDaemon.start(
                StorageDaemon.Spec.of(Lab.TESTBED.storageDaemon(), image, folder.resolve("theirs.sock")));
    }

    /** Nanoseconds on a processor so far of each of our threads, libblkio's caller not among them. */
    private static Map<String, Long> processorTime() throws IOException {
        Map<String, Long> times = new TreeMap<>();
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            for (Path task : tasks.toList()) {
                String name = Files.readString(task.resolve("comm")).strip();
                if (name.startsWith("fairlead")) {
                    String nanos = Files.readString(task.resolve("schedstat")).split(" ", 2)[0];
                    times.put(name + " " + task.getFileName(), Long.parseLong(nanos));
                }
            }
        }
        return times;
    }

    @Test
    void weUseNoProcessorTimeForIt() throws Exception {
        try (StorageDaemon daemon = daemon(emptyDisk());
                Taken taken = new Taken(daemon.sockets().getFirst())) {
            VhostUserBackend device = taken.device;
            Lab.report(
                    "qemu-storage-daemon: %s, features %s, %d queue",
                    device.capabilities(), BlkConfig.describe(device.deviceFeatures()), device.queueCount());
            assertThat(device.capabilities()).contains(Capability.DIRTY_LOG);
            assertThat(device.deviceFeatures() & Feature.RING_PACKED).isZero();
            try (BlkioDevice client = Lab.blkio().startVhostUser(taken.socket, 1, false)) {
                BlkioMemory memory = client.allocate(8 * BLOCK);
                BlkioQueue queue = client.queue(0);
                BlkioCompletions completions = new BlkioCompletions(8);
                int _ = read(queue, memory, completions, 1000);
                Map<String, Long> before = processorTime();
                assertThat(before.keySet()).anyMatch(name -> name.startsWith("fairlead-loop"));
                assertThat(read(queue, memory, completions, 20_000)).isEqualTo(20_000);
                assertThat(processorTime()).as("nanoseconds by thread").isEqualTo(before);
                memory.close();
            }
        }
    }

    private static int read(BlkioQueue queue, BlkioMemory memory, BlkioCompletions completions, int count)
            throws IOException {
        int done = 0;
        for (int i = 0; i < 8; i++) {
            queue.read((long) i * BLOCK, memory.segment().asSlice((long) i * BLOCK, BLOCK), i);
        }
        for (int sent = 8; done < count; ) {
            int complete = queue.await(completions, 1, TIMEOUT);
            completions.check();
            assertThat(complete)
                    .as("answers within %s, after %d", TIMEOUT, done)
                    .isPositive();
            done += complete;
            for (int i = 0; i < complete && sent < count; i++, sent++) {
                int slot = (int) completions.token(i);
                queue.read((long) slot * BLOCK, memory.segment().asSlice((long) slot * BLOCK, BLOCK), slot);
            }
        }
        return done;
    }

    @Test
    void stopsAndGoesOnUnderLoad() throws Exception {
        try (StorageDaemon daemon = daemon(emptyDisk());
                Taken taken = new Taken(daemon.sockets().getFirst());
                VerifiedLoad load = new VerifiedLoad(Lab.blkio(), taken.socket, BLOCKS)) {
            awaitReady(taken.device);
            for (int i = 0; i < 200; i++) {
                taken.device.suspend();
                taken.device.resume();
                Thread.sleep(2);
            }
            assertThat(taken.device.status() & DeviceStatus.DEVICE_NEEDS_RESET).isZero();
            assertThat(load.stop()).isPositive();
        }
    }

    private static void awaitLost(VhostUserBackend device) throws InterruptedException {
        long end = System.nanoTime() + TIMEOUT.toNanos();
        while (device.isConnected()) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.sleep(1);
        }
    }

    private static void awaitReady(VhostUserBackend device) throws InterruptedException {
        long end = System.nanoTime() + TIMEOUT.toNanos();
        while (!device.queueReady(0)) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.sleep(1);
        }
    }

    /** Alone, the daemon would answer at once and break its connection when the requests end. */
    @Test
    void aStopWaitsForSlowRequests() throws Exception {
        Path socket = folder.resolve("slow.sock");
        List<String> command = new ArrayList<>(Lab.TESTBED.storageDaemon());
        command.addAll(List.of(
                "--blockdev",
                "driver=null-co,node-name=disk,size=16777216,read-zeroes=on,latency-ns=200000000",
                "--export",
                "type=vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=" + socket + ",writable=on"));
        Process slow = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("slow.log").toFile())
                .start();
        try {
            long end = System.nanoTime() + TIMEOUT.toNanos();
            while (!Files.exists(socket)) {
                assertThat(System.nanoTime())
                        .as(Files.readString(folder.resolve("slow.log")))
                        .isLessThan(end);
                Thread.sleep(5);
            }
            try (Taken taken = new Taken(socket);
                    BlkioDevice client = Lab.blkio().startVhostUser(taken.socket, 1, false)) {
                BlkioMemory memory = client.allocate(8 * BLOCK);
                BlkioQueue queue = client.queue(0);
                BlkioCompletions completions = new BlkioCompletions(8);
                for (int round = 0; round < 3; round++) {
                    for (int i = 0; i < 8; i++) {
                        queue.read((long) i * BLOCK, memory.segment().asSlice((long) i * BLOCK, BLOCK), i);
                    }
                    queue.submit();
                    // So that the daemon has taken some.
                    Thread.sleep(20);
                    long start = System.nanoTime();
                    taken.device.suspend();
                    Lab.report("stopped after %d ms", (System.nanoTime() - start) / 1_000_000);
                    taken.device.resume();
                    for (int done = 0; done < 8; ) {
                        int complete = queue.await(completions, 1, TIMEOUT);
                        assertThat(complete).isPositive();
                        completions.check();
                        done += complete;
                    }
                    assertThat(taken.device.isConnected()).isTrue();
                    assertThat(taken.device.status() & DeviceStatus.DEVICE_NEEDS_RESET)
                            .isZero();
                }
                memory.close();
            }
            assertThat(Files.readString(folder.resolve("slow.log"))).doesNotContain("vu_panic");
        } finally {
            slow.destroyForcibly();
            slow.waitFor();
        }
    }

    @Test
    void theDaemonItselfMarksWhatItWrites() throws Exception {
        try (StorageDaemon daemon = daemon(emptyDisk());
                Taken taken = new Taken(daemon.sockets().getFirst());
                BlkioDevice client = Lab.blkio().startVhostUser(taken.socket, 1, false)) {
            // The addresses of libblkio's memory are those of this process.
            try (SharedDirtyLog log = SharedDirtyLog.create("test", 1L << 47)) {
                BlkioMemory memory = client.allocate(8 * BLOCK);
                BlkioQueue queue = client.queue(0);
                BlkioCompletions completions = new BlkioCompletions(8);
                int _ = read(queue, memory, completions, 100);
                long buffer = memory.segment().address();
                taken.device.dirtyLog(log);
                assertThat(log.isMarked(buffer)).isFalse();
                queue.read(0, memory.segment().asSlice(0, BLOCK), 1);
                assertThat(queue.await(completions, 1, TIMEOUT)).isEqualTo(1);
                assertThat(log.isMarked(buffer)).isTrue();
                assertThat(log.isMarked(buffer + 4 * BLOCK)).isFalse();
                assertThat(log.isMarked(taken.device.queueSetup(0).deviceAddress()))
                        .isTrue();
                taken.device.dirtyLog(null);
                queue.read(0, memory.segment().asSlice(4 * BLOCK, BLOCK), 1);
                assertThat(queue.await(completions, 1, TIMEOUT)).isEqualTo(1);
                assertThat(log.isMarked(buffer + 4 * BLOCK)).isFalse();
                memory.close();
            }
        }
    }

    /** Idle until the loss is noticed: of a request offered before nobody knows whether the daemon had taken it. */
    @Test
    void anIdleClientDoesNotNoticeThatTheDaemonIsReplaced() throws Exception {
        Path image = emptyDisk();
        try (StorageDaemon first = daemon(image);
                Taken taken = new Taken(first.sockets().getFirst());
                BlkioDevice client = Lab.blkio().startVhostUser(taken.socket, 1, false)) {
            BlkioMemory memory = client.allocate(8 * BLOCK);
            BlkioQueue queue = client.queue(0);
            BlkioCompletions completions = new BlkioCompletions(8);
            int _ = read(queue, memory, completions, 100);
            ProcessHandle process = ProcessHandle.of(first.pid()).orElseThrow();
            assertThat(process.destroyForcibly()).isTrue();
            process.onExit().join();
            awaitLost(taken.device);
            try (StorageDaemon _ = daemon(image)) {
                assertThat(read(queue, memory, completions, 100)).isEqualTo(100);
                assertThat(taken.device.status() & DeviceStatus.DEVICE_NEEDS_RESET)
                        .isZero();
            }
            memory.close();
        }
    }

    @Test
    void aGuestBootsFromItByTheCommand() throws Exception {
        Path image = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(image);
        Path ours = folder.resolve("ours.sock");
        try (StorageDaemon daemon = daemon(image);
                ServeProcess serve = ServeProcess.start("name=disk0,type=blk,socket=%s,backend=%s,serial=abc"
                        .formatted(ours, daemon.sockets().getFirst()))) {
            serve.awaitReady();
            GuestSpec spec = GuestSpec.job("""
                            dd if=/dev/urandom of=/root/file bs=1M count=8 2>/dev/null && sync || exit 1
                            sum=$(sha256sum </root/file)
                            echo 3 >/proc/sys/vm/drop_caches
                            [ "$(sha256sum </root/file)" = "$sum" ] || exit 2
                            """ + Lab.REPORT_KERNEL_ERRORS)
                    .name("taken")
                    .boot(GuestSpec.Boot.BIOS)
                    .device(VhostUserDevice.blk("disk0", ours).with("bootindex", 1));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                result = guest.awaitResult(Lab.PATIENCE);
            }
            assertThat(result.status()).as("%s", result.lines()).isZero();
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(serve.terminate()).isZero();
            Lab.report("%s", serve.output());
        }
        new RootImage(image).check();
    }
}
