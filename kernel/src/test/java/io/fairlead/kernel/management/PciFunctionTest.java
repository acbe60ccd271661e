package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PciFunctionTest {
    private static final String ADDRESS = "0000:00:05.0";

    @TempDir
    private Path folder;

    private FakeSys sys;
    private Path device;

    @BeforeEach
    void aVirtioDiskAndAnotherCard() throws IOException {
        sys = new FakeSys(folder);
        device = sys.device(ADDRESS);
        Files.writeString(device.resolve("vendor"), "0x1af4\n");
        Files.writeString(device.resolve("device"), "0x1042\n");
        Path other = sys.device("0000:00:1f.2");
        Files.writeString(other.resolve("vendor"), "0x8086\n");
        Files.writeString(other.resolve("device"), "0x2922\n");
        Files.createDirectory(other.resolve("iommu_group"));
        sys.driver("virtio-pci");
        sys.bound(ADDRESS, "virtio-pci");
    }

    private PciFunction function(String address) throws IOException {
        return PciFunction.in(sys.bus, sys.dev, sys.proc, address);
    }

    @Test
    void addressesComeInSeveralForms() throws IOException {
        for (String address : new String[] {ADDRESS, "00:05.0", "pci/0000:00:05.0"}) {
            assertThat(function(address).address()).isEqualTo(ADDRESS);
        }
        assertThat(function("00:1F.2").address()).isEqualTo("0000:00:1f.2");
        assertThat(function(ADDRESS).driver()).contains("virtio-pci");
        for (String address : new String[] {"", "5", "0000:00:05.8", "../..", "0000:00:05.0/x", "pci/"}) {
            assertThatThrownBy(() -> function(address)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> function("00:06.0"))
                .hasMessage("PCI function 0000:00:06.0 does not exist; virtio functions here: 0000:00:05.0");
    }

    @Test
    void vpVdpaTakesVirtioFunctionsOnly() {
        assertThatThrownBy(() -> function("00:1f.2").bind(PciFunction.VP_VDPA, false))
                .hasMessage("PCI function 0000:00:1f.2 is no virtio function: vp-vdpa takes only those (here:"
                        + " 0000:00:05.0)");
    }

    @Test
    void withoutIommuOnlyWhereThatIsWanted() throws IOException {
        assertThat(function(ADDRESS).hasIommu()).isFalse();
        assertThatThrownBy(() -> function(ADDRESS).bind(PciFunction.VP_VDPA, false))
                .hasMessageContaining("is behind no IOMMU")
                .hasMessageContaining("intel_iommu=on");
        assertThatThrownBy(() -> function(ADDRESS).bind(PciFunction.VP_VDPA, true))
                .hasMessageContaining("the driver vp-vdpa is not loaded; load it: modprobe vp_vdpa");
    }

    @Test
    void aFunctionInUseStaysWhereItIs() throws IOException {
        Files.createDirectory(device.resolve("iommu_group"));
        sys.driver(PciFunction.VP_VDPA);
        Path net = sys.child(ADDRESS, "virtio0/net/ens5", "net");
        Files.writeString(net.resolve("flags"), "0x1003\n");
        assertThatThrownBy(() -> function(ADDRESS).bind(PciFunction.VP_VDPA, false))
                .hasMessage("PCI function 0000:00:05.0 is in use: the network interface ens5 is up (ip link set ens5"
                        + " down); stop who uses it first");
        assertThatThrownBy(() -> function(ADDRESS).release()).hasMessageContaining("ens5 is up");
        assertThat(sys.bus.resolve("drivers/virtio-pci/unbind")).isEmptyFile();
    }

    @Test
    void bindsByNameOfTheDriver() throws IOException {
        Files.createDirectory(device.resolve("iommu_group"));
        Path driver = sys.driver(PciFunction.VP_VDPA);
        // Nobody acts on what is written here.
        assertThatThrownBy(() -> function(ADDRESS).bind(PciFunction.VP_VDPA, false))
                .hasMessageContaining("did not take it");
        assertThat(sys.bus.resolve("drivers/virtio-pci/unbind")).hasContent(ADDRESS);
        assertThat(driver.resolve("bind")).hasContent(ADDRESS);
    }

    @Test
    void goesBackToTheDriverThatTakesItByItself() throws IOException {
        assertThat(function(ADDRESS).release()).isEqualTo("virtio-pci");
        assertThat(sys.bus.resolve("drivers_probe")).hasContent(ADDRESS);
        Files.writeString(sys.bus.resolve("devices/0000:00:1f.2/modalias"), "pci:v00008086d00002922\n");
        assertThatThrownBy(() -> function("00:1f.2").release())
                .hasMessageContaining("has no driver now")
                .hasMessageContaining("modprobe pci:v00008086d00002922");
    }
}
