package io.fairlead.kernel.management;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * The character devices of vDPA devices under their stable names: symbolic links such as {@code
 * /dev/fairlead/net-52:54:00:12:34:56}, with the permissions of their types. For programs that open a device by path; the
 * links are as true as the last {@link #settle}, so whoever can looks a device up by name.
 */
public final class DeviceNodes {
    private static final String CHARACTER_DEVICE = "vhost-vdpa-";

    private final VdpaBus bus;
    private final Path folder;
    private final DevicePermissions permissions;

    private DeviceNodes(VdpaBus bus, Path folder, DevicePermissions permissions) {
        this.bus = bus;
        this.folder = folder;
        this.permissions = permissions;
    }

    /** Links in {@code /dev/fairlead}. */
    public static DeviceNodes ofHost(DevicePermissions permissions) {
        return new DeviceNodes(VdpaBus.ofHost(), Path.of("/dev/fairlead"), permissions);
    }

    /** Links in a folder to the devices of a bus. */
    static DeviceNodes in(VdpaBus bus, Path folder, DevicePermissions permissions) {
        return new DeviceNodes(bus, folder, permissions);
    }

    /**
     * Makes links and permissions as the devices are now, and removes links to devices that are gone. Takes root.
     *
     * @param names the devices by their stable names
     * @return the links, by the names of the devices on the vdpa bus
     */
    public SequencedMap<String, Path> settle(SequencedMap<String, DeviceInfo> names) throws IOException {
        SequencedMap<String, Path> links = new LinkedHashMap<>();
        Map<String, Path> targets = new LinkedHashMap<>();
        for (Map.Entry<String, DeviceInfo> entry : names.entrySet()) {
            DeviceInfo device = entry.getValue();
            Optional<Path> node = bus.characterDevice(device.name());
            if (node.isPresent() && Files.exists(node.get())) {
                // The kernel has no slash in names, so a link's name has none either.
                targets.put(entry.getKey(), node.get());
                links.put(device.name(), folder.resolve(entry.getKey()));
                permissions.apply(StableNames.type(device.deviceId()), node.get());
            }
        }
        removeOthers(targets);
        if (!targets.isEmpty()) {
            Files.createDirectories(folder);
            for (Map.Entry<String, Path> entry : targets.entrySet()) {
                link(folder.resolve(entry.getKey()), entry.getValue());
            }
        }
        return links;
    }

    private void removeOthers(Map<String, Path> wanted) throws IOException {
        for (String name : Sysfs.names(folder)) {
            Optional<String> target = Sysfs.link(folder.resolve(name));
            if (!wanted.containsKey(name) && target.isPresent() && target.get().startsWith(CHARACTER_DEVICE)) {
                Files.deleteIfExists(folder.resolve(name));
            }
        }
    }

    private static void link(Path link, Path target) throws IOException {
        if (Files.isSymbolicLink(link) && Files.readSymbolicLink(link).equals(target)) {
            return;
        }
        // Never a moment without the link, nor with half of one.
        Path fresh = link.resolveSibling(
                ".%s.%d".formatted(link.getFileName(), ProcessHandle.current().pid()));
        try {
            Files.deleteIfExists(fresh);
            Files.createSymbolicLink(fresh, target);
            Files.move(fresh, link, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            throw new IOException("cannot make the link %s: %s".formatted(link, e.getMessage()), e);
        }
    }
}
