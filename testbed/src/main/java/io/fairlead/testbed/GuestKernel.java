package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A Linux kernel for guests.
 *
 * @param version its release, as {@code uname -r} prints it
 * @param image the bootable file (bzImage)
 * @param root the folder above {@code lib/modules/VERSION}
 */
public record GuestKernel(String version, Path image, Path root) {
    /** The kernel of a folder of unpacked packages. */
    static GuestKernel in(ProgramRoot packages) throws IOException {
        return in(packages.directory().resolve("boot"), packages.directory());
    }

    private static GuestKernel in(Path boot, Path root) throws IOException {
        try (Stream<Path> files = Files.list(boot)) {
            List<Path> kernels = files.filter(
                            file -> file.getFileName().toString().startsWith("vmlinuz-"))
                    .sorted()
                    .toList();
            if (kernels.size() != 1) {
                throw new IOException(boot + " has " + kernels.size() + " kernels, expected one vmlinuz-VERSION");
            }
            return ofImage(kernels.getFirst(), root);
        }
    }

    /**
     * A kernel of the user's own.
     *
     * @param image a file with a name of the form vmlinuz-VERSION
     * @param root the folder above lib/modules/VERSION
     */
    public static GuestKernel ofImage(Path image, Path root) throws IOException {
        String name = image.getFileName().toString();
        String version = name.substring(name.indexOf('-') + 1);
        if (!name.contains("-")
                || !Files.isDirectory(root.resolve("lib/modules").resolve(version))) {
            throw new TestbedException(
                    "The kernel " + image + " has no modules at " + root.resolve("lib/modules/" + version)
                            + ": name it vmlinuz-VERSION and give the folder above lib/modules/VERSION");
        }
        return new GuestKernel(version, image.toAbsolutePath(), root.toAbsolutePath());
    }
}
