package io.fairlead.cli;

import io.fairlead.devices.blk.BlkManagement;
import io.fairlead.vdpa.ManagementDevice;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.client.VhostUserManagement;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;

/** Devices of the command line, each at its socket, and what serves them. One thread. */
final class ServedDevices implements AutoCloseable {
    private final EventLoopGroup loops;
    private final Registry registry = new Registry();
    private final BlkManagement software;
    private final VhostUserManagement daemons;
    private final VhostUserServer server;

    /** @param threads that serve queues */
    ServedDevices(int threads) throws IOException {
        loops = new EventLoopGroup(threads);
        try {
            software = new BlkManagement("software", loops);
            daemons = new VhostUserManagement("vhost-user", loops);
            registry.register(software);
            registry.register(daemons);
            server = new VhostUserServer();
        } catch (IOException | RuntimeException e) {
            loops.close();
            throw e;
        }
    }

    /** Creates a device and listens at its socket. */
    VhostUserEndpoint add(DeviceOption option) throws IOException {
        ManagementDevice management = option.attributes().containsKey(VhostUserManagement.BACKEND) ? daemons : software;
        VdpaDevice device = registry.add(management.name(), option.name(), option.deviceId(), option.attributes());
        return server.serve(device, option.socket());
    }

    Registry registry() {
        return registry;
    }

    /** Ends all sessions; the devices stay, to be asked for what they served. */
    void stopServing() throws IOException {
        server.close();
    }

    @Override
    public void close() throws IOException {
        // In this order, whatever fails: front-ends let go of devices, devices of their loops.
        try (loops;
                registry) {
            server.close();
        }
    }
}
