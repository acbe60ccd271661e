package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VdpaBusTest {
    @TempDir
    private Path folder;

    @Test
    void withoutVdpaInTheKernelThereIsNoDevice() throws IOException {
        VdpaBus bus = VdpaBus.in(folder.resolve("none"));
        assertThat(bus.devices()).isEmpty();
        assertThat(bus.driver("vdpa0")).isEmpty();
    }

    @Test
    void tellsDevicesAndTheirDrivers() throws IOException {
        Path driver = Files.createDirectories(folder.resolve("drivers/vhost_vdpa"));
        Path first = Files.createDirectories(folder.resolve("devices/vdpa1"));
        Path _ = Files.createDirectories(folder.resolve("devices/vdpa0"));
        Path _ = Files.createSymbolicLink(first.resolve("driver"), driver);
        VdpaBus bus = VdpaBus.in(folder);
        assertThat(bus.devices()).containsExactly("vdpa0", "vdpa1");
        assertThat(bus.driver("vdpa0")).isEmpty();
        assertThat(bus.driver("vdpa1")).contains("vhost_vdpa");
        assertThat(bus.driver("vdpa2")).isEmpty();
    }
}
