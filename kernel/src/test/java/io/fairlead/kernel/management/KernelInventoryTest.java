package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelInventoryTest {
    @TempDir
    private Path folder;

    @Test
    void itHasWhatTheKernelHasAtThatMoment() throws IOException {
        FakeKernel kernel = new FakeKernel();
        FakeSys sys = new FakeSys(folder);
        kernel.answer(
                VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                FakeKernel.managementDevice("pci", "0000:00:05.0", 1L << 2 | 1L << 26));
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, FakeKernel.device("blk0", 2));
        KernelInventory inventory = new KernelInventory(kernel.family(), sys.vdpaBus());
        assertThat(inventory.managementDevices())
                .hasEntrySatisfying(
                        "pci/0000:00:05.0",
                        fields -> assertThat(fields)
                                .containsEntry("supported_classes", List.of("block", "fs"))
                                .containsKey("dev_features"));
        sys.device("blk0");
        assertThat(one(inventory))
                .containsEntry("type", "block")
                .containsEntry("stable_name", "blk-blk0")
                .containsEntry("driver", "none")
                .doesNotContainKey("node");
        sys.driver(VdpaBus.VHOST_VDPA);
        sys.bound("blk0", VdpaBus.VHOST_VDPA);
        Files.createDirectory(sys.bus.resolve("devices/blk0/vhost-vdpa-4"));
        assertThat(one(inventory))
                .containsEntry("driver", "vhost_vdpa")
                .hasEntrySatisfying("node", node -> assertThat(node.toString()).endsWith("/vhost-vdpa-4"));
    }

    private static Map<String, Object> one(KernelInventory inventory) throws IOException {
        SequencedMap<String, Map<String, Object>> devices = inventory.devices();
        assertThat(devices).containsOnlyKeys("blk0");
        return devices.firstEntry().getValue();
    }
}
