package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;

/**
 * Builds the kernel of L2 guests, once: small and without modules, since a guest in a guest without hardware's help boots
 * Debian's in 20 s and this one in a few. It is Linux as Debian packs its source, with a configuration of its own.
 */
final class L2Kernel {
    private static final Duration BUILD_TIMEOUT = Duration.ofMinutes(90);
    private static final String LOCAL_VERSION = "fairlead";

    /** An uncompressed image, which QEMU starts by PVH: nothing is unpacked under two layers of emulation. */
    private static final String BUILD_SCRIPT = """
            mkdir -p /build
            cd /build
            tar -xf /usr/src/%1$s.tar.xz --strip-components=1
            make -s tinyconfig
            scripts/kconfig/merge_config.sh -m .config /l2-kernel.config >/dev/null
            make -s LOCALVERSION=-%2$s olddefconfig
            make -s -j"$(nproc)" LOCALVERSION=-%2$s vmlinux
            strip -s -o /vmlinux vmlinux
            make -s LOCALVERSION=-%2$s kernelrelease >/release
            """;

    private final Cache cache;
    private final Progress progress;
    private final PackageStore store;

    L2Kernel(Cache cache, Progress progress, PackageStore store) {
        this.cache = cache;
        this.progress = progress;
        this.store = store;
    }

    boolean isThere() throws IOException {
        return store.has(PackageSet.VDPA_KERNEL_6_12) && Files.exists(stamp());
    }

    GuestKernel get() throws IOException {
        Path sources = store.get(PackageSet.VDPA_KERNEL_6_12).directory();
        if (!Files.exists(stamp())) {
            Path tools = store.get(PackageSet.KERNEL_BUILD).directory();
            try (Cache.Held _ = cache.lock()) {
                if (!Files.exists(stamp())) {
                    String release = make(sources, tools);
                    Cache.writeAtomically(stamp(), release + "\n");
                }
            }
        }
        String release = Files.readString(stamp()).strip();
        return GuestKernel.ofImage(directory().resolve("vmlinuz-" + release), directory());
    }

    private Path stamp() throws IOException {
        return directory().resolve("complete");
    }

    private Path directory() throws IOException {
        String inputs = String.join(
                "\n",
                store.stamp(PackageSet.VDPA_KERNEL_6_12),
                BUILD_SCRIPT,
                LOCAL_VERSION,
                GuestImages.resource("l2-kernel.config"));
        return cache.resolve("l2").resolve(PackageSet.digest(inputs).substring(0, 8));
    }

    private String make(Path sources, Path tools) throws IOException {
        progress.step("Building the kernel of L2 guests, once: some 8 minutes of processor time");
        Path directory = directory();
        Cache.deleteTree(directory);
        String release;
        try (BuildRoot root = new BuildRoot(directory.resolve("scratch"))) {
            root.add(tools, "");
            root.add(sources, "usr/src");
            root.alternative("usr/bin/awk", "mawk");
            root.alternative("usr/bin/cc", "gcc");
            Files.writeString(root.resolve("l2-kernel.config"), GuestImages.resource("l2-kernel.config"));
            root.run(BUILD_SCRIPT.formatted(L1Kernel.V6_12.sourceName(), LOCAL_VERSION), BUILD_TIMEOUT);
            release = Files.readString(root.resolve("release")).strip();
            Path _ = Files.move(
                    root.resolve("vmlinux"),
                    directory.resolve("vmlinuz-" + release),
                    StandardCopyOption.REPLACE_EXISTING);
        }
        // Where other kernels have modules, this one has none.
        Path modules = Files.createDirectories(directory.resolve("lib/modules").resolve(release));
        for (String index : List.of("modules.order", "modules.builtin", "modules.builtin.modinfo")) {
            Files.writeString(modules.resolve(index), "");
        }
        return release;
    }
}
