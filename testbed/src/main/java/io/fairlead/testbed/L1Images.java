package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/**
 * Makes what an L1 host boots from, once for each kernel: its modules, among them those of the vDPA framework that Debian
 * does not build (simulated devices, and vp_vdpa, which makes a vDPA device of any virtio PCI device), and a first file
 * system that finds this machine's root by 9p.
 */
final class L1Images {
    /** Changed when the way images are made changes. */
    private static final String RECIPE = "1";

    private static final Duration BUILD_TIMEOUT = Duration.ofMinutes(10);

    /** What it takes to reach this machine's files and the job. */
    private static final List<String> BOOT_MODULES = List.of("qemu_fw_cfg", "9pnet_virtio", "9p", "overlay");

    private static final List<String> MODULES = Stream.concat(
                    BOOT_MODULES.stream(),
                    Stream.of(
                            "vdpa",
                            "vduse",
                            "vhost_vdpa",
                            "virtio_vdpa",
                            "vhost_iotlb",
                            "vhost_net",
                            "vhost_vsock",
                            "virtio_pci_modern_dev",
                            "kvm_amd",
                            "kvm_intel",
                            "virtio_net",
                            "virtio_blk",
                            "virtio_scsi",
                            "virtio_console",
                            "virtio_rng",
                            "virtio_balloon",
                            "virtio_input",
                            "virtio_crypto",
                            "virtio_gpu",
                            "virtiofs",
                            "vmw_vsock_virtio_transport",
                            "e1000e",
                            "tun",
                            "tap",
                            "veth",
                            "bridge",
                            "8021q",
                            "dummy",
                            "loop",
                            "ext4",
                            "crc32c_generic",
                            "crc32c_intel",
                            "sd_mod",
                            "sg"))
            .toList();

    /** Inside the build's root; what is built is found by its name. */
    private static final String BUILD_SCRIPT = """
            mkdir -p /build
            cd /build
            tar -xf /usr/src/%1$s.tar.xz --strip-components=2 %1$s/drivers/vdpa/vdpa_sim \
                %1$s/drivers/vdpa/virtio_pci %1$s/drivers/vhost/vringh.c
            mv vdpa/vdpa_sim vdpa/virtio_pci vhost/vringh.c .
            echo 'obj-m := vringh.o vdpa_sim/ virtio_pci/' >Kbuild
            make -C /usr/src/linux-headers-%2$s M=/build CONFIG_VDPA_SIM=m CONFIG_VDPA_SIM_NET=m \
                CONFIG_VDPA_SIM_BLOCK=m CONFIG_VP_VDPA=m CONFIG_DEBUG_INFO_BTF_MODULES= CONFIG_MODULE_SIG= modules
            """;

    private final Cache cache;
    private final Progress progress;
    private final PackageStore store;
    private final L1Kernel release;

    L1Images(Cache cache, Progress progress, PackageStore store, L1Kernel release) {
        this.cache = cache;
        this.progress = progress;
        this.store = store;
        this.release = release;
    }

    /**
     * What an L1 host boots from.
     *
     * @param kernel the kernel; its root has the modules, indexed, as modprobe wants them
     */
    record Images(GuestKernel kernel, Path initramfs) {}

    /** Whether {@link #get} has nothing to fetch and to make. */
    boolean isThere() throws IOException {
        return store.has(release.packages()) && store.has(PackageSet.USERLAND) && Files.exists(stamp());
    }

    Images get() throws IOException {
        GuestKernel kernel = L1Kernel.in(store.get(release.packages()));
        ProgramRoot userland = store.get(PackageSet.USERLAND);
        if (!Files.exists(stamp())) {
            ProgramRoot build = store.get(PackageSet.KERNEL_BUILD);
            try (Cache.Held _ = cache.lock()) {
                if (!Files.exists(stamp())) {
                    make(kernel, userland, build);
                    Cache.writeAtomically(stamp(), kernel.version() + "\n");
                }
            }
        }
        Path directory = directory();
        return new Images(
                new GuestKernel(kernel.version(), kernel.image(), directory), directory.resolve("initramfs.cpio"));
    }

    private Path stamp() throws IOException {
        return directory().resolve("complete");
    }

    private Path directory() throws IOException {
        String inputs = String.join(
                "\n",
                RECIPE,
                store.stamp(release.packages()),
                store.stamp(PackageSet.USERLAND),
                MODULES.toString(),
                BUILD_SCRIPT,
                GuestImages.resource("l1-init.sh"),
                GuestImages.resource("fairlead-init.sh"),
                GuestImages.resource("emit.sh"));
        return cache.resolve("l1")
                .resolve(release + "-" + PackageSet.digest(inputs).substring(0, 8));
    }

    private void make(GuestKernel kernel, ProgramRoot userland, ProgramRoot build) throws IOException {
        Path directory = directory();
        Cache.deleteTree(directory);
        Path scratch = Files.createDirectories(directory.resolve("scratch"));
        progress.step("Building vDPA modules for Linux " + kernel.version());
        List<Path> built = buildModules(kernel, build, scratch.resolve("root"));
        progress.step("Making the image of an L1 host with Linux " + kernel.version());
        KernelModules modules = KernelModules.of(kernel, userland, Files.createDirectories(scratch.resolve("depmod")));
        modules.copy(MODULES, directory, built);
        Path files = Files.createDirectories(scratch.resolve("initramfs"));
        modules.copy(BOOT_MODULES, files);
        GuestImages.layOutPrograms(userland, files);
        GuestImages.script(files.resolve("init"), "l1-init.sh");
        try (CpioArchive archive = new CpioArchive(directory.resolve("initramfs.cpio"))) {
            archive.tree(files);
        }
        Cache.deleteTree(scratch);
    }

    private List<Path> buildModules(GuestKernel kernel, ProgramRoot build, Path folder) throws IOException {
        Path sources = store.get(release.packages()).directory();
        try (BuildRoot root = new BuildRoot(folder)) {
            root.add(build.directory(), "");
            root.add(sources, "usr/src");
            root.add(sources, "usr/lib/linux-kbuild-" + kernel.version().replaceFirst("-amd64$", ""));
            root.alternative("usr/bin/awk", "mawk");
            root.run(BUILD_SCRIPT.formatted(release.sourceName(), kernel.version()), BUILD_TIMEOUT);
            Path kept = Files.createDirectories(folder.resolveSibling("built"));
            List<Path> built;
            try (Stream<Path> walk = Files.walk(root.resolve("build"))) {
                built = walk.filter(path -> path.toString().endsWith(".ko")).toList();
            }
            for (Path module : built) {
                Path _ = Files.move(module, kept.resolve(module.getFileName()), StandardCopyOption.REPLACE_EXISTING);
            }
            return built.stream().map(path -> kept.resolve(path.getFileName())).toList();
        }
    }
}
