package io.fairlead.kernel.vhostvdpa;

import static io.fairlead.kernel.vhostvdpa.VhostVdpaFixture.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.linux.Vhost;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Network devices with several pairs of queues, and the control queue that says how many run. */
@ExtendWith(NoLeaks.class)
@Timeout(60)
class QueuePairsTest {
    private static final long RAM = 0x10_0000;
    private static final long OFFERED = Feature.VERSION_1 | NetConfig.F_MQ | NetConfig.F_CTRL_VQ | Feature.RING_PACKED;
    private static final long TAKEN = Feature.VERSION_1 | NetConfig.F_MQ;
    private static final int AGREED = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;

    private static FakeKernel card(int pairs) {
        FakeKernel kernel = new FakeKernel();
        kernel.deviceId = DeviceId.NET;
        kernel.features = OFFERED;
        kernel.queueCount = 2 * pairs + 1;
        kernel.controlQueue = 2 * pairs;
        kernel.config = new byte[] {1, 2, 3, 4, 5, 6, 0, 0, (byte) pairs, 0};
        return kernel;
    }

    private static FakeKernel apart(int pairs) {
        FakeKernel kernel = card(pairs);
        kernel.groups = IntStream.range(0, kernel.queueCount)
                .mapToObj(queue -> queue == kernel.controlQueue ? 1 : 0)
                .toList();
        kernel.addressSpaces = 2;
        return kernel;
    }

    private static VhostVdpaSettings settings(int queues) {
        return new VhostVdpaSettings(VhostVdpaFixture.PATH, DeviceId.NET, queues, 0, Map.of(), true, -1);
    }

    private static void start(VhostVdpaFixture fixture, int queues) throws IOException {
        fixture.memory(RAM, 256);
        fixture.device.driverFeatures(TAKEN);
        fixture.device.status(AGREED);
        for (int queue = 0; queue < queues; queue++) {
            ready(fixture, queue);
        }
        fixture.device.status(AGREED | DeviceStatus.DRIVER_OK);
    }

    private static void ready(VhostVdpaFixture fixture, int queue) throws IOException {
        fixture.prepare(queue, RAM + queue * 16L * PAGE);
        fixture.device.queueReady(queue, true);
    }

    @Test
    void theDriverIsOfferedAsManyPairsAsWanted() throws Exception {
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(card(4), settings(4))) {
            assertThat(fixture.device.queueCount()).isEqualTo(4);
            assertThat(fixture.device.deviceFeatures()).isEqualTo(TAKEN);
            byte[] config = new byte[10];
            fixture.device.readConfig(0, MemorySegment.ofArray(config));
            assertThat(config).containsExactly(1, 2, 3, 4, 5, 6, 0, 0, 2, 0);
        }
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(card(4), settings(0))) {
            assertThat(fixture.device.queueCount()).isEqualTo(2);
            assertThat(fixture.device.deviceFeatures() & NetConfig.F_MQ).isZero();
        }
        assertThatThrownBy(() -> new VhostVdpaFixture(card(4), settings(5)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("5 are no pairs");
        assertThatThrownBy(() -> new VhostVdpaFixture(card(4), settings(10)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("has 8 queues for a driver, not 10");
    }

    /** The kernel says more or fewer queues than the device's configuration space. */
    @ParameterizedTest
    @ValueSource(ints = {0, 5, 0x7f, 0xff})
    void aDeviceThatContradictsItselfHasOnePair(int pairs) throws Exception {
        FakeKernel kernel = card(4);
        kernel.config[8] = (byte) pairs;
        kernel.config[9] = (byte) pairs;
        assertThatThrownBy(() -> new VhostVdpaFixture(kernel, settings(4)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("more than one pair needs a device with VIRTIO_NET_F_MQ and a control queue");
    }

    @Test
    void whatRunsIsSaidByTheControlQueue() throws Exception {
        FakeKernel kernel = card(4);
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel, settings(6))) {
            start(fixture, 2);
            assertThat(kernel.driverFeatures).isEqualTo(TAKEN | NetConfig.F_CTRL_VQ);
            assertThat(kernel.commands)
                    .as("one pair is where a reset leaves it")
                    .isEmpty();
            ready(fixture, 2);
            assertThat(kernel.commands).as("half a pair is none").isEmpty();
            ready(fixture, 3);
            ready(fixture, 4);
            ready(fixture, 5);
            assertThat(kernel.commands).containsExactly("04000200", "04000200", "04000300");
            assertThat(kernel.enabled).startsWith(true, true, true, true, true, true, false, false, true);
            fixture.device.queueReady(5, false);
            assertThat(kernel.commands).endsWith("04000300", "04000200");
            fixture.device.reset();
            kernel.commands.clear();
            start(fixture, 6);
            assertThat(kernel.commands).containsExactly("04000300");
        }
    }

    @Test
    void besideTheGuestsMemoryTheDeviceWritesOnlyWhatItHasTo() throws Exception {
        FakeKernel kernel = card(2);
        kernel.lastAddress = (1L << 39) - 1;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel, settings(4))) {
            start(fixture, 4);
            long place = ControlQueue.address(fixture.device.offer());
            assertThat(place).isEqualTo((1L << 39) - ControlQueue.BYTES);
            assertThat(kernel.access(0, place)).isEqualTo(Vhost.VHOST_ACCESS_RO);
            assertThat(kernel.access(0, place + PAGE)).isEqualTo(Vhost.VHOST_ACCESS_RW);
            assertThat(fixture.device.deviceFeatures() & Feature.RING_PACKED).isZero();
            assertThatThrownBy(() -> fixture.memory(RAM, 256, place, 1))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("lies where the device's control queue is");
        }
    }

    @Test
    void aSpaceOfItsOwnIsOutOfTheGuestsReach() throws Exception {
        FakeKernel kernel = apart(2);
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel, settings(4))) {
            assertThat(fixture.device.deviceFeatures() & Feature.RING_PACKED).isNotZero();
            start(fixture, 4);
            assertThat(kernel.groupAddressSpaces).isEqualTo(Map.of(0, 0, 1, 1));
            assertThat(kernel.commands).containsExactly("04000200");
            long place = ControlQueue.address(fixture.device.offer());
            assertThat(kernel.access(0, place)).isZero();
            fixture.memory(RAM, 256, place, 1);
            assertThat(kernel.access(0, place)).isEqualTo(Vhost.VHOST_ACCESS_RW);
        }
    }

    /** A group that the control queue shares with others cannot have a space of its own. */
    @Test
    void aSharedGroupStaysWhereTheGuestsMemoryIs() throws Exception {
        FakeKernel kernel = apart(2);
        kernel.groups = List.of(0, 0, 0, 1, 1);
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel, settings(4))) {
            start(fixture, 4);
            assertThat(kernel.groupAddressSpaces).isEqualTo(Map.of(0, 0, 1, 0));
            assertThat(kernel.commands).containsExactly("04000200");
        }
    }

    @Test
    void aDeviceThatForgetsItsMappingsIsGivenThemAgain() throws Exception {
        FakeKernel kernel = card(2);
        kernel.backendFeatures = FakeKernel.BACKEND_PCI & ~(1L << Vhost.VHOST_BACKEND_F_IOTLB_PERSIST);
        kernel.tellsStates = false;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel, settings(4))) {
            start(fixture, 4);
            fixture.device.reset();
            assertThat(kernel.access(0, ControlQueue.address(fixture.device.offer())))
                    .isZero();
            start(fixture, 4);
            assertThat(kernel.commands).containsExactly("04000200", "04000200");
        }
    }

    @Test
    void aRefusalEndsTheStart() throws Exception {
        FakeKernel kernel = card(2);
        kernel.controlAnswer = command -> 1;
        try (VhostVdpaFixture fixture = new VhostVdpaFixture(kernel, settings(4))) {
            assertThatThrownBy(() -> start(fixture, 4))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("refuses 2 pairs of queues: its control queue answered 1");
            assertThat(kernel.status).isZero();
            kernel.controlAnswer = command -> 0;
            fixture.device.reset();
            start(fixture, 4);
            assertThat(fixture.device.status()).isEqualTo(AGREED | DeviceStatus.DRIVER_OK);
        }
    }

    @Test
    void aDeviceThatSaysNothingIsNotWaitedForForever() throws Exception {
        FakeKernel kernel = card(2);
        kernel.controlAnswer = command -> -1;
        try (VhostVdpaLink link = new VhostVdpaLink(kernel, VhostVdpaFixture.PATH)) {
            VhostVdpaOffer offer = VhostVdpaOffer.discover(link);
            link.features(TAKEN | NetConfig.F_CTRL_VQ);
            try (ControlQueue queue = new ControlQueue("card", link, offer, Duration.ofMillis(50))) {
                queue.setUp(TAKEN | NetConfig.F_CTRL_VQ);
                link.status(AGREED | DeviceStatus.DRIVER_OK);
                queue.begin();
                assertThatThrownBy(() -> queue.queuePairs(2))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("did not answer to 2 pairs of queues within 50 ms");
            }
        }
    }
}
