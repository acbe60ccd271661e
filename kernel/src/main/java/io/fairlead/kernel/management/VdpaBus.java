package io.fairlead.kernel.management;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The kernel's vdpa bus, as sysfs shows it: the vDPA devices there are and the bus driver that has each (vhost_vdpa for
 * a character device, virtio_vdpa for the host's own use). Any thread.
 */
public final class VdpaBus {
    private static final Path SYSFS = Path.of("/sys/bus/vdpa");

    private final Path folder;

    private VdpaBus(Path folder) {
        this.folder = folder;
    }

    /** The bus of this machine's kernel. */
    public static VdpaBus ofHost() {
        return new VdpaBus(SYSFS);
    }

    /** A bus as it stands in a folder that is laid out like {@code /sys/bus/vdpa}. */
    static VdpaBus in(Path folder) {
        return new VdpaBus(folder);
    }

    /** The names of all vDPA devices, sorted; none where the kernel has no vdpa bus. */
    public List<String> devices() throws IOException {
        try (Stream<Path> found = Files.list(folder.resolve("devices"))) {
            return found.map(path -> path.getFileName().toString()).sorted().toList();
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }

    /** The bus driver that has a device; empty where none has it or there is no such device. */
    public Optional<String> driver(String device) throws IOException {
        Path link = folder.resolve("devices").resolve(device).resolve("driver");
        try {
            return Optional.of(Files.readSymbolicLink(link).getFileName().toString());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }
}
