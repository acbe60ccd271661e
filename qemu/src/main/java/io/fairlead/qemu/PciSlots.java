package io.fairlead.qemu;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/** Where a device can be plugged into a running machine. */
final class PciSlots {
    private static final int CLASS_PCI_BRIDGE = 0x0604;

    private PciSlots() {}

    /**
     * A free place.
     *
     * @return the bus; empty where QEMU finds a place by itself
     * @throws IOException where there is none: says how to have some
     */
    static Optional<String> free(Qmp qmp) throws IOException {
        String type = qmp.execute("qom-get", Map.of("path", "/machine", "property", "type"))
                .asString("");
        if (type.startsWith("pc-i440fx")) {
            return Optional.empty();
        }
        List<String> taken = new ArrayList<>();
        for (JsonNode bus : qmp.execute("query-pci")) {
            for (JsonNode device : bus.path("devices")) {
                String id = device.path("qdev_id").asString("");
                if (device.path("class_info").path("class").asInt(0) != CLASS_PCI_BRIDGE || id.isEmpty()) {
                    continue;
                }
                if (device.path("pci_bridge").path("devices").isEmpty()) {
                    return Optional.of(id);
                }
                taken.add(id);
            }
        }
        throw new IOException(
                taken.isEmpty()
                        ? "the machine has no port to plug into: start it with -device pcie-root-port,id=port0,chassis=1"
                                + " (and port1,chassis=2 and so on), one for each device"
                        : "all ports of the machine are taken (%s): unplug a device, or start it with more"
                                .formatted(String.join(", ", taken)));
    }
}
