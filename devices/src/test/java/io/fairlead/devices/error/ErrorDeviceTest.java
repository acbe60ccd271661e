package io.fairlead.devices.error;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.devices.base.Guest;
import io.fairlead.devices.base.HostileRequests;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.ScsiRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ErrorDeviceTest {
    /** Behind what is asked. */
    private static final long IN = 4096;

    private static final int QUEUE_SIZE = 64;

    @TempDir
    private Path folder;

    private interface Check {
        void run(VdpaDevice gone, ErrorDevice device, EventLoopGroup loops) throws Exception;
    }

    private void inPlaceOf(int deviceId, Check check) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice gone = new SoftwareManagement("software", loops).add("d0", deviceId, attributes(deviceId));
                ErrorDevice device = ErrorDevice.inPlaceOf(gone, loops)) {
            assertThat(device.deviceId()).isEqualTo(deviceId);
            assertThat(device.queueCount()).isEqualTo(gone.queueCount());
            check.run(gone, device, loops);
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    private Map<String, String> attributes(int deviceId) throws IOException {
        Path file = folder.resolve("disk.img");
        if (Files.notExists(file)) {
            Path _ = Files.write(file, new byte[1 << 20]);
        }
        return switch (deviceId) {
            case DeviceId.BLOCK -> Map.of("path", file.toString());
            case DeviceId.SCSI -> Map.of("lun0", file.toString());
            case DeviceId.FS -> Map.of("path", folder.toString(), "tag", "t");
            case DeviceId.NET -> Map.of("switch", "s", "mac", "52:54:00:00:00:01");
            default -> Map.of();
        };
    }

    /** One request; returns how many bytes were written. */
    private static int ask(Guest guest, int queue, int readableBytes, int writableBytes) throws Exception {
        DriverQueue driver = guest.queue(queue);
        data(guest).asSlice(IN, Math.max(1, writableBytes)).fill((byte) 0x55);
        assertThat(add(guest, queue, readableBytes, writableBytes)).isTrue();
        guest.publish(queue);
        Guest.awaitAnswer(driver);
        return (int) driver.writtenBytes();
    }

    private static boolean add(Guest guest, int queue, int readableBytes, int writableBytes) {
        int readable = readableBytes > 0 ? 1 : 0;
        int writable = writableBytes > 0 ? 1 : 0;
        long out = Guest.BASE + guest.dataOffset();
        long[] addresses = {out, out + IN};
        int[] lengths = {readableBytes, writableBytes};
        return guest.queue(queue)
                .add(
                        readable == 1 ? addresses : Arrays.copyOfRange(addresses, 1, 2),
                        readable == 1 ? lengths : Arrays.copyOfRange(lengths, 1, 2),
                        readable,
                        writable,
                        1);
    }

    private static MemorySegment data(Guest guest) {
        return guest.memory().asSlice(guest.dataOffset());
    }

    private static byte answered(Guest guest, long offset) {
        return data(guest).get(ValueLayout.JAVA_BYTE, IN + offset);
    }

    @ParameterizedTest
    @ValueSource(longs = {Feature.VERSION_1, Feature.VERSION_1 | Feature.RING_PACKED})
    void aDisksRequestsFail(long features) throws Exception {
        inPlaceOf(DeviceId.BLOCK, (gone, device, _) -> {
            MemorySegment config = MemorySegment.ofArray(new byte[device.configByteCount()]);
            device.readConfig(0, config);
            assertThat(BlkConfig.CAPACITY_SECTORS.read(config)).isEqualTo(2048);
            try (Guest guest = new Guest(device, 1 << 20, QUEUE_SIZE, 0)) {
                guest.start(features);
                for (int i = 0; i < 3 * QUEUE_SIZE; i++) {
                    assertThat(ask(guest, 0, BlkRequest.HEADER_BYTES, 513)).isEqualTo(513);
                    assertThat(answered(guest, 512)).isEqualTo(BlkRequest.STATUS_IOERR);
                }
                assertThat(device.statistics().total().failedRequests()).isEqualTo(3 * QUEUE_SIZE);
            }
        });
    }

    @Test
    void scsiCommandsAndTaskManagementFindNoTarget() throws Exception {
        inPlaceOf(DeviceId.SCSI, (_, device, _) -> {
            try (Guest guest = new Guest(device, 1 << 20, QUEUE_SIZE, 0)) {
                guest.start(Feature.VERSION_1);
                assertThat(ask(guest, ScsiRequest.FIRST_REQUEST_QUEUE, 51, 108 + 512))
                        .isEqualTo(ScsiRequest.SENSE_OFFSET);
                assertThat(answered(guest, ScsiRequest.RESPONSE_OFFSET))
                        .isEqualTo((byte) ScsiRequest.RESPONSE_BAD_TARGET);
                assertThat(answered(guest, ScsiRequest.SENSE_COUNT_OFFSET)).isZero();
                assertThat(ask(guest, ScsiRequest.CONTROL_QUEUE, ScsiRequest.TMF_BYTES, 1))
                        .isEqualTo(1);
                assertThat(answered(guest, 0)).isEqualTo((byte) ScsiRequest.RESPONSE_BAD_TARGET);
            }
        });
    }

    @Test
    void aSharedFoldersRequestsSayThatTheServerIsGone() throws Exception {
        inPlaceOf(DeviceId.FS, (_, device, _) -> {
            try (Guest guest = new Guest(device, 1 << 20, QUEUE_SIZE, 0)) {
                guest.start(Feature.VERSION_1);
                data(guest).set(ValueLayout.JAVA_LONG, 8, 0x1234_5678_9abcL);
                assertThat(ask(guest, 1, 40, 4096)).isEqualTo(16);
                assertThat(data(guest).get(ValueLayout.JAVA_INT, IN)).isEqualTo(16);
                assertThat(data(guest).get(ValueLayout.JAVA_INT, IN + 4)).isEqualTo(-Errno.ENOTCONN);
                assertThat(data(guest).get(ValueLayout.JAVA_LONG, IN + 8)).isEqualTo(0x1234_5678_9abcL);
                // FORGET wants no answer; what has no room for one gets none.
                assertThat(ask(guest, 0, 48, 0)).isZero();
                assertThat(ask(guest, 1, 40, 15)).isZero();
            }
        });
    }

    private static int link(VdpaDevice card) throws IOException {
        MemorySegment config = MemorySegment.ofArray(new byte[card.configByteCount()]);
        card.readConfig(0, config);
        return (int) NetConfig.STATUS.read(config) & NetConfig.STATUS_LINK_UP;
    }

    @Test
    void aNetworkCardHasNoLinkAndLosesWhatIsSent() throws Exception {
        inPlaceOf(DeviceId.NET, (gone, device, _) -> {
            assertThat(link(gone)).isEqualTo(NetConfig.STATUS_LINK_UP);
            assertThat(link(device)).isZero();
            try (Guest guest = new Guest(device, 1 << 20, QUEUE_SIZE, 0)) {
                guest.start(Feature.VERSION_1);
                for (int i = 0; i < 3; i++) {
                    assertThat(add(guest, 0, 0, 1526)).isTrue();
                }
                guest.publish(0);
                assertThat(ask(guest, 1, 100, 0)).isZero();
                assertThat(guest.queue(0).poll()).isFalse();
                // What was taken is given back.
                device.queueReady(0, false);
                assertThat(device.queueState(0)).isEqualTo(QueueState.initial(false));
            }
        });
    }

    @Test
    void survivesMalformedRequests() throws Exception {
        for (int deviceId : new int[] {DeviceId.BLOCK, DeviceId.SCSI, DeviceId.FS}) {
            inPlaceOf(deviceId, (_, device, _) -> {
                int queue =
                        deviceId == DeviceId.SCSI ? ScsiRequest.FIRST_REQUEST_QUEUE : deviceId == DeviceId.FS ? 1 : 0;
                HostileRequests.Form form = new HostileRequests.Form(16, 1);
                HostileRequests.Counts counts =
                        HostileRequests.send(device, queue, Feature.VERSION_1, 3000, 11, form, HostileRequests::noise);
                assertThat(counts.answered()).isPositive();
            });
        }
    }
}
