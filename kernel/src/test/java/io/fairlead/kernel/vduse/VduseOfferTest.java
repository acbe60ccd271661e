package io.fairlead.kernel.vduse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.linux.Fd;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VduseOfferTest {
    @TempDir
    Path folder;

    private final EventLoopGroup loops = new EventLoopGroup(1);
    private final SoftwareManagement management = new SoftwareManagement("software", loops);

    VduseOfferTest() throws IOException {}

    @AfterEach
    void close() {
        loops.close();
    }

    private VdpaDevice disk(String queues) throws IOException {
        Path image = Files.write(folder.resolve("disk.img"), new byte[4096]);
        return management.add("disk", DeviceId.BLOCK, Map.of("path", image.toString(), "queues", queues));
    }

    @Test
    void aDiskIsOfferedWithoutWhatADriverCouldChange() throws IOException {
        try (VdpaDevice disk = disk("3")) {
            VduseOffer offer = VduseOffer.of(disk);
            assertThat(offer.queueCount()).isEqualTo(3);
            assertThat(offer.features() & (Feature.ACCESS_PLATFORM | Feature.VERSION_1 | BlkConfig.F_FLUSH))
                    .isEqualTo(Feature.ACCESS_PLATFORM | Feature.VERSION_1 | BlkConfig.F_FLUSH);
            assertThat(disk.deviceFeatures() & BlkConfig.F_CONFIG_WCE).isNotZero();
            assertThat(offer.features() & (BlkConfig.F_CONFIG_WCE | Feature.RING_RESET))
                    .isZero();
            assertThat(VduseOffer.ofDevice(offer.features()) & ~disk.deviceFeatures())
                    .isZero();
        }
    }

    @Test
    void aNetworkCardIsOfferedWithoutItsControlQueue() throws IOException {
        try (VdpaDevice card = management.add("nic", DeviceId.NET, Map.of("switch", "s"))) {
            VduseOffer offer = VduseOffer.of(card);
            assertThat(offer.queueCount()).isEqualTo(2);
            assertThat(offer.features() & NetConfig.F_MAC).isNotZero();
            assertThat(offer.features()
                            & (NetConfig.F_CTRL_VQ
                                    | NetConfig.F_CTRL_RX
                                    | NetConfig.F_CTRL_MAC_ADDR
                                    | NetConfig.F_GUEST_ANNOUNCE
                                    | NetConfig.F_CTRL_GUEST_OFFLOADS))
                    .isZero();
        }
    }

    @Test
    void whatTheKernelCannotTakeIsRefusedWithAReason() throws IOException {
        try (VdpaDevice rng = management.add("rng", DeviceId.RNG, Map.of());
                VdpaDevice card = management.add("nic", DeviceId.NET, Map.of("switch", "s", "queues", "2"))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> VduseOffer.of(rng))
                    .withMessageContaining("blk, net and fs")
                    .withMessageContaining("socket=");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> VduseOffer.of(card))
                    .withMessageContaining("leave out queues=");
        }
    }

    @Test
    void aRecordIsOfOneDeviceOnly() throws IOException {
        Path path = folder.resolve("sub").resolve("disk.record");
        try (Fd file = FakeKernel.file(1);
                Fd other = FakeKernel.file(1)) {
            try (VdpaDevice disk = disk("1")) {
                assertThatThrownOpening(path, file, disk, "nothing says which requests are in flight");
                VduseRecord record = VduseRecord.create(path, file, disk, VduseOffer.of(disk));
                record.status(15);
                record.suspended(new long[] {0x1234});
                record.close();
                try (VduseRecord again = VduseRecord.open(path, file, disk, VduseOffer.of(disk))) {
                    assertThat(again.status()).isEqualTo(15);
                    assertThat(again.isSuspended()).isTrue();
                    assertThat(again.suspendedState(0)).isEqualTo(0x1234);
                    again.inflight(0).fill((byte) 1);
                    again.reset();
                    assertThat(again.status()).isZero();
                    assertThat(again.isSuspended()).isFalse();
                    assertThat(again.inflight(0).asByteBuffer().getLong()).isZero();
                }
                assertThatThrownOpening(path, other, disk, "is not its record");
            }
            try (VdpaDevice disk = disk("2")) {
                assertThatThrownOpening(path, file, disk, "other properties");
            }
        }
    }

    private static void assertThatThrownOpening(Path path, Fd file, VdpaDevice disk, String message) {
        assertThatThrownBy(() -> VduseRecord.open(path, file, disk, VduseOffer.of(disk)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message);
    }
}
