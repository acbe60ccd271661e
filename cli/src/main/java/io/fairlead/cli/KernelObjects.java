package io.fairlead.cli;

import io.fairlead.kernel.management.DeviceInfo;
import io.fairlead.kernel.management.DeviceNodes;
import io.fairlead.kernel.management.DevicePermissions;
import io.fairlead.kernel.management.StableNames;
import io.fairlead.kernel.management.VdpaBus;
import io.fairlead.kernel.management.VdpaDocument;
import io.fairlead.kernel.management.VdpaFamily;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import tools.jackson.databind.json.JsonMapper;

/** Prints the kernel's vDPA objects, for people or as iproute2's {@code vdpa -j} has them. */
final class KernelObjects {
    private KernelObjects() {}

    /**
     * Prints objects of a kind.
     *
     * @param section the name that JSON has around them
     */
    static <T> void print(
            boolean json,
            String section,
            List<T> objects,
            Function<T, String> name,
            Function<T, Map<String, Object>> document,
            Function<T, String> text) {
        if (json) {
            Map<String, Object> documents = new LinkedHashMap<>();
            objects.forEach(object -> documents.put(name.apply(object), document.apply(object)));
            System.out.println(new JsonMapper().writeValueAsString(Map.of(section, documents)));
        } else {
            objects.forEach(object -> System.out.println(text.apply(object)));
        }
    }

    /** Prints devices; people also get to see which bus driver has each, its character device and its stable name. */
    static void printDevices(boolean json, VdpaFamily family, List<DeviceInfo> devices) throws IOException {
        Map<String, String> places = new LinkedHashMap<>();
        if (!json) {
            VdpaBus bus = VdpaBus.ofHost();
            for (Map.Entry<String, DeviceInfo> entry : StableNames.of(family).entrySet()) {
                String device = entry.getValue().name();
                Optional<Path> node = bus.characterDevice(device);
                places.put(
                        device,
                        "%s%s stable_name %s"
                                .formatted(
                                        bus.driver(device)
                                                .map(driver -> " driver " + driver)
                                                .orElse(" driver none"),
                                        node.map(path -> " node " + path).orElse(""),
                                        entry.getKey()));
            }
        }
        print(
                json,
                "dev",
                devices,
                DeviceInfo::name,
                VdpaDocument::of,
                device -> VdpaDocument.text(device) + places.getOrDefault(device.name(), ""));
    }

    /**
     * Brings links and permissions of character devices in line with the devices that there are.
     *
     * @param done what was done before, for the message where this fails
     */
    static void settle(String done, VdpaFamily family, DevicePermissions permissions) throws IOException {
        try {
            var _ = DeviceNodes.ofHost(permissions).settle(StableNames.of(family));
        } catch (IOException e) {
            throw new IOException(
                    "%s, but links and permissions are not as they should be: %s".formatted(done, e.getMessage()), e);
        }
    }
}
