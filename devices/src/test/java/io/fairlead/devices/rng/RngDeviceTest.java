package io.fairlead.devices.rng;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.base.HostileRequests;
import io.fairlead.devices.base.RingSettings;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RngDeviceTest {
    private static final long DATA = Guest.RING_BYTES;
    private static final RngType TYPE = new RngType();

    /** One request; returns how many bytes came. */
    private static int fill(Guest guest, int byteCount) throws Exception {
        DriverQueue queue = guest.queue(0);
        int half = byteCount / 2;
        assertThat(queue.add(
                        new long[] {Guest.BASE + DATA, Guest.BASE + DATA + half},
                        new int[] {half, byteCount - half},
                        0,
                        2,
                        1))
                .isTrue();
        guest.publish(0);
        Guest.awaitAnswer(queue);
        return (int) queue.writtenBytes();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void fillsBuffersAndNeverTwiceAlike(boolean packed) throws Exception {
        long features = Feature.VERSION_1 | (packed ? Feature.RING_PACKED : 0);
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice device = TYPE.create("rng0", Map.of(), loops);
                Guest guest = new Guest(device, 1 << 20, 64, 0)) {
            guest.start(features);
            Set<String> seen = new HashSet<>();
            for (int i = 0; i < 100; i++) {
                assertThat(fill(guest, 64)).isEqualTo(64);
                byte[] bytes = guest.memory().asSlice(DATA, 64).toArray(ValueLayout.JAVA_BYTE);
                assertThat(seen.add(Arrays.toString(bytes))).isTrue();
            }
            assertThat(fill(guest, 100_000)).isEqualTo(RngDevice.MAX_ANSWER_BYTES);
            assertThat(device.statistics().total().readBytes()).isEqualTo(6400 + RngDevice.MAX_ANSWER_BYTES);
        }
    }

    @Test
    void survivesTenThousandMalformedRequestsAndLeaksNothing() throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice device = TYPE.create("rng0", Map.of(), loops)) {
            HostileRequests.Form form = new HostileRequests.Form(HostileRequests.Form.NOTHING, 1);
            HostileRequests.Counts counts =
                    HostileRequests.send(device, 0, Feature.VERSION_1, 10_000, 11, form, HostileRequests::noise);
            assertThat(counts.answered()).isPositive();
            assertThat(counts.resets()).isPositive();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }

    @Test
    void takesTheRingsAttributesAndNoOthers() throws Exception {
        RingSettings settings = RngType.settings(Map.of("queue-size", "128", "features", "0x100000000"));
        assertThat(settings).isEqualTo(new RingSettings(128, Feature.VERSION_1));
        assertThatThrownBy(() -> RngType.settings(Map.of("colour", "red")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("colour", "queue-size");
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice device = TYPE.create("rng0", Map.of("queue-size", "32"), loops)) {
            DeviceProfile profile = DeviceProfile.of(device);
            assertThat(RngType.settings(TYPE.attributesLike(profile)))
                    .isEqualTo(new RingSettings(32, profile.deviceFeatures()));
        }
    }
}
