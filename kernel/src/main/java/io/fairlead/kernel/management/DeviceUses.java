package io.fairlead.kernel.management;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.LinuxException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Who uses a device of the host: the disks, network interfaces and character devices below its folder in {@code /sys} are
 * looked at. Taking a device from its driver while somebody uses it costs data, or hangs the kernel's vDPA management
 * until the user ends.
 */
final class DeviceUses {
    private static final int MAX_DEPTH = 6;
    private static final int IFF_UP = 1;
    private static final String CHARACTER_DEVICE = "vhost-vdpa-";

    private final Path dev;
    private final Path proc;

    /**
     * @param dev the folder of device nodes, {@code /dev}
     * @param proc of processes, {@code /proc}
     */
    DeviceUses(Path dev, Path proc) {
        this.dev = dev;
        this.proc = proc;
    }

    /** Each use in words; none where it may be taken away. Of other users' processes only root gets to know. */
    List<String> of(Path device) throws IOException {
        List<String> uses = new ArrayList<>();
        look(device, 0, uses);
        return uses;
    }

    private void look(Path folder, int depth, List<String> uses) throws IOException {
        String name = folder.getFileName().toString();
        if (name.startsWith(CHARACTER_DEVICE)) {
            openBy(dev.resolve(name), uses);
            return;
        }
        Optional<String> subsystem = Sysfs.link(folder.resolve("subsystem"));
        if (subsystem.equals(Optional.of("block")) && Files.exists(folder.resolve("dev"))) {
            mounted(dev.resolve(name.replace('!', '/')), uses);
            return;
        }
        if (subsystem.equals(Optional.of("net"))) {
            String flags = Sysfs.read(folder.resolve("flags")).orElse("0x0");
            if ((Integer.decode(flags) & IFF_UP) != 0) {
                uses.add("the network interface %s is up (ip link set %s down)".formatted(name, name));
            }
            return;
        }
        if (depth == MAX_DEPTH) {
            return;
        }
        try (DirectoryStream<Path> below =
                Files.newDirectoryStream(folder, path -> Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))) {
            for (Path child : below) {
                look(child, depth + 1, uses);
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            // Went away meanwhile.
        }
    }

    private static void mounted(Path node, List<String> uses) throws IOException {
        try (Fd _ = FileIo.open(node, FileIo.O_RDONLY | FileIo.O_EXCL, 0)) {
            // Nobody holds it.
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                uses.add("%s is mounted, or part of another device".formatted(node));
            } else if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENXIO && e.errno() != Errno.ENODEV) {
                throw e;
            }
        }
    }

    private void openBy(Path node, List<String> uses) throws IOException {
        for (String process : Sysfs.names(proc)) {
            if (Character.isDigit(process.charAt(0))
                    && hasOpen(proc.resolve(process).resolve("fd"), node)) {
                String program = Refusal.printable(
                        Sysfs.read(proc.resolve(process).resolve("comm")).orElse("?"));
                uses.add("%s is open by process %s (%s)".formatted(node, process, program));
            }
        }
    }

    private static boolean hasOpen(Path descriptors, Path node) throws IOException {
        // By its last name: a process in a container sees it at another path.
        try (DirectoryStream<Path> open = Files.newDirectoryStream(descriptors)) {
            for (Path descriptor : open) {
                if (isLinkTo(descriptor, node)) {
                    return true;
                }
            }
            return false;
        } catch (NoSuchFileException | NotDirectoryException | AccessDeniedException e) {
            return false;
        } catch (DirectoryIteratorException e) {
            // The process has ended.
            return false;
        }
    }

    private static boolean isLinkTo(Path descriptor, Path node) {
        try {
            return node.getFileName().equals(Files.readSymbolicLink(descriptor).getFileName());
        } catch (IOException e) {
            // Closed meanwhile.
            return false;
        }
    }
}
