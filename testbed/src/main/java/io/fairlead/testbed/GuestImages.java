package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Makes the files from which guests boot, once for each set of inputs: a small first file system, and a disk that holds
 * kernel, first file system and root file system, and boots by its own boot sector (SeaBIOS), by UEFI, or with the
 * kernel given directly. Equal inputs give equal files.
 */
final class GuestImages {
    /** Kernel arguments of every guest. */
    static final String KERNEL_ARGUMENTS =
            "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable nokaslr" + " mitigations=off random.trust_cpu=on";

    /** Changed when the way images are made changes. */
    private static final String RECIPE = "3";

    /** What it takes to reach the root disk and the job. */
    private static final List<String> BOOT_MODULES =
            List.of("qemu_fw_cfg", "virtio_blk", "virtio_scsi", "sd_mod", "ext4", "crc32c_generic", "crc32c_intel");

    /** All virtio drivers, and what their devices are used by. */
    private static final List<String> MODULES = Stream.concat(
                    BOOT_MODULES.stream(),
                    Stream.of(
                            "virtio_net",
                            "8021q",
                            "virtiofs",
                            "9p",
                            "9pnet_virtio",
                            "virtio_rng",
                            "virtio_console",
                            "virtio_balloon",
                            "virtio_mem",
                            "virtio_input",
                            "vmw_vsock_virtio_transport",
                            "virtio_crypto",
                            "i2c_virtio",
                            "gpio_virtio",
                            "virtio_snd",
                            "virtio_gpu",
                            "virtio_iommu",
                            "virtio_pmem",
                            "evdev",
                            "button",
                            "sg"))
            .toList();

    private static final List<String> PROGRAMS = List.of(
            "usr/bin/fio",
            "usr/sbin/mke2fs",
            "usr/sbin/e2fsck",
            "usr/sbin/blkdiscard",
            "usr/bin/lsblk",
            "usr/bin/flock",
            "usr/sbin/blockdev",
            "usr/bin/ip",
            "usr/bin/iperf3",
            "usr/sbin/vdpa",
            "usr/bin/socat",
            "usr/bin/sg_inq",
            "usr/bin/sg_vpd",
            "usr/bin/sg_readcap",
            "usr/bin/sg_luns",
            "usr/bin/sg_modes",
            "usr/bin/sg_opcodes",
            "usr/bin/sg_persist",
            "usr/bin/sg_reset",
            "usr/bin/sg_sync",
            "usr/bin/sg_turs",
            "usr/bin/sg_unmap",
            "usr/bin/sg_verify",
            "usr/bin/sg_wr_mode",
            "usr/bin/sg_write_same");

    private static final FileTime EPOCH = FileTime.fromMillis(0);

    private final Cache cache;
    private final Progress progress;
    private final GuestKernel kernel;
    private final ProgramRoot userland;
    private final Path directory;

    /** @param userlandStamp what the userland's packages are */
    GuestImages(Cache cache, Progress progress, GuestKernel kernel, ProgramRoot userland, String userlandStamp)
            throws IOException {
        this.cache = cache;
        this.progress = progress;
        this.kernel = kernel;
        this.userland = userland;
        String inputs = String.join(
                "\n",
                RECIPE,
                KERNEL_ARGUMENTS,
                kernel.toString(),
                Files.getLastModifiedTime(kernel.image()).toString(),
                userlandStamp,
                MODULES.toString(),
                PROGRAMS.toString(),
                resource("init.sh"),
                resource("fairlead-init.sh"),
                resource("emit.sh"),
                resource("receive.sh"));
        this.directory = cache.resolve("images")
                .resolve(kernel.version() + "-" + PackageSet.digest(inputs).substring(0, 8));
    }

    /** The first file system for a guest without a disk, with all modules. */
    Path initramfs() throws IOException {
        return directoryWithImages().resolve("initramfs.cpio");
    }

    /** The first file system that goes on to the root disk. */
    Path bootInitramfs() throws IOException {
        return directoryWithImages().resolve("boot.cpio");
    }

    /** The disk. */
    Path disk() throws IOException {
        return directoryWithImages().resolve("disk.img");
    }

    private Path directoryWithImages() throws IOException {
        Path stamp = directory.resolve("complete");
        if (!Files.exists(stamp)) {
            try (Cache.Held _ = cache.lock()) {
                if (!Files.exists(stamp)) {
                    make();
                    Cache.writeAtomically(stamp, kernel.version() + "\n");
                }
            }
        }
        return directory;
    }

    private void make() throws IOException {
        progress.step("Making the guest's images");
        Cache.deleteTree(directory);
        Files.createDirectories(directory);
        Path scratch = Files.createDirectories(directory.resolve("scratch"));
        KernelModules kernelModules =
                KernelModules.of(kernel, userland, Files.createDirectories(scratch.resolve("depmod")));
        Path modules = Files.createDirectories(scratch.resolve("modules"));
        kernelModules.copy(MODULES, modules);
        Path bootModules = Files.createDirectories(scratch.resolve("boot-modules"));
        kernelModules.copy(BOOT_MODULES, bootModules);
        makeInitramfs(modules, scratch.resolve("initramfs"), directory.resolve("initramfs.cpio"));
        Path boot = directory.resolve("boot.cpio");
        makeInitramfs(bootModules, scratch.resolve("boot"), boot);

        Path root = Files.createDirectories(scratch.resolve("root"));
        layOut(root, modules);
        new Userland(userland).copyPrograms(PROGRAMS, root);
        setTimes(root);
        new DiskImage(userland, scratch).make(kernel.image(), boot, root, directory.resolve("disk.img"));
        Cache.deleteTree(scratch);
    }

    private void makeInitramfs(Path modules, Path scratch, Path initramfs) throws IOException {
        Path files = Files.createDirectories(scratch);
        layOut(files, modules);
        script(files.resolve("init"), "init.sh");
        try (CpioArchive archive = new CpioArchive(initramfs)) {
            archive.tree(files);
        }
    }

    /** What all file systems have: busybox, modules, our scripts, mount points. */
    private void layOut(Path target, Path modules) throws IOException {
        layOutPrograms(userland, target);
        copyTree(modules, target);
    }

    /** Busybox, our scripts, and the folders where programs expect things. */
    static void layOutPrograms(ProgramRoot userland, Path target) throws IOException {
        for (String folder :
                List.of("proc", "sys", "dev", "tmp", "run", "mnt", "etc", "root", "sbin", "usr/bin", "usr/sbin")) {
            Files.createDirectories(target.resolve(folder));
        }
        new Userland(userland).copyBusybox(target);
        // The kernel and programs call these by their full names.
        Files.createSymbolicLink(target.resolve("sbin/modprobe"), Path.of("../bin/busybox"));
        script(target.resolve("sbin/fairlead-init"), "fairlead-init.sh");
        script(target.resolve("usr/bin/emit"), "emit.sh");
        script(target.resolve("usr/bin/receive"), "receive.sh");
        // What acpid runs when the power button is pressed.
        Files.createDirectories(target.resolve("etc/acpi/PWRF"));
        script(target.resolve("etc/acpi/PWRF/00000080"), "power-button.sh");
        Files.writeString(target.resolve("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
        Files.writeString(target.resolve("etc/group"), "root:x:0:\n");
        Files.createSymbolicLink(target.resolve("etc/mtab"), Path.of("../proc/mounts"));
    }

    private static void copyTree(Path source, Path target) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(source)) {
            paths = walk.sorted().toList();
        }
        for (Path path : paths) {
            Path copy = target.resolve(source.relativize(path).toString());
            if (Files.isDirectory(path)) {
                Files.createDirectories(copy);
            } else {
                Files.copy(path, copy, StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    private static void setTimes(Path root) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(root)) {
            paths = walk.filter(path -> !Files.isSymbolicLink(path)).toList();
        }
        for (Path path : paths) {
            Path _ = Files.setLastModifiedTime(path, EPOCH);
        }
    }

    static void script(Path target, String resource) throws IOException {
        Files.writeString(target, resource(resource));
        Path _ = Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    static String resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(GuestImages.class.getResourceAsStream(name), name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
