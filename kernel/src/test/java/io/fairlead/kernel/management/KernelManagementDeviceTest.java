package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's management devices in the registry, beside Fairlead's own. */
class KernelManagementDeviceTest {
    @TempDir
    private Path folder;

    private final FakeKernel kernel = new FakeKernel();
    private final List<String> events = new ArrayList<>();
    private final Registry registry = new Registry();
    private FakeSys sys;

    @BeforeEach
    void oneManagementDevice() throws IOException {
        sys = new FakeSys(folder);
        kernel.answer(
                VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                FakeKernel.managementDevice("", "vdpasim_blk", 1L << 2 | 1L << 1));
        kernel.answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, FakeKernel.device("blk0", 2));
        sys.device("blk0");
        sys.driver(VdpaBus.VHOST_VDPA);
        sys.bound("blk0", VdpaBus.VHOST_VDPA);
        for (KernelManagementDevice device : KernelManagementDevice.all(kernel.family(), sys.vdpaBus(), this::open)) {
            registry.register(device);
        }
    }

    private VdpaDevice open(DeviceInfo info, Path node) {
        events.add("open " + node.getFileName());
        return (VdpaDevice) Proxy.newProxyInstance(
                VdpaDevice.class.getClassLoader(),
                new Class<?>[] {VdpaDevice.class},
                (self, method, arguments) -> switch (method.getName()) {
                    case "name" -> info.name();
                    case "close" -> {
                        events.add("close");
                        yield null;
                    }
                    default -> throw new UnsupportedOperationException(method.getName());
                });
    }

    private List<Integer> changes() {
        return kernel.asked.stream()
                .map(FakeKernel.Asked::command)
                .filter(command -> command == VdpaUapi.VDPA_CMD_DEV_NEW || command == VdpaUapi.VDPA_CMD_DEV_DEL)
                .toList();
    }

    @Test
    void devicesAreAddedOpenedAndDeleted() throws IOException {
        assertThat(registry.managementDevices().getFirst()).satisfies(device -> {
            assertThat(device.name()).isEqualTo("vdpasim_blk");
            assertThat(device.deviceIds()).containsExactlyInAnyOrder(1, 2);
            assertThat(device.maxQueues()).hasValue(3);
            assertThat(device.supportedFeatures()).hasValue(0x3_0002_0228L);
        });
        Files.createDirectory(sys.bus.resolve("devices/blk0/vhost-vdpa-0"));
        assertThat(registry.add("vdpasim_blk", "blk0", 2, Map.of()).name()).isEqualTo("blk0");
        assertThat(events).containsExactly("open vhost-vdpa-0");
        registry.remove("blk0");
        assertThat(events).containsExactly("open vhost-vdpa-0", "close");
        assertThat(changes()).containsExactly(VdpaUapi.VDPA_CMD_DEV_NEW, VdpaUapi.VDPA_CMD_DEV_DEL);
    }

    @Test
    void theyOutliveTheProcess() throws IOException {
        Files.createDirectory(sys.bus.resolve("devices/blk0/vhost-vdpa-0"));
        registry.add("vdpasim_blk", "blk0", 2, Map.of());
        registry.close();
        assertThat(events).containsExactly("open vhost-vdpa-0", "close");
        assertThat(changes()).containsExactly(VdpaUapi.VDPA_CMD_DEV_NEW);
    }

    @Test
    void aDeviceThatAnotherHasOpenIsNotDeleted() throws IOException {
        Files.createDirectory(sys.bus.resolve("devices/blk0/vhost-vdpa-0"));
        registry.add("vdpasim_blk", "blk0", 2, Map.of());
        sys.open(99, "qemu", "/dev/vhost-vdpa-0");
        assertThatThrownBy(() -> registry.remove("blk0")).hasMessageContaining("open by process 99 (qemu)");
        assertThat(changes()).containsExactly(VdpaUapi.VDPA_CMD_DEV_NEW);
    }

    @Test
    void whatCannotBeUsedIsDeletedAgain() {
        assertThatThrownBy(() -> registry.add("vdpasim_blk", "blk0", 2, Map.of()))
                .hasMessage("vDPA device blk0 has no character device");
        assertThatThrownBy(() -> registry.add("vdpasim_blk", "blk0", 1, Map.of()))
                .hasMessage("management device vdpasim_blk made blk0 a block device and no net device");
        assertThat(changes())
                .containsExactly(
                        VdpaUapi.VDPA_CMD_DEV_NEW,
                        VdpaUapi.VDPA_CMD_DEV_DEL,
                        VdpaUapi.VDPA_CMD_DEV_NEW,
                        VdpaUapi.VDPA_CMD_DEV_DEL);
        assertThatThrownBy(() -> registry.add("vdpasim_blk", "blk0", 2, Map.of("path", "x")))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
