package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random operations on a driver's and a device's queue over one memory, held against {@link VirtqueueModel}. */
class VirtqueueModelTest {
    private static final int[] SPLIT_SIZES = {1, 2, 4, 8, 256};
    private static final int[] PACKED_SIZES = {1, 2, 3, 4, 7, 8, 100, 256};
    private static final long[] OPTIONS = {Feature.EVENT_IDX, Feature.INDIRECT_DESC, Feature.IN_ORDER};

    record Case(int size, long features) {
        boolean packed() {
            return Feature.has(features, Feature.RING_PACKED);
        }

        @Override
        public String toString() {
            return "size " + size + " " + FeatureTable.COMMON.describe(features);
        }
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (int options = 0; options < 1 << OPTIONS.length; options++) {
            long features = Feature.VERSION_1;
            for (int i = 0; i < OPTIONS.length; i++) {
                features |= (options >> i & 1) != 0 ? OPTIONS[i] : 0;
            }
            for (int size : SPLIT_SIZES) {
                cases.add(new Case(size, features));
            }
            for (int size : PACKED_SIZES) {
                cases.add(new Case(size, features | Feature.RING_PACKED));
            }
        }
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void behavesAsTheModel(Case at) {
        for (long seed = 1; seed <= 2; seed++) {
            run(at, seed, 1500);
        }
    }

    /** Long enough for 16-bit indices to wrap several times. */
    @Test
    void indicesWrapSeveralTimes() {
        run(new Case(8, Feature.VERSION_1 | Feature.EVENT_IDX), 101, 140_000);
        run(new Case(7, Feature.VERSION_1 | Feature.EVENT_IDX | Feature.RING_PACKED), 102, 140_000);
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("cases")
    void behavesAsTheModelForLong(Case at) {
        for (long seed = 1001; seed <= 1004; seed++) {
            run(at, seed, 200_000);
        }
    }

    private static void run(Case at, long seed, int buffers) {
        try (Run run = new Run(at, seed)) {
            while (run.polled < buffers) {
                run.step();
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError(at + ", seed " + seed, e);
        }
    }

    /** One queue and its model. */
    private static final class Run implements AutoCloseable {
        private static final int MAX_PIECES = 6;
        private static final int SLOT_BYTES = 96;
        private static final int INDIRECT_ENTRIES = 4;

        private final Case at;
        private final Random random;
        private final Virtqueue queue;
        private final VirtqueueModel model;
        private final Deque<Long> freeSlots = new ArrayDeque<>();
        private final List<DescriptorChain> freeChains = new ArrayList<>();
        private final List<Held> held = new ArrayList<>();
        private final MemorySegment scratch;

        private DriverQueue driver;
        private DeviceQueue device;
        private long nextToken = 1;
        private int polled;

        /** The driver asked for a signal and found nothing: the next used buffer must be signalled. */
        private boolean driverWaits;
        /** The driver asked for no signals and has not asked for them since. */
        private boolean driverBusy;

        private boolean deviceWaits;
        private boolean deviceBusy;

        /** A chain in the device's hands. */
        record Held(DescriptorChain chain, VirtqueueModel.Buffer buffer) {}

        Run(Case at, long seed) {
            this.at = at;
            random = new Random(seed);
            int indirect = Feature.has(at.features(), Feature.INDIRECT_DESC) ? INDIRECT_ENTRIES : 0;
            int slots = at.size() + 1;
            queue = new Virtqueue(at.size(), at.features(), indirect, (long) slots * SLOT_BYTES);
            scratch = queue.arena.allocate(SLOT_BYTES);
            model = new VirtqueueModel(Feature.has(at.features(), Feature.IN_ORDER));
            for (int i = 0; i < slots; i++) {
                freeSlots.add(Virtqueue.DATA + (long) i * SLOT_BYTES);
                freeChains.add(queue.newChain());
            }
            QueueState state = Virtqueue.anyState(random, at.size(), at.packed());
            driver = DriverQueue.create(queue.rings, state);
            device = queue.device(state);
        }

        void step() throws GuestFaultException, DeviceFaultException {
            switch (random.nextInt(33)) {
                case 0, 1, 2, 3, 4, 5, 6, 7 -> add();
                case 8, 9, 10 -> publishAvailable();
                case 11, 12, 13, 14, 15, 16 -> take();
                case 17, 18, 19, 20, 21, 22 -> complete();
                case 23, 24, 25 -> publishUsed();
                case 26, 27 -> pollAll();
                case 28 -> driverNotification();
                case 29 -> deviceNotification();
                case 30 -> rebuildDevice();
                case 31 -> giveBack();
                default -> {
                    if (random.nextInt(20) == 0) {
                        resetQueue();
                    } else {
                        rebuildDriver();
                    }
                }
            }
            check(driver.outstanding() == model.outstanding(), "buffers outstanding at the driver");
            check(driver.hasUsed() == model.hasUsed(), "whether the driver has a used buffer");
            check(device.hasNext() == model.hasAvailable(), "whether the device has an available buffer");
            check(device.inFlight() == model.inDevice(), "buffers in the device");
        }

        /** An assertion that costs nothing where it holds: there are millions of them. */
        private static void check(boolean holds, String what) {
            if (!holds) {
                throw new AssertionError(what + ": not as the model has it");
            }
        }

        private void add() {
            int readable = random.nextInt(MAX_PIECES);
            int writable = random.nextInt(readable == 0 ? 1 : 0, MAX_PIECES - readable + 1);
            int pieces = readable + writable;
            boolean indirect = pieces > 1 && pieces <= queue.rings.indirectEntries();
            int entries = indirect ? 1 : pieces;
            if (entries > at.size()) {
                return;
            }
            long slot = freeSlots.getFirst();
            long[] addresses = new long[pieces + 2];
            int[] lengths = new int[pieces + 2];
            long address = slot;
            for (int i = 0; i < pieces; i++) {
                addresses[i] = address;
                lengths[i] = random.nextInt(1, SLOT_BYTES / MAX_PIECES + 1);
                address += lengths[i];
            }
            VirtqueueModel.Buffer buffer = new VirtqueueModel.Buffer(nextToken, addresses, lengths, readable, writable);
            int free = driver.freeDescriptors();
            check(driver.hasRoom(pieces) == entries <= free, "room");
            boolean fits = driver.add(addresses, lengths, readable, writable, nextToken);
            check(fits == entries <= free, "whether a buffer fits");
            check(driver.freeDescriptors() == (fits ? free - entries : free), "free descriptors");
            if (!fits) {
                return;
            }
            freeSlots.removeFirst();
            nextToken++;
            for (long i = 0; i < buffer.readableBytes(); i++) {
                queue.data(buffer.address(false, i), buffer.readableByte(i));
            }
            for (long i = 0; i < buffer.writableBytes(); i++) {
                queue.data(buffer.address(true, i), (byte) 0x55);
            }
            model.add(buffer);
        }

        private void publishAvailable() {
            int count = model.publishAvailable();
            boolean kick = driver.publish();
            if (count == 0) {
                check(!kick, "kick for nothing");
                return;
            }
            if (deviceWaits) {
                check(kick, "kick that the device waits for");
                deviceWaits = false;
            } else if (deviceBusy && !Feature.has(at.features(), Feature.EVENT_IDX)) {
                check(!kick, "kick that the device does not want");
            }
        }

        private void take() throws GuestFaultException {
            int most = random.nextInt(1, 5);
            for (int i = 0; i < most; i++) {
                DescriptorChain chain = freeChains.getLast();
                boolean more = device.next(chain);
                check(more == model.hasAvailable(), "whether there is an available buffer");
                if (!more) {
                    return;
                }
                freeChains.removeLast();
                VirtqueueModel.Buffer buffer = model.take();
                check(chain.readableBytes() == buffer.readableBytes(), "readable bytes");
                check(chain.writableBytes() == buffer.writableBytes(), "writable bytes");
                long bytes = buffer.readableBytes();
                chain.read(0, scratch, 0, (int) bytes);
                for (long j = 0; j < bytes; j++) {
                    check(scratch.get(ValueLayout.JAVA_BYTE, j) == buffer.readableByte(j), "byte sent");
                }
                held.add(new Held(chain, buffer));
            }
        }

        private void complete() {
            if (held.isEmpty()) {
                return;
            }
            int which = random.nextInt(3) == 0 ? random.nextInt(held.size()) : 0;
            Held done = held.remove(which);
            VirtqueueModel.Buffer buffer = done.buffer();
            long written = random.nextLong(buffer.writableBytes() + 1);
            for (long i = 0; i < written; i++) {
                scratch.set(ValueLayout.JAVA_BYTE, i, buffer.writtenByte(i));
            }
            done.chain().write(0, scratch, 0, (int) written);
            device.complete(done.chain(), written);
            freeChains.add(done.chain());
            model.complete(buffer, written);
        }

        /** The youngest chains go back as if they had not been taken. */
        private void giveBack() {
            for (int i = random.nextInt(1, 4); i > 0 && !held.isEmpty(); i--) {
                Held youngest = held.getLast();
                if (!model.isYoungest(youngest.buffer())) {
                    return;
                }
                held.removeLast();
                device.giveBack(youngest.chain());
                freeChains.add(youngest.chain());
                model.giveBack(youngest.buffer());
                // The device knows that there is a buffer, and does not wait for a kick.
                deviceWaits = false;
            }
        }

        private void publishUsed() {
            int count = model.publishUsed();
            boolean signal = device.publish();
            if (count == 0) {
                check(!signal, "signal for nothing");
                return;
            }
            if (driverWaits) {
                check(signal, "signal that the driver waits for");
                driverWaits = false;
            } else if (driverBusy && !Feature.has(at.features(), Feature.EVENT_IDX)) {
                check(!signal, "signal that the driver does not want");
            }
        }

        private void pollAll() throws DeviceFaultException {
            while (driver.poll()) {
                check(model.hasUsed(), "used buffer that the device did not publish");
                VirtqueueModel.Buffer buffer = model.poll();
                check(driver.token() == buffer.token, "token, so the order of used buffers");
                check(driver.writtenBytes() == buffer.written, "written bytes");
                for (long i = 0; i < buffer.writableBytes(); i++) {
                    byte expected = i < buffer.written ? buffer.writtenByte(i) : 0x55;
                    check(queue.data(buffer.address(true, i)) == expected, "byte written");
                }
                freeSlots.add(buffer.addresses[0] - (buffer.addresses[0] - Virtqueue.DATA) % SLOT_BYTES);
                polled++;
                if (random.nextInt(8) == 0) {
                    return;
                }
            }
            check(!model.hasUsed(), "used buffer that the driver does not see");
        }

        private void driverNotification() {
            if (random.nextBoolean()) {
                driver.disableInterrupts();
                driverBusy = true;
                driverWaits = false;
            } else {
                boolean more = driver.enableInterrupts();
                assertThat(more).isEqualTo(model.hasUsed());
                driverBusy = false;
                driverWaits = !more;
            }
        }

        private void deviceNotification() {
            if (random.nextBoolean()) {
                device.disableNotifications();
                deviceBusy = true;
                deviceWaits = false;
            } else {
                boolean more = device.enableNotifications();
                assertThat(more).isEqualTo(model.hasAvailable());
                deviceBusy = false;
                deviceWaits = !more;
            }
        }

        /** A new device goes on where the old one stood, as after a migration or a change of back-end. */
        private void rebuildDevice() {
            if (model.inDevice() != 0) {
                return;
            }
            device = queue.device(device.state());
            deviceWaits = false;
            deviceBusy = false;
            // A driver that waits still does, and the new device has to signal it.
        }

        /** A new driver goes on where the old one stood, as a relay does over a device that runs already. */
        private void rebuildDriver() {
            if (model.outstanding() != 0) {
                return;
            }
            assertThat(driver.state()).isEqualTo(device.state());
            assertThat(driver.freeDescriptors()).isEqualTo(at.size());
            QueueState state = device.state();
            driver = DriverQueue.create(queue.rings, state);
            device = queue.device(state);
            forgetNotifications();
        }

        private void resetQueue() {
            List<Long> returned = new ArrayList<>();
            List<VirtqueueModel.Buffer> drained = model.drain();
            driver.reset(returned::add);
            assertThat(returned)
                    .isSorted()
                    .containsExactlyInAnyOrderElementsOf(
                            drained.stream().map(buffer -> buffer.token).toList());
            for (VirtqueueModel.Buffer buffer : drained) {
                freeSlots.add(buffer.addresses[0] - (buffer.addresses[0] - Virtqueue.DATA) % SLOT_BYTES);
            }
            for (Held lost : held) {
                freeChains.add(lost.chain());
            }
            held.clear();
            assertThat(driver.freeDescriptors()).isEqualTo(at.size());
            device = queue.device(QueueState.initial(at.packed()));
            forgetNotifications();
        }

        private void forgetNotifications() {
            driverWaits = false;
            driverBusy = false;
            deviceWaits = false;
            deviceBusy = false;
        }

        @Override
        public void close() {
            queue.close();
        }
    }
}
