package io.fairlead.vdpa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RegistryTest {
    private final List<String> closed = new ArrayList<>();

    /** A management device whose devices know their name and how to close. */
    private final class Named implements ManagementDevice {
        @Override
        public String name() {
            return "soft";
        }

        @Override
        public Set<Integer> deviceIds() {
            return Set.of(2);
        }

        @Override
        public VdpaDevice add(String name, int deviceId, Map<String, String> attributes) throws IOException {
            if (attributes.containsKey("fail")) {
                throw new IOException("the host refuses " + name);
            }
            return (VdpaDevice) Proxy.newProxyInstance(
                    VdpaDevice.class.getClassLoader(),
                    new Class<?>[] {VdpaDevice.class},
                    (self, method, arguments) -> switch (method.getName()) {
                        case "name" -> name;
                        case "close" -> {
                            closed.add(name);
                            if (name.startsWith("broken")) {
                                throw new IOException(name + " does not close");
                            }
                            yield null;
                        }
                        default -> throw new UnsupportedOperationException(method.getName());
                    });
        }
    }

    @Test
    void removingLetsTheManagementDeviceDelete() throws Exception {
        List<String> deleted = new ArrayList<>();
        ManagementDevice keeping = new ManagementDevice() {
            @Override
            public String name() {
                return "keeping";
            }

            @Override
            public Set<Integer> deviceIds() {
                return Set.of(2);
            }

            @Override
            public VdpaDevice add(String name, int deviceId, Map<String, String> attributes) throws IOException {
                return new Named().add(name, deviceId, attributes);
            }

            @Override
            public void delete(VdpaDevice device) throws IOException {
                device.close();
                deleted.add(device.name());
            }
        };
        assertThat(keeping.maxQueues()).isEmpty();
        assertThat(keeping.supportedFeatures()).isEmpty();
        try (Registry registry = new Registry()) {
            registry.register(keeping);
            registry.add("keeping", "a", 2, Map.of());
            registry.add("keeping", "b", 2, Map.of());
            registry.remove("a");
        }
        assertThat(closed).containsExactly("a", "b");
        assertThat(deleted).containsExactly("a");
    }

    private Registry registry() {
        Registry registry = new Registry();
        registry.register(new Named());
        return registry;
    }

    @Test
    void devicesAreFoundByNameAndRemoved() throws Exception {
        try (Registry registry = registry()) {
            VdpaDevice device = registry.add("soft", "disk0", 2, Map.of());
            assertThat(registry.find("disk0")).hasValueSatisfying(entry -> {
                assertThat(entry.device()).isSameAs(device);
                assertThat(entry.managementDevice().name()).isEqualTo("soft");
            });
            registry.remove("disk0");
            assertThat(closed).containsExactly("disk0");
            assertThat(registry.find("disk0")).isEmpty();
            assertThatThrownBy(() -> registry.remove("disk0")).hasMessageContaining("disk0 does not exist");
        }
    }

    @Test
    void mistakesNameTheObjectAndTheRemedy() throws Exception {
        try (Registry registry = registry()) {
            registry.add("soft", "disk0", 2, Map.of());
            assertThatThrownBy(() -> registry.add("soft", "disk0", 2, Map.of())).hasMessageContaining("disk0 exists");
            assertThatThrownBy(() -> registry.add("hard", "disk1", 2, Map.of()))
                    .hasMessageContaining("there are: soft");
            assertThatThrownBy(() -> registry.add("soft", "disk1", 1, Map.of())).hasMessageContaining("virtio id 1");
            assertThatThrownBy(() -> registry.add("soft", " ", 2, Map.of())).hasMessageContaining("needs a name");
            assertThatThrownBy(() -> registry.register(new Named())).hasMessageContaining("soft exists");
            assertThatThrownBy(() -> registry.add("soft", "disk1", 2, Map.of("fail", "")))
                    .isInstanceOf(IOException.class);
            assertThat(registry.devices()).hasSize(1);
        }
    }

    @Test
    void closingClosesAllYoungestFirstWhateverFails() throws Exception {
        Registry registry = registry();
        registry.add("soft", "a", 2, Map.of());
        registry.add("soft", "broken1", 2, Map.of());
        registry.add("soft", "broken2", 2, Map.of());
        assertThatThrownBy(registry::close)
                .hasMessageContaining("broken2")
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
        assertThat(closed).containsExactly("broken2", "broken1", "a");
        assertThat(registry.devices()).isEmpty();
    }
}
