package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VdpaBusTest {
    @TempDir
    private Path folder;

    private FakeSys sys;
    private VdpaBus bus;

    @BeforeEach
    void twoDevices() throws IOException {
        sys = new FakeSys(folder);
        bus = sys.vdpaBus();
        sys.device("vdpa1");
        sys.device("vdpa0");
        sys.driver(VdpaBus.VHOST_VDPA);
        sys.bound("vdpa1", VdpaBus.VHOST_VDPA);
    }

    @Test
    void withoutVdpaInTheKernelThereIsNoDevice() throws IOException {
        VdpaBus none = VdpaBus.in(folder.resolve("none"), folder, folder);
        assertThat(none.devices()).isEmpty();
        assertThat(none.driver("vdpa0")).isEmpty();
        assertThat(none.characterDevice("vdpa0")).isEmpty();
        assertThatThrownBy(() -> none.uses("vdpa0")).hasMessage("vDPA device vdpa0 does not exist; there is none");
    }

    @Test
    void tellsDevicesAndTheirDrivers() throws IOException {
        assertThat(bus.devices()).containsExactly("vdpa0", "vdpa1");
        assertThat(bus.driver("vdpa0")).isEmpty();
        assertThat(bus.driver("vdpa1")).contains("vhost_vdpa");
        assertThat(bus.driver("vdpa2")).isEmpty();
    }

    @Test
    void findsTheCharacterDevice() throws IOException {
        assertThat(bus.characterDevice("vdpa1")).isEmpty();
        Files.createDirectory(sys.bus.resolve("devices/vdpa1/vhost-vdpa-7"));
        assertThat(bus.characterDevice("vdpa1")).contains(sys.dev.resolve("vhost-vdpa-7"));
    }

    @Test
    void whoeverHasTheCharacterDeviceOpenIsTold() throws IOException {
        Files.createDirectory(sys.bus.resolve("devices/vdpa1/vhost-vdpa-7"));
        sys.open(12, "qemu-system-x86", "/dev/vhost-vdpa-70");
        assertThat(bus.uses("vdpa1")).isEmpty();
        sys.open(13, "qemu-system-x86", "/dev/vhost-vdpa-7");
        sys.open(14, "evil\u001b[2J", "/somewhere/dev/vhost-vdpa-7");
        assertThat(bus.uses("vdpa1"))
                .containsExactly(
                        sys.dev + "/vhost-vdpa-7 is open by process 13 (qemu-system-x86)",
                        sys.dev + "/vhost-vdpa-7 is open by process 14 (evil?[2J)");
        assertThatThrownBy(() -> bus.unbind("vdpa1"))
                .hasMessageStartingWith("vDPA device vdpa1 is in use, cannot unbind it: ")
                .hasMessageContaining("13 (qemu-system-x86)");
        assertThat(sys.bus.resolve("drivers/vhost_vdpa/unbind")).isEmptyFile();
    }

    @Test
    void interfacesThatAreUpAreUses() throws IOException {
        Path net = sys.child("vdpa0", "virtio3/net/eth0", "net");
        Files.writeString(net.resolve("flags"), "0x1002\n");
        assertThat(bus.uses("vdpa0")).isEmpty();
        Files.writeString(net.resolve("flags"), "0x1003\n");
        assertThat(bus.uses("vdpa0")).containsExactly("the network interface eth0 is up (ip link set eth0 down)");
    }

    @Test
    void disksThatNobodyHoldsAreNoUse() throws IOException {
        Path disk = sys.child("vdpa0", "virtio3/block/vda", "block");
        Files.writeString(disk.resolve("dev"), "254:0\n");
        assertThat(bus.uses("vdpa0")).isEmpty();
        Files.createFile(sys.dev.resolve("vda"));
        assertThat(bus.uses("vdpa0")).isEmpty();
    }

    @Test
    void aDriverThatIsNotLoadedIsToBeLoaded() {
        assertThatThrownBy(() -> bus.bind("vdpa0", VdpaBus.VIRTIO_VDPA))
                .hasMessageContaining("the driver virtio_vdpa is not loaded; load it: modprobe virtio_vdpa");
        assertThatThrownBy(() -> bus.bind("vdpa0", "e1000"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vhost_vdpa and virtio_vdpa");
        for (String name : new String[] {"vdpa9", "", "..", "a/b", "../../devices/vdpa0"}) {
            assertThatThrownBy(() -> bus.bind(name, VdpaBus.VHOST_VDPA))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("does not exist; there are: vdpa0, vdpa1");
        }
    }

    @Test
    void aDeviceThatTheDriverDoesNotTakeGoesBack() throws IOException {
        sys.driver(VdpaBus.VIRTIO_VDPA);
        // Nobody acts on what is written here: the driver stays.
        assertThatThrownBy(() -> bus.bind("vdpa1", VdpaBus.VIRTIO_VDPA))
                .hasMessage("vDPA device vdpa1: the driver virtio_vdpa did not take it");
        assertThat(sys.bus.resolve("drivers/vhost_vdpa/unbind")).hasContent("vdpa1");
        assertThat(sys.bus.resolve("drivers/virtio_vdpa/bind")).hasContent("vdpa1");
        assertThat(sys.bus.resolve("devices/vdpa1/driver_override")).content().startsWith("\n");
        Files.writeString(sys.bus.resolve("devices/vdpa1/driver_override"), "vhost_vdpa\n");
        assertThatThrownBy(() -> bus.bind("vdpa1", VdpaBus.VIRTIO_VDPA)).hasMessageContaining("did not take it");
        assertThat(sys.bus.resolve("devices/vdpa1/driver_override")).content().startsWith("vhost_vdpa");
    }

    @Test
    void aDeviceThatTheDriverHasStaysAsItIs() throws IOException {
        Files.createDirectory(sys.bus.resolve("devices/vdpa1/vhost-vdpa-7"));
        sys.open(13, "qemu-system-x86", "/dev/vhost-vdpa-7");
        bus.bind("vdpa1", VdpaBus.VHOST_VDPA);
        assertThat(sys.bus.resolve("drivers/vhost_vdpa/bind")).isEmptyFile();
    }

    @Test
    void takesADeviceFromItsDriver() throws IOException {
        bus.unbind("vdpa1");
        assertThat(sys.bus.resolve("drivers/vhost_vdpa/unbind")).hasContent("vdpa1");
        bus.unbind("vdpa0");
        assertThat(sys.bus.resolve("drivers/vhost_vdpa/unbind")).hasContent("vdpa1");
    }
}
