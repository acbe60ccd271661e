package io.fairlead.daemon.device;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
import io.fairlead.node.DeviceMaker;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.HostInventory;
import io.fairlead.node.NodeDevice;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Provisioner;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.vhostuser.client.VhostUserManagement;
import io.fairlead.vhostuser.server.VhostUserEndpoint;
import io.fairlead.vhostuser.server.VhostUserServer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Devices of one host, each at its socket, and what serves them: Fairlead's own, those of other daemons, and the kernel's.
 * A device that cannot log what it writes has a relay before it, which stands aside until a migration needs it. One thread.
 */
public final class ServedDevices implements DeviceMaker, AutoCloseable {
    /** How long a device that only a reset stops may take to answer what it has. */
    private static final Duration RELAY_DRAIN_DEADLINE = Duration.ofSeconds(10);

    private final EventLoopGroup loops;
    private final boolean ownsLoops;
    private final Registry registry = new Registry();
    private final SoftwareManagement software;
    private final VhostUserManagement daemons;
    private final VhostVdpaManagement kernel;
    private final VhostUserServer server;

    /** @param threads that serve queues */
    public ServedDevices(int threads) throws IOException {
        loops = new EventLoopGroup(threads);
        ownsLoops = true;
        try {
            software = new SoftwareManagement("software", loops);
            daemons = new VhostUserManagement("vhost-user", loops);
            kernel = new VhostVdpaManagement("vhost-vdpa");
            registry.register(software);
            registry.register(daemons);
            registry.register(kernel);
            server = new VhostUserServer();
        } catch (IOException | RuntimeException e) {
            loops.close();
            throw e;
        }
    }

    private ServedDevices(ServedDevices other) throws IOException {
        loops = other.loops;
        ownsLoops = false;
        software = other.software;
        daemons = other.daemons;
        kernel = other.kernel;
        registry.register(software);
        registry.register(daemons);
        registry.register(kernel);
        server = new VhostUserServer();
    }

    /**
     * Devices of another host of this process, by names of their own. They share what serves them, and network devices meet
     * those of this host at switches of the same name. Closed before this one.
     */
    public ServedDevices beside() throws IOException {
        return new ServedDevices(this);
    }

    /**
     * Creates a device and listens at its socket.
     *
     * @param attributes as of {@code --device}; with {@code backend} the device is another daemon's, with {@code vhost-vdpa}
     *     the kernel's
     */
    public VhostUserEndpoint add(String name, int deviceId, Path socket, Map<String, String> attributes)
            throws IOException {
        return server.serve(create(name, deviceId, attributes), socket);
    }

    /** Creates a device that a node serves at a socket, as long as its machine may use it. */
    @Override
    public NodeDevice make(DeviceOption option) throws IOException {
        return new NodeDevice(create(option.name(), option.deviceId(), option.attributes()), server, option.socket());
    }

    @Override
    public void remove(NodeDevice device) throws IOException {
        // A relay is not the registry's.
        try (VdpaDevice _ = device.device()) {
            registry.remove(device.name());
        }
    }

    /**
     * Attributes of a device that shall be like another host's.
     *
     * @param attributes those that a user gave; they stand, whatever the other device has
     * @return all of them
     */
    public Map<String, String> attributesLike(DeviceProfile other, Map<String, String> attributes) {
        Map<String, String> all = new LinkedHashMap<>(attributes);
        management(attributes).attributesLike(other).forEach(all::putIfAbsent);
        return all;
    }

    @Override
    public void change(String name, Map<String, String> attributes, boolean forced) throws IOException {
        Registry.Entry entry = registry.find(name).orElseThrow();
        if (entry.managementDevice() != software) {
            throw new IllegalArgumentException("%s: it is %s, which alone can change it"
                    .formatted(name, entry.managementDevice() == kernel ? "the kernel's" : "another daemon's"));
        }
        software.change(entry.device(), attributes, forced);
    }

    /** What a device that took changes is made of the next time. */
    DeviceOption changed(DeviceOption option, Map<String, String> changes) {
        return new DeviceOption(
                option.name(),
                option.deviceId(),
                option.socket(),
                software.changed(option.deviceId(), option.attributes(), changes));
    }

    @Override
    public void follow(String name, Map<String, String> attributes) throws IOException {
        Registry.Entry entry = registry.find(name).orElseThrow();
        if (entry.managementDevice() == software) {
            software.follow(entry.device(), attributes);
        }
    }

    private Provisioner management(Map<String, String> attributes) {
        if (attributes.containsKey(VhostVdpaManagement.VHOST_VDPA)) {
            return kernel;
        }
        return attributes.containsKey(VhostUserManagement.BACKEND) ? daemons : software;
    }

    /** Creates a device, for the caller to present; closed with this. */
    public VdpaDevice create(String name, int deviceId, Map<String, String> attributes) throws IOException {
        Provisioner management = management(attributes);
        if (management == kernel) {
            return createKernels(name, deviceId, Fallback.of(attributes));
        }
        VdpaDevice device = registry.add(management.name(), name, deviceId, attributes);
        return device.capabilities().contains(VdpaDevice.Capability.DIRTY_LOG)
                ? device
                : new RelayDevice(device, loops, RELAY_DRAIN_DEADLINE);
    }

    private VdpaDevice createKernels(String name, int deviceId, Fallback fallback) throws IOException {
        VdpaDevice device = registry.add(kernel.name(), name, deviceId, fallback.device());
        if (device.capabilities().contains(VdpaDevice.Capability.DIRTY_LOG)) {
            // A relay, and what it does for a device that goes, would stand before the device's own log.
            return device;
        }
        try {
            return new RelayDevice(device, loops, RELAY_DRAIN_DEADLINE, fallback.substitute(device, software, loops));
        } catch (IOException | RuntimeException e) {
            registry.remove(name);
            throw e;
        }
    }

    /** What makes devices, and the devices that there are: of this and of the kernel. */
    public HostInventory inventory() {
        return new Inventory(registry);
    }

    /** The devices, those behind relays themselves. */
    public Registry registry() {
        return registry;
    }

    /** Ends all sessions; the devices stay, to be asked for what they served. */
    public void stopServing() throws IOException {
        server.close();
    }

    @Override
    public void close() throws IOException {
        // In this order, whatever fails: front-ends let go of devices, which relays leave then; devices of their loops.
        try (registry) {
            server.close();
        } finally {
            if (ownsLoops) {
                loops.close();
                kernel.close();
            }
        }
    }
}
