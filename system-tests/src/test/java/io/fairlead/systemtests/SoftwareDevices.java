package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * Software devices of any type, made from attributes and served from within the test's process, each at the socket of its
 * name. Checks at its end that no descriptor and no mapping is left.
 */
final class SoftwareDevices implements AutoCloseable {
    private final long descriptorsBefore = Fd.openCount();
    private final long mappingsBefore = Mapping.openCount();
    private final Path folder;
    private final EventLoopGroup loops;
    private final Registry registry = new Registry();
    private final SoftwareManagement management;
    private final VhostUserServer server;
    private final Map<String, VhostUserEndpoint> endpoints = new HashMap<>();

    /** @param folder where the sockets lie */
    SoftwareDevices(Path folder) throws IOException {
        this.folder = folder;
        loops = new EventLoopGroup(2);
        management = new SoftwareManagement("software", loops);
        registry.register(management);
        server = new VhostUserServer();
    }

    /** @param type as of {@code --device type=} */
    VdpaDevice serve(String name, String type, Map<String, String> attributes) throws IOException {
        VdpaDevice device =
                registry.add(management.name(), name, DeviceId.byName(type).orElseThrow(), attributes);
        endpoints.put(name, server.serve(device, socket(name)));
        return device;
    }

    /** Takes it away from whoever uses it, and closes it. */
    void remove(String name) throws IOException {
        VhostUserEndpoint endpoint = endpoints.remove(name);
        if (endpoint == null) {
            throw new IllegalArgumentException(name);
        }
        endpoint.close();
        registry.remove(name);
    }

    Path socket(String name) {
        return folder.resolve(name + ".sock");
    }

    @Override
    public void close() throws IOException {
        try (loops;
                registry) {
            server.close();
        }
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }
}
