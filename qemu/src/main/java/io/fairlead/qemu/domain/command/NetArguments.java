package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.Options;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.NetworkInterface.Source;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Network cards. */
final class NetArguments {
    private NetArguments() {}

    static void add(Arguments out, NetworkInterface nic) throws DomainException {
        String id = Arguments.id(nic);
        switch (nic.source()) {
            case Source.User() -> {
                out.json("-netdev", Map.of("type", "user", "id", "net-" + id));
                card(out, nic);
            }
            case Source.Bridge _, Source.Ethernet() -> {
                Map<String, Object> tap = new LinkedHashMap<>();
                tap.put("type", "tap");
                tap.put("id", "net-" + id);
                tap.put("ifname", out.host().tap(id, nic));
                tap.put("script", "no");
                tap.put("downscript", "no");
                if (nic.queues() > 1) {
                    tap.put("queues", nic.queues());
                }
                out.json("-netdev", tap);
                card(out, nic);
            }
            case Source.VhostUser(String socket, boolean server, int seconds) -> {
                if (server) {
                    listen(out, nic, socket);
                } else {
                    VhostUserDevice device =
                            VhostUserDevice.net(id, Path.of(socket)).withReconnectMillis(seconds * 1000);
                    VdpaArguments.host(out, nic, new VdpaAttachment.Shared(withProperties(device, nic)));
                }
            }
            case Source.Vdpa(var source) -> VdpaArguments.nic(out, nic, source);
            case Source.GenericVdpa(var source) -> VdpaArguments.nic(out, nic, source);
        }
    }

    /** QEMU listens, as other switches want it. */
    private static void listen(Arguments out, NetworkInterface nic, String socket) throws DomainException {
        String id = Arguments.id(nic);
        out.chardev("socket", "char-" + id, "path=" + Options.escape(socket), "server=on");
        Map<String, Object> netdev = new LinkedHashMap<>();
        netdev.put("type", "vhost-user");
        netdev.put("id", "net-" + id);
        netdev.put("chardev", "char-" + id);
        netdev.put("queues", Math.max(1, nic.queues()));
        out.json("-netdev", netdev);
        card(out, nic);
    }

    private static VhostUserDevice withProperties(VhostUserDevice device, NetworkInterface nic) {
        VhostUserDevice changed = nic.queues() > 1 ? device.withQueuePairs(nic.queues()) : device;
        for (Map.Entry<String, String> property : properties(nic).entrySet()) {
            changed = changed.with(property.getKey(), property.getValue());
        }
        return changed;
    }

    /** What the card tells the guest. */
    static Map<String, String> properties(NetworkInterface nic) {
        Map<String, String> properties = new LinkedHashMap<>();
        if (nic.mac() != null) {
            properties.put("mac", nic.mac());
        }
        if (nic.mtu() > 0 && nic.model().startsWith("virtio")) {
            properties.put("host_mtu", Integer.toString(nic.mtu()));
        }
        return properties;
    }

    private static void card(Arguments out, NetworkInterface nic) throws DomainException {
        boolean virtio = nic.model().startsWith("virtio");
        Map<String, Object> device = out.device(virtio ? "virtio-net-pci" : nic.model(), nic);
        device.put("netdev", "net-" + Arguments.id(nic));
        device.putAll(Options.typed(properties(nic)));
        if (virtio && nic.queues() > 1) {
            device.put("mq", true);
            device.put("vectors", 2 * nic.queues() + 2);
        }
        out.json("-device", device);
    }
}
