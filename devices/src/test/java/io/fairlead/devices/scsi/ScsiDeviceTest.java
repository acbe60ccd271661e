package io.fairlead.devices.scsi;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.base.HostileRequests;
import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.storage.StubStorage;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.ScsiRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The device around its commands: events, task management, units that change, hostile drivers. */
class ScsiDeviceTest {
    private static final String READY = "00 00 00 00 00 00";
    private static final byte[] NONE = new byte[0];

    @TempDir
    Path folder;

    private EventLoopGroup loops;
    private StubStorage storage;
    private ScsiDevice device;
    private Guest guest;
    private Initiator initiator;

    @BeforeEach
    void make() throws IOException {
        loops = new EventLoopGroup(1);
        storage = new StubStorage();
        LogicalUnit unit = new LogicalUnit("s0", LunSettings.of(0, Path.of("stub")), storage);
        ScsiSettings settings = new ScsiSettings(RingSettings.ofSize(64), 2, List.of());
        device = new ScsiDevice("s0", settings, List.of(unit), loops, false);
        guest = new Guest(device, Initiator.memoryBytes(4), 64, 0);
        guest.start(device.deviceFeatures());
        initiator = new Initiator(guest);
        initiator.clearAttentions(0);
    }

    @AfterEach
    void close() throws IOException {
        storage.gate.countDown();
        device.close();
        guest.close();
        loops.close();
        assertThat(storage.closed).isTrue();
        storage.arena.close();
    }

    private Path image(String name, int byteCount) throws IOException {
        return Files.write(folder.resolve(name), new byte[byteCount]);
    }

    // ---- events ----

    private void giveEventBuffers(int count) {
        for (int i = 0; i < count; i++) {
            long at = guest.dataOffset() + 3L * Initiator.DATA_BYTES + 64L * i;
            guest.memory().asSlice(at, 16).fill((byte) 0xee);
            assertThat(guest.queue(ScsiRequest.EVENT_QUEUE)
                            .add(new long[] {Guest.BASE + at}, new int[] {16}, 0, 1, i + 1))
                    .isTrue();
        }
        guest.publish(ScsiRequest.EVENT_QUEUE);
    }

    /** Event, number of the unit and reason of the next event. */
    private List<Integer> event() {
        DriverQueue queue = guest.queue(ScsiRequest.EVENT_QUEUE);
        Guest.awaitAnswer(queue);
        assertThat(queue.writtenBytes()).isEqualTo(16);
        long at = guest.dataOffset() + 3L * Initiator.DATA_BYTES + 64L * (queue.token() - 1);
        MemorySegment memory = guest.memory();
        return List.of(
                memory.get(ValueLayout.JAVA_INT_UNALIGNED, at),
                ScsiRequest.lun(memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at + 4)),
                memory.get(ValueLayout.JAVA_INT_UNALIGNED, at + 12));
    }

    @Test
    void aUnitBecomesReadOnlyAndWritableAgain() throws Exception {
        giveEventBuffers(4);
        device.units().readOnly(0, true);
        device.units().readOnly(0, true);
        assertThat(event()).containsExactly(ScsiRequest.EVENT_PARAMETER_CHANGE, 0, 0x012a);
        initiator.call(0, READY).fails(Sense.MODES_CHANGED);
        initiator.call(0, READY).isGood();
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).fails(Sense.WRITE_PROTECTED);
        assertThat(initiator.in(0, "1a 08 08 00 ff 00", 255).data()[2] & 0x80)
                .as("write protected")
                .isEqualTo(0x80);
        assertThat(initiator.in(0, "28 00 00000000 00 0001 00", 512).data()).hasSize(512);
        device.units().readOnly(0, false);
        assertThat(event()).containsExactly(ScsiRequest.EVENT_PARAMETER_CHANGE, 0, 0x012a);
        initiator.call(0, READY).fails(Sense.MODES_CHANGED);
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).isGood();
    }

    @Test
    void aUnitComesGrowsAndGoes() throws Exception {
        giveEventBuffers(8);
        Path file = image("late.img", 8192);
        device.units().add(LunSettings.of(700, file));
        assertThat(event()).containsExactly(ScsiRequest.EVENT_TRANSPORT_RESET, 700, ScsiRequest.REASON_RESCAN);
        initiator.call(0, READY).fails(Sense.UNITS_CHANGED);
        initiator.call(700, READY).fails(Sense.POWER_ON);
        initiator.out(700, "2a 00 00000000 00 0001 00", new byte[512]).isGood();
        device.units().resize(700, 16384);
        assertThat(event()).containsExactly(ScsiRequest.EVENT_PARAMETER_CHANGE, 700, 0x092a);
        initiator.call(700, READY).fails(Sense.CAPACITY_CHANGED);
        assertThat(initiator.in(700, "25 00 00000000 0000 00 00", 8).data()[3]).isEqualTo((byte) 31);
        assertThat(Files.size(file)).isEqualTo(16384);
        assertThatThrownBy(() -> device.units().resize(700, 1000)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> device.units().add(LunSettings.of(700, file)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("lun700");
        device.units().remove(700).toCompletableFuture().get(10, SECONDS);
        assertThat(event()).containsExactly(ScsiRequest.EVENT_TRANSPORT_RESET, 700, ScsiRequest.REASON_REMOVED);
        initiator.call(700, READY).fails(Sense.UNIT_NOT_SUPPORTED);
        assertThat(device.units().numbers()).containsExactly(0);
        assertThatThrownBy(() -> device.units().remove(700))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("lun700");
    }

    @Test
    void eventsWaitForBuffersAndTooManyAreTold() throws Exception {
        for (int i = 0; i < EventList.MAX_EVENTS; i++) {
            device.units().resize(lunOf(i), 8192);
        }
        device.units().remove(1).toCompletableFuture().get(10, SECONDS);
        giveEventBuffers(3);
        assertThat(event()).containsExactly(ScsiRequest.EVENTS_MISSED, -1, 0);
        assertThat(event()).containsExactly(ScsiRequest.EVENT_PARAMETER_CHANGE, 2, 0x092a);
        assertThat(event()).containsExactly(ScsiRequest.EVENT_TRANSPORT_RESET, 1, ScsiRequest.REASON_REMOVED);
    }

    /** Units 1 and 2 by turns, made where they are missing. */
    private int lunOf(int i) throws IOException {
        int number = 1 + i % 2;
        if (!device.units().numbers().contains(number)) {
            device.units().add(LunSettings.of(number, image("lun%d-%d.img".formatted(number, i), 8192)));
        }
        return number;
    }

    @Test
    void aDriverIsToldOfWhatItKnows() throws Exception {
        device.reset();
        guest.start(device.deviceFeatures() & ~ScsiConfig.F_HOTPLUG);
        giveEventBuffers(2);
        device.units().add(LunSettings.of(1, image("b.img", 8192)));
        device.units().resize(1, 16384);
        assertThat(event().getFirst()).isEqualTo(ScsiRequest.EVENT_PARAMETER_CHANGE);
    }

    // ---- task management ----

    @Test
    void anAbortWaitsForTheCommand() throws Exception {
        storage.slowOffset = 4096;
        storage.gate = new CountDownLatch(1);
        byte[] write = Initiator.cdb("2a 00 00000008 00 0001 00");
        long at = initiator.send(ScsiRequest.address(0), write, new byte[512], 0);
        long tag = initiator.lastTag();
        // What was sent before is seen, also where the queue has not taken it yet.
        assertThat(initiator.manage(0, ScsiRequest.TMF_QUERY_TASK, tag))
                .isEqualTo(ScsiRequest.RESPONSE_FUNCTION_SUCCEEDED);
        assertThat(initiator.manage(0, ScsiRequest.TMF_QUERY_TASK, tag + 7))
                .isEqualTo(ScsiRequest.RESPONSE_FUNCTION_COMPLETE);
        assertThat(initiator.manage(0, ScsiRequest.TMF_QUERY_TASK_SET, 0))
                .isEqualTo(ScsiRequest.RESPONSE_FUNCTION_SUCCEEDED);
        assertThat(initiator.manage(0, ScsiRequest.TMF_ABORT_TASK, tag + 7)).isZero();
        initiator.sendManagement(0, ScsiRequest.TMF_ABORT_TASK, tag);
        DriverQueue control = guest.queue(ScsiRequest.CONTROL_QUEUE);
        // Another queue works while both wait.
        Initiator other = new Initiator(guest, Initiator.REQUEST_QUEUE + 1);
        for (int i = 0; i < 20; i++) {
            other.in(0, "28 00 00000000 00 0001 00", 512).isGood();
        }
        assertThat(control.poll()).isFalse();
        storage.gate.countDown();
        Guest.awaitAnswer(control);
        assertThat(initiator.managed()).isZero();
        // The command was answered before.
        assertThat(guest.queue(Initiator.REQUEST_QUEUE).poll()).isTrue();
        initiator.answer(at, 0).isGood();
        assertThat(storage.log).contains("write 4096");
    }

    @Test
    void everyFunctionHasAnAnswer() throws Exception {
        for (int subtype : new int[] {
            ScsiRequest.TMF_ABORT_TASK,
            ScsiRequest.TMF_ABORT_TASK_SET,
            ScsiRequest.TMF_CLEAR_TASK_SET,
            ScsiRequest.TMF_QUERY_TASK,
            ScsiRequest.TMF_QUERY_TASK_SET
        }) {
            assertThat(initiator.manage(0, subtype, 0)).isZero();
        }
        initiator.call(0, READY).isGood();
        assertThat(initiator.manage(0, ScsiRequest.TMF_I_T_NEXUS_RESET, 0)).isZero();
        initiator.call(0, READY).fails(Sense.NEXUS_LOSS);
        assertThat(initiator.manage(0, ScsiRequest.TMF_LOGICAL_UNIT_RESET, 0)).isZero();
        initiator.call(0, READY).fails(Sense.UNIT_RESET);
        assertThat(initiator.manage(0, ScsiRequest.TMF_CLEAR_ACA, 0)).isEqualTo(ScsiRequest.RESPONSE_FUNCTION_REJECTED);
        assertThat(initiator.manage(0, 99, 0)).isEqualTo(ScsiRequest.RESPONSE_FUNCTION_REJECTED);
        assertThat(initiator.manage(9, ScsiRequest.TMF_ABORT_TASK, 0)).isEqualTo(ScsiRequest.RESPONSE_INCORRECT_LUN);
    }

    @Test
    void aUnitThatGoesWaitsForItsCommands() throws Exception {
        storage.slowOffset = 4096;
        storage.gate = new CountDownLatch(1);
        long at = initiator.send(ScsiRequest.address(0), Initiator.cdb("2a 00 00000008 00 0001 00"), new byte[512], 0);
        await().until(() ->
                initiator.manage(0, ScsiRequest.TMF_QUERY_TASK_SET, 0) == ScsiRequest.RESPONSE_FUNCTION_SUCCEEDED);
        CompletionStage<Void> gone = device.units().remove(0);
        Initiator other = new Initiator(guest, Initiator.REQUEST_QUEUE + 1);
        other.call(0, READY).fails(Sense.UNIT_NOT_SUPPORTED);
        assertThat(gone.toCompletableFuture()).isNotDone();
        assertThat(storage.closed).isFalse();
        storage.gate.countDown();
        gone.toCompletableFuture().get(10, SECONDS);
        assertThat(storage.closed).isTrue();
        Guest.awaitAnswer(guest.queue(Initiator.REQUEST_QUEUE));
        initiator.answer(at, 0).isGood();
    }

    // ---- storage that fails ----

    @Test
    void errorsOfTheStorageAreTold() throws IOException {
        storage.now = false;
        storage.readError = -Errno.EIO;
        initiator.in(0, "28 00 00000000 00 0001 00", 512).fails(Sense.UNRECOVERED_READ);
        storage.writeError = -Errno.EIO;
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).fails(Sense.WRITE_ERROR);
        storage.writeError = -Errno.ENOSPC;
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).fails(Sense.SPACE_EXHAUSTED);
        storage.writeError = 0;
        storage.flushError = -Errno.EIO;
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).isGood();
        initiator.out(0, "2a 08 00000000 00 0001 00", new byte[512]).fails(Sense.WRITE_ERROR);
        initiator.call(0, "35 00 00000000 00 0000 00").fails(Sense.WRITE_ERROR);
        assertThat(device.statistics().total().failedRequests()).isEqualTo(5);
    }

    @Test
    void forcedWritesAndThoseWithoutACacheAreDurable() throws IOException {
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).isGood();
        assertThat(storage.flushes).hasValue(0);
        initiator.out(0, "2a 08 00000000 00 0001 00", new byte[512]).isGood();
        assertThat(storage.flushes).hasValue(1);
        byte[] off = new byte[24];
        off[4] = 8;
        off[5] = 18;
        initiator.out(0, "15 10 00 00 18 00", off).isGood();
        assertThat(storage.flushes).as("what was written before").hasValue(2);
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).isGood();
        assertThat(storage.flushes).hasValue(3);
        assertThat(storage.log.subList(storage.log.size() - 2, storage.log.size()))
                .containsExactly("write 0", "flush");
    }

    // ---- hostile drivers ----

    /** Requests whose parts often make sense. */
    private static void plausible(Random random, MemorySegment readable) {
        HostileRequests.noise(random, readable);
        if (readable.byteSize() < 51 || random.nextInt(20) == 0) {
            return;
        }
        long lun = random.nextInt(10) == 0 ? random.nextLong() : ScsiRequest.address(random.nextInt(3));
        readable.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, lun);
        List<CommandTable.Entry> entries = CommandTable.entries();
        CommandTable.Entry entry = entries.get(random.nextInt(entries.size()));
        for (int i = 0; i < entry.cdbBytes(); i++) {
            int usage = entry.usage().get(i);
            int value = random.nextInt(3) == 0 ? random.nextInt() : random.nextInt(8);
            boolean fixed = i == 0 || (i == 1 && entry.action() >= 0);
            readable.set(ValueLayout.JAVA_BYTE, 19 + i, (byte) (fixed ? usage : value & usage));
        }
    }

    private static void control(Random random, MemorySegment readable) {
        HostileRequests.noise(random, readable);
        if (readable.byteSize() >= 24 && random.nextInt(20) != 0) {
            readable.set(ValueLayout.JAVA_INT_UNALIGNED, 0, random.nextInt(20) == 0 ? 3 : random.nextInt(3));
            readable.set(ValueLayout.JAVA_INT_UNALIGNED, 4, random.nextInt(9));
            readable.set(ValueLayout.JAVA_LONG_UNALIGNED, 8, ScsiRequest.address(random.nextInt(3)));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {ScsiRequest.CONTROL_QUEUE, ScsiRequest.FIRST_REQUEST_QUEUE})
    void survivesTenThousandMalformedRequestsAndLeaksNothing(int queue) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        Map<String, String> attributes = Map.of(
                "lun0", image("a.img", 1 << 20).toString(),
                "lun1", image("b.img", 1 << 16).toString(),
                "lun1.read-only", "on");
        try (EventLoopGroup ownLoops = new EventLoopGroup(1);
                ScsiDevice attacked = ScsiDevice.create("s1", ScsiType.settings(attributes), ownLoops)) {
            HostileRequests.Counts counts = HostileRequests.send(
                    attacked,
                    queue,
                    Feature.VERSION_1 | ScsiConfig.F_INOUT,
                    10_000,
                    3,
                    queue == ScsiRequest.CONTROL_QUEUE
                            ? new HostileRequests.Form(24, 5)
                            : new HostileRequests.Form(Initiator.REQUEST_BYTES, Initiator.RESPONSE_BYTES),
                    queue == ScsiRequest.CONTROL_QUEUE ? ScsiDeviceTest::control : ScsiDeviceTest::plausible);
            assertThat(counts.answered()).isPositive();
            assertThat(counts.resets()).isPositive();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
        initiator.call(0, READY).isGood();
    }

    @Test
    void badEventBuffersNeedAReset() throws Exception {
        Random random = new Random(8);
        for (int i = 0; i < 300; i++) {
            long at = guest.dataOffset() + 3L * Initiator.DATA_BYTES;
            boolean readable = random.nextBoolean();
            int length = readable ? 1 + random.nextInt(64) : 1 + random.nextInt(15);
            assertThat(guest.queue(ScsiRequest.EVENT_QUEUE)
                            .add(
                                    new long[] {Guest.BASE + at},
                                    new int[] {length},
                                    readable ? 1 : 0,
                                    readable ? 0 : 1,
                                    1))
                    .isTrue();
            guest.publish(ScsiRequest.EVENT_QUEUE);
            assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                    .as("nothing is looked at before there is an event")
                    .isFalse();
            // The stub has one size; a removed unit would not come back.
            device.units().add(LunSettings.of(5, image("e%d.img".formatted(i), 4096)));
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET));
            device.reset();
            device.units().remove(5).toCompletableFuture().get(10, SECONDS);
            device.reset();
            guest.start(device.deviceFeatures());
        }
    }

    @Test
    void sizesThatTheDriverChooses() throws Exception {
        device.reset();
        MemorySegment sizes = MemorySegment.ofArray(new byte[8]);
        sizes.set(ValueLayout.JAVA_INT_UNALIGNED, 0, 4);
        sizes.set(ValueLayout.JAVA_INT_UNALIGNED, 4, 16);
        device.writeConfig(ScsiConfig.SENSE_BYTES.offset(), sizes);
        guest.start(device.deviceFeatures());
        long at = guest.dataOffset();
        MemorySegment memory = guest.memory();
        memory.asSlice(at, 256).fill((byte) 0);
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, ScsiRequest.address(0));
        DriverQueue queue = guest.queue(Initiator.REQUEST_QUEUE);
        assertThat(queue.add(new long[] {Guest.BASE + at, Guest.BASE + at + 128}, new int[] {35, 16}, 1, 1, 1))
                .isTrue();
        guest.publish(Initiator.REQUEST_QUEUE);
        Guest.awaitAnswer(queue);
        assertThat(memory.get(ValueLayout.JAVA_INT_UNALIGNED, at + 128))
                .as("power on, cut short")
                .isEqualTo(4);
        assertThat(memory.get(ValueLayout.JAVA_BYTE, at + 128 + 14)).isEqualTo((byte) 6);
        sizes.set(ValueLayout.JAVA_INT_UNALIGNED, 4, 0);
        device.writeConfig(ScsiConfig.SENSE_BYTES.offset(), sizes);
        assertThat(DeviceStatus.has(device.status(), DeviceStatus.DEVICE_NEEDS_RESET))
                .isTrue();
        device.reset();
        device.readConfig(ScsiConfig.SENSE_BYTES.offset(), sizes);
        assertThat(sizes.toArray(ValueLayout.JAVA_BYTE)).containsExactly(96, 0, 0, 0, 32, 0, 0, 0);
        guest.start(device.deviceFeatures());
        assertThat(initiator
                        .call(ScsiRequest.address(0), Initiator.cdb(READY), NONE, 0)
                        .status())
                .isEqualTo(Command.CHECK_CONDITION);
    }
}
