package io.fairlead.systemtests;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.kernel.management.DeviceAttributes;
import io.fairlead.kernel.management.ManagementDeviceName;
import io.fairlead.kernel.management.PciFunction;
import io.fairlead.kernel.management.VdpaBus;
import io.fairlead.kernel.management.VdpaFamily;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Whose a host's network card is, in an L1 host. All have one pair of queues and the same address.
 *
 * @param label in tables
 * @param loops whether what is sent to all comes back and nothing else does, as the simulator does it
 * @param features that such a card may have; of both cards of a pair those of both are used
 */
record NetKind(String label, boolean loops, long features, Maker maker) {
    static final String MAC = "52:54:00:00:00:71";

    private static final long ALL_HAVE = Feature.VERSION_1 | NetConfig.F_MAC | NetConfig.F_STATUS;
    private static final long MOST_HAVE = ALL_HAVE | NetConfig.F_MRG_RXBUF | Feature.INDIRECT_DESC | Feature.EVENT_IDX;

    /** Says how a card is made, as attributes of {@code --device}; what goes with it is to be closed after it. */
    private interface Maker {
        Map<String, String> attributes(HostPlace place) throws IOException;
    }

    /** At a TAP interface of the host's, {@code tap-} and the host's name. */
    static NetKind fairlead() {
        return new NetKind("Fairlead", false, MOST_HAVE, place -> Map.of("tap", "tap-" + place.host()));
    }

    static NetKind simulator() {
        return new NetKind("vdpa_sim_net", true, ALL_HAVE, place -> kernel("vdpasim_net", Map.of("mac", MAC), place));
    }

    /** A virtio PCI function, which has the address already. */
    static NetKind virtioPci(String address) {
        return new NetKind("vp_vdpa", false, MOST_HAVE, place -> {
            PciFunction.ofHost(address).bind(PciFunction.VP_VDPA, false);
            return kernel("pci/" + address, Map.of(), place);
        });
    }

    private static Map<String, String> kernel(String managementDevice, Map<String, String> attributes, HostPlace place)
            throws IOException {
        String name = "card-" + place.host();
        VdpaFamily family = VdpaFamily.open();
        place.parts().add(family::close);
        family.add(name, ManagementDeviceName.parse(managementDevice), DeviceAttributes.parse(attributes));
        place.parts().add(() -> family.delete(name));
        VdpaBus bus = VdpaBus.ofHost();
        bus.bind(name, VdpaBus.VHOST_VDPA);
        Path file = bus.characterDevice(name).orElseThrow(() -> new IOException(name + " has no character device"));
        return Map.of("vhost-vdpa", file.toString());
    }

    /** The card of a host. */
    private HostKind card(long offered) {
        return new HostKind() {
            @Override
            public HostDevice make(HostPlace place) throws IOException {
                Map<String, String> attributes = new HashMap<>(maker.attributes(place));
                attributes.put("mac", MAC);
                attributes.put("features", "0x%x".formatted(offered));
                ServedDevices served = new ServedDevices(1);
                place.parts().add(served::close);
                VdpaDevice device = served.create(VendorHost.DEVICE, DeviceId.NET, attributes);
                return device instanceof RelayDevice relay
                        ? new HostDevice(device, null, relay)
                        : new HostDevice(device, device, null);
            }

            @Override
            public VhostUserDevice model(Path socket) {
                return VhostUserDevice.net(VendorHost.DEVICE, socket).with("mac", MAC);
            }

            @Override
            public String toString() {
                return label;
            }
        };
    }

    /** The cards of two hosts between which a machine can move. */
    static List<HostKind> cards(NetKind here, NetKind there) {
        long offered = here.features & there.features;
        List<HostKind> cards = new ArrayList<>();
        cards.add(here.card(offered));
        cards.add(there.card(offered));
        return cards;
    }

    @Override
    public String toString() {
        return label;
    }
}
