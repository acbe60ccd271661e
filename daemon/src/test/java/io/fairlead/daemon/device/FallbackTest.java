package io.fairlead.daemon.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.relay.Substitute;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FallbackTest {
    @Test
    void attributesAreDealtOut() {
        Fallback plain = Fallback.of(Map.of("vhost-vdpa", "/dev/vhost-vdpa-0", "queues", "1"));
        assertThat(plain.kind()).isEqualTo(Fallback.Kind.ERRORS);
        assertThat(plain.device()).containsOnlyKeys("vhost-vdpa", "queues");
        Fallback software = Fallback.of(Map.of("vhost-vdpa", "x", "fallback-path", "/data", "fallback-queues", "2"));
        assertThat(software.kind()).isEqualTo(Fallback.Kind.SOFTWARE);
        assertThat(software.software()).isEqualTo(Map.of("path", "/data", "queues", "2"));
        assertThat(software.device()).containsOnlyKeys("vhost-vdpa");
        assertThat(Fallback.of(Map.of("fallback", "none")).kind()).isEqualTo(Fallback.Kind.NONE);
        assertThat(Fallback.of(Map.of("fallback", "software")).kind()).isEqualTo(Fallback.Kind.SOFTWARE);
    }

    @Test
    void whatIsWrongIsNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Fallback.of(Map.of("fallback", "hope")))
                .withMessageContaining("errors, software or none, not hope");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Fallback.of(Map.of("fallback", "errors", "fallback-path", "/data")))
                .withMessageContaining("fallback-path: it is for fallback=software");
    }

    @Test
    void aSoftwareDeviceHasToFit(@TempDir Path folder) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        Path large = Files.write(folder.resolve("large.img"), new byte[2 << 20]);
        Path small = Files.write(folder.resolve("small.img"), new byte[1 << 20]);
        try (EventLoopGroup loops = new EventLoopGroup(1)) {
            SoftwareManagement software = new SoftwareManagement("software", loops);
            try (VdpaDevice disk =
                    software.add("disk0", DeviceId.BLOCK, Map.of("path", large.toString(), "locked", "off"))) {
                Fallback fits = Fallback.of(Map.of("fallback-path", large.toString(), "fallback-locked", "off"));
                Substitute substitute = Objects.requireNonNull(fits.substitute(disk, software, loops));
                assertThat(substitute.features() & Feature.VERSION_1).isNotZero();
                try (VdpaDevice made = substitute.make(disk)) {
                    assertThat(made.queueCount()).isEqualTo(disk.queueCount());
                    assertThat(made.deviceFeatures()).isEqualTo(substitute.features());
                }
                Fallback tooSmall = Fallback.of(Map.of("fallback-path", small.toString()));
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> tooSmall.substitute(disk, software, loops))
                        .withMessageContainingAll("disk0 cannot go on as software", "capacity");
                try (VdpaDevice errors = Objects.requireNonNull(
                                Fallback.of(Map.of()).substitute(disk, software, loops))
                        .make(disk)) {
                    assertThat(errors.deviceId()).isEqualTo(DeviceId.BLOCK);
                }
                assertThat(Fallback.of(Map.of("fallback", "none")).substitute(disk, software, loops))
                        .isNull();
            }
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
    }
}
