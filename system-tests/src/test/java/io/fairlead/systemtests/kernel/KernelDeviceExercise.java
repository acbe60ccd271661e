package io.fairlead.systemtests.kernel;

import io.fairlead.kernel.vhostvdpa.VhostVdpaDevice;
import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
import io.fairlead.kernel.vhostvdpa.VhostVdpaSettings;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Self;
import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Runs in an L1 host: takes every /dev/vhost-vdpa-N that there is and drives it by our own driver, bare and behind the
 * relay. A line for each thing that was seen to work; the first that does not ends it.
 */
public final class KernelDeviceExercise {
    private static final long WANTED = Feature.VERSION_1 | Feature.EVENT_IDX;
    private static final int BLOCK = 4096;

    private KernelDeviceExercise() {}

    /** @param arguments {@code all}, {@code negotiate FILE}, {@code pairs FILE}, or {@code removal FILE COMMAND...} */
    public static void main(String[] arguments) throws Exception {
        try (VhostVdpaManagement kernel = new VhostVdpaManagement("kernel");
                EventLoopGroup loops = new EventLoopGroup(1)) {
            if (arguments[0].equals("removal")) {
                removal(kernel, Path.of(arguments[1]), Arrays.asList(arguments).subList(2, arguments.length));
                return;
            }
            if (arguments[0].equals("pairs")) {
                pairs(kernel, loops, Path.of(arguments[1]));
                return;
            }
            if (arguments[0].equals("negotiate")) {
                negotiate(Path.of(arguments[1]));
                return;
            }
            List<Path> files;
            try (Stream<Path> all = Files.list(Path.of("/dev"))) {
                files = all.filter(file -> file.getFileName().toString().startsWith("vhost-vdpa-"))
                        .sorted()
                        .toList();
            }
            for (Path file : files) {
                try (VhostVdpaDevice device = kernel.open("bare", VhostVdpaSettings.of(file))) {
                    say(file, "offers %s".formatted(device.offer()));
                    say(file, "can %s".formatted(device.capabilities()));
                    exercise(file, device);
                }
                try (VdpaDevice device = new RelayDevice(
                        kernel.open("managed", VhostVdpaSettings.of(file)), loops, Duration.ofSeconds(10))) {
                    exercise(file.resolveSibling(file.getFileName() + " managed"), device);
                }
            }
            System.out.printf("EXERCISED %d devices%n", files.size());
        }
    }

    private static void say(Path file, String text) {
        System.out.printf("%s: %s%n", file.getFileName(), text);
    }

    private static void require(boolean condition, String what) throws IOException {
        if (!condition) {
            throw new IOException("not so: " + what);
        }
    }

    private static void exercise(Path file, VdpaDevice device) throws Exception {
        switch (device.deviceId()) {
            case DeviceId.BLOCK -> disk(file, device);
            case DeviceId.NET -> card(file, device);
            case DeviceId.RNG -> entropy(file, device);
            default -> presence(file, device);
        }
    }

    // ---- disks ----

    private static void disk(Path file, VdpaDevice device) throws Exception {
        try (DriverInL1 driver = new DriverInL1(device)) {
            long features = device.deviceFeatures() & WANTED;
            driver.start(features, Math.min(2, device.queueCount()));
            long capacity = sectors(device);
            require(capacity > 2048, "capacity " + capacity);
            verify(driver, 1, driver.scratch() + (1 << 20), 64);
            say(file, "64 blocks written and read, capacity %d sectors".formatted(capacity));
            plugged(driver);
            say(file, "memory plugged, used and unplugged while it ran");
            if (device.capabilities().containsAll(List.of(Capability.SUSPEND, Capability.RESUME))) {
                device.suspend();
                QueueState state = device.queueState(0);
                require(
                        state.equals(driver.queue(0).state()),
                        "%s is %s".formatted(state, driver.queue(0).state()));
                device.resume();
                verify(driver, 3, driver.scratch() + (1 << 20), 16);
                say(file, "suspended at %s, resumed".formatted(state));
            }
            if (stopsInTheMiddle(device)) {
                QueueState state = driver.stopAndStart(0);
                require(
                        state.equals(driver.queue(0).state()),
                        "%s is %s".formatted(state, driver.queue(0).state()));
                verify(driver, 4, driver.scratch() + (1 << 20), 16);
                say(file, "queue 0 stopped and started at %s".formatted(state));
            }
            if (device.capabilities().contains(Capability.DIRTY_LOG)) {
                logged(file, device, driver);
            }
            device.reset();
            driver.start(features, 1);
            verify(driver, 5, driver.scratch() + (1 << 20), 16);
            say(file, "reset and started again; %d bytes pinned".formatted(Self.pinnedMemoryBytes()));
        }
    }

    /** A device that only tells its states has to be drained before: the relay does that. */
    private static boolean stopsInTheMiddle(VdpaDevice device) {
        return device.capabilities().contains(Capability.QUEUE_STATE)
                && (device.capabilities().contains(Capability.SUSPEND)
                        || device.capabilities().contains(Capability.QUEUE_STOP));
    }

    private static long sectors(VdpaDevice device) throws IOException {
        MemorySegment config = MemorySegment.ofArray(new byte[device.configByteCount()]);
        device.readConfig(0, config);
        return BlkConfig.CAPACITY_SECTORS.read(config);
    }

    /** Writes blocks of seeded bytes and reads them back into other memory. */
    private static void verify(DriverInL1 driver, long seed, long address, int count) throws IOException {
        Random random = new Random(seed);
        byte[][] written = new byte[count][BLOCK];
        for (int i = 0; i < count; i++) {
            random.nextBytes(written[i]);
            driver.at(address, BLOCK).copyFrom(MemorySegment.ofArray(written[i]));
            require(driver.disk(0, BlkRequest.OUT, 8L * i, address, BLOCK) == 0, "write of block " + i);
        }
        for (int i = 0; i < count; i++) {
            MemorySegment target = driver.at(address + 2 * BLOCK, BLOCK);
            target.fill((byte) 0);
            require(driver.disk(0, BlkRequest.IN, 8L * i, address + 2 * BLOCK, BLOCK) == 0, "read of block " + i);
            require(target.mismatch(MemorySegment.ofArray(written[i])) == -1, "contents of block " + i);
        }
    }

    private static void plugged(DriverInL1 driver) throws IOException {
        long above = 0x1_0000_0000L;
        driver.plug(above, 4 << 20);
        verify(driver, 2, above + (1 << 20), 16);
        driver.unplug();
        verify(driver, 2, driver.scratch() + (1 << 20), 16);
    }

    private static void logged(Path file, VdpaDevice device, DriverInL1 driver) throws Exception {
        long target = driver.scratch() + (1 << 20);
        try (SharedDirtyLog log = SharedDirtyLog.create("log", DriverInL1.BASE + DriverInL1.MEMORY_BYTES)) {
            device.dirtyLog(log);
            verify(driver, 6, target, 16);
            require(log.isMarked(target + 2 * BLOCK), "the page that was read into is marked");
            require(!log.isMarked(target), "the page that was written from is not");
            log.clear();
            verify(driver, 7, target, 1);
            require(log.isMarked(target + 2 * BLOCK), "it is marked again");
            device.dirtyLog(null);
            log.clear();
            verify(driver, 8, target, 16);
            require(!log.isMarked(target + 2 * BLOCK), "nothing is marked without a log");
        }
        say(file, "written pages logged");
    }

    // ---- other types ----

    /** A frame to everybody comes back from the simulator; other cards take it. */
    private static void card(Path file, VdpaDevice device) throws Exception {
        try (DriverInL1 driver = new DriverInL1(device)) {
            driver.start(device.deviceFeatures() & (WANTED | NetConfig.F_MAC), 2);
            long receive = driver.scratch();
            long send = receive + BLOCK;
            MemorySegment frame = driver.at(send, BLOCK).fill((byte) 0);
            frame.asSlice(12, 6).fill((byte) 0xff);
            frame.asSlice(26, 100).fill((byte) 0x5a);
            require(driver.queue(0).add(new long[] {receive}, new int[] {BLOCK}, 0, 1, 1), "room");
            driver.publish(0);
            require(driver.queue(1).add(new long[] {send}, new int[] {126}, 1, 0, 2), "room");
            driver.publish(1);
            driver.await(1);
            say(file, "a frame sent");
            if (isSimulator(file)) {
                driver.await(0);
                require(
                        driver.at(receive + 12, 114).mismatch(driver.at(send + 12, 114)) == -1,
                        "the frame came back as it was");
                say(file, "and received");
            }
            device.reset();
        }
    }

    /**
     * Takes MQ in the common configuration of a card of QEMU's that no driver has: QEMU 10 tells as many queues as were
     * negotiated last, and vp_vdpa asks once.
     *
     * @param bar the file of the card's window
     */
    private static void negotiate(Path bar) throws IOException {
        int featureSelect = 0x08;
        int feature = 0x0c;
        MemoryRegion window = MemoryRegion.map(FileIo.open(bar, FileIo.O_RDWR, 0), 0, 0, 0, BLOCK);
        MemorySegment common = window.segment();
        common.set(ValueLayout.JAVA_INT, featureSelect, 1);
        common.set(ValueLayout.JAVA_INT, feature, (int) (Feature.VERSION_1 >>> 32));
        common.set(ValueLayout.JAVA_INT, featureSelect, 0);
        common.set(ValueLayout.JAVA_INT, feature, (int) (NetConfig.F_MQ | NetConfig.F_CTRL_VQ));
        window.release();
    }

    /** Of a network card two pairs of queues; the second comes when the first has been used, as with a guest. */
    private static void pairs(VhostVdpaManagement kernel, EventLoopGroup loops, Path file) throws Exception {
        VhostVdpaSettings two = new VhostVdpaSettings(file, DeviceId.NET, 4, 0, Map.of(), true, -1);
        try (VhostVdpaDevice device = kernel.open("bare", two);
                DriverInL1 driver = new DriverInL1(device)) {
            say(file, "offers %s".formatted(device.offer()));
            driver.start(device.deviceFeatures() & (WANTED | NetConfig.F_MQ), 4);
            send(driver, 1);
            send(driver, 3);
            say(file, "frames sent by two pairs");
        }
        try (VdpaDevice device = new RelayDevice(kernel.open("managed", two), loops, Duration.ofSeconds(10));
                DriverInL1 driver = new DriverInL1(device)) {
            long features = device.deviceFeatures() & (WANTED | NetConfig.F_MQ);
            driver.start(features, 2);
            send(driver, 1);
            driver.startQueue(2, features);
            driver.startQueue(3, features);
            send(driver, 1);
            send(driver, 3);
            say(file, "managed: frames sent by a pair that was started later");
        }
    }

    private static void send(DriverInL1 driver, int queue) throws Exception {
        MemorySegment frame = driver.at(driver.scratch(), 126).fill((byte) 0);
        frame.asSlice(12, 6).fill((byte) 0xff);
        require(driver.queue(queue).add(new long[] {driver.scratch()}, new int[] {126}, 1, 0, queue), "room");
        driver.publish(queue);
        driver.await(queue);
    }

    /** By the folder of the bus's device that has the file. */
    private static boolean isSimulator(Path file) throws IOException {
        String node = file.getFileName().toString().split(" ", -1)[0];
        try (Stream<Path> devices = Files.list(Path.of("/sys/bus/vdpa/devices"))) {
            for (Path device : devices.toList()) {
                if (Files.exists(device.resolve(node))) {
                    return device.toRealPath().toString().contains("vdpasim");
                }
            }
        }
        return false;
    }

    private static void entropy(Path file, VdpaDevice device) throws Exception {
        try (DriverInL1 driver = new DriverInL1(device)) {
            driver.start(device.deviceFeatures() & WANTED, 1);
            List<Integer> seen = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                driver.at(driver.scratch(), 16).fill((byte) 0);
                require(driver.queue(0).add(new long[] {driver.scratch()}, new int[] {16}, 0, 1, 1), "room");
                driver.publish(0);
                driver.await(0);
                require(driver.queue(0).writtenBytes() > 0, "bytes came");
                seen.add(driver.at(driver.scratch(), 4).get(ValueLayout.JAVA_INT, 0));
            }
            require(seen.stream().distinct().count() > 1, "the bytes are random: " + seen);
            say(file, "random bytes came");
            device.reset();
        }
    }

    /** Any type: goes live with all queues, its configuration space can be read, a reset ends it. */
    private static void presence(Path file, VdpaDevice device) throws Exception {
        try (DriverInL1 driver = new DriverInL1(device)) {
            driver.start(device.deviceFeatures() & WANTED, device.queueCount());
            byte[] config = new byte[device.configByteCount()];
            device.readConfig(0, MemorySegment.ofArray(config));
            require(
                    !DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET),
                    "its status is " + DeviceStatus.describe(device.status()));
            say(
                    file,
                    "%s live with %d queues, %d bytes of configuration"
                            .formatted(DeviceId.name(device.deviceId()), device.queueCount(), config.length));
            device.reset();
        }
    }

    // ---- a device that is taken away ----

    private static void removal(VhostVdpaManagement kernel, Path file, List<String> command) throws Exception {
        try (VhostVdpaDevice device = kernel.open("going", VhostVdpaSettings.of(file))) {
            List<String> told = new ArrayList<>();
            device.listener(new DeviceListener() {
                @Override
                public void configChanged() {}

                @Override
                public void needsReset(String reason) {
                    synchronized (told) {
                        told.add(reason);
                        told.notifyAll();
                    }
                }
            });
            try (DriverInL1 driver = new DriverInL1(device)) {
                driver.start(device.deviceFeatures() & WANTED, 1);
                verify(driver, 9, driver.scratch() + (1 << 20), 16);
                Process remover = new ProcessBuilder(command).inheritIO().start();
                synchronized (told) {
                    long end = System.nanoTime() + 20_000_000_000L;
                    while (told.isEmpty() && System.nanoTime() < end) {
                        told.wait(100);
                    }
                }
                require(!told.isEmpty(), "NEEDS_RESET was told");
                require(remover.waitFor() == 0, "the removal went through");
                require(!device.isThere(), "the device is gone");
                device.queueReady(0, false);
                device.reset();
                require(
                        DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET),
                        "a reset does not bring it back");
                System.out.println("REMOVED " + told.getFirst());
            }
        }
    }
}
