package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** The kernels that an L1 host can have; Debian's, by the first two numbers of their version. */
public enum L1Kernel {
    /** Debian trixie's: VDUSE's first interface, block and net. */
    V6_12("6.12"),
    /** Debian trixie-backports': VDUSE's second interface with queue groups, suspend, and file systems. */
    V7_3("7.3");

    private final String label;

    L1Kernel(String label) {
        this.label = label;
    }

    /**
     * The kernel of a version such as {@code 6.12}.
     *
     * @throws IllegalArgumentException where there is none
     */
    public static L1Kernel of(String version) {
        return Arrays.stream(values())
                .filter(kernel -> kernel.label.equals(version))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no kernel " + version + " for L1 hosts; there are "
                        + Arrays.stream(values()).map(L1Kernel::toString).collect(Collectors.joining(", "))));
    }

    PackageSet packages() {
        return switch (this) {
            case V6_12 -> PackageSet.VDPA_KERNEL_6_12;
            case V7_3 -> PackageSet.VDPA_KERNEL_7_3;
        };
    }

    /** The name of the package, in a fetched set, with the kernel's whole source. */
    String sourceName() {
        return "linux-source-" + label;
    }

    /** The kernel of a fetched set. Debian puts it into /boot, or beside its modules. */
    static GuestKernel in(ProgramRoot packages) throws IOException {
        Path root = packages.file("usr");
        List<Path> modules = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(root.resolve("lib/modules"))) {
            found.forEach(modules::add);
        }
        if (modules.size() != 1) {
            throw new IOException(root + "/lib/modules has " + modules.size() + " kernels, expected one");
        }
        String version = modules.getFirst().getFileName().toString();
        Path beside = modules.getFirst().resolve("vmlinuz");
        Path image = Files.isRegularFile(beside) ? beside : packages.file("boot/vmlinuz-" + version);
        return new GuestKernel(version, image, root);
    }

    @Override
    public String toString() {
        return label;
    }
}
