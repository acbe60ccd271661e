package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;

/**
 * Makes a disk with an MBR, a FAT partition with kernel, first file system and boot loaders, and an ext4 partition with
 * the root file system. No root rights, no mounts: GRUB's boot sector and core are written to where SeaBIOS and the boot
 * sector look for them, and systemd-boot is what UEFI looks for.
 */
final class DiskImage {
    private static final Duration TIMEOUT = Duration.ofMinutes(5);
    private static final int SECTOR_BYTES = 512;
    private static final int MIB = 1 << 20;
    private static final int SECTORS_PER_MIB = MIB / SECTOR_BYTES;
    private static final int BOOT_CODE_BYTES = 440;
    private static final int DISK_ID = 0x46414952;
    private static final int TYPE_EFI = 0xEF;
    private static final int TYPE_LINUX = 0x83;
    private static final String UUID = "66616972-6c65-6164-0000-000000000001";
    private static final Map<String, String> FIXED_TIME = Map.of("SOURCE_DATE_EPOCH", "0", "TZ", "UTC");

    private final ProgramRoot tools;
    private final Path scratch;

    /**
     * @param tools has e2fsprogs, mtools, grub and systemd-boot
     * @param scratch an existing folder for intermediate files
     */
    DiskImage(ProgramRoot tools, Path scratch) {
        this.tools = tools;
        this.scratch = scratch;
    }

    void make(Path kernel, Path initramfs, Path rootFiles, Path disk) throws IOException {
        Path ext4 = scratch.resolve("root.ext4");
        int ext4Mib = makeExt4(rootFiles, ext4);
        Path fat = scratch.resolve("boot.fat");
        int fatMib = makeFat(kernel, initramfs, fat);
        Path core = makeGrubCore();
        Path part = disk.resolveSibling(disk.getFileName() + ".part");
        try (FileChannel out = FileChannel.open(
                part,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            SparseFiles.write(out, 0, bootSector(fatMib, ext4Mib));
            byte[] coreBytes = Files.readAllBytes(core);
            if (coreBytes.length > MIB - SECTOR_BYTES) {
                throw new IOException("GRUB's core has " + coreBytes.length + " bytes, too many for before 1 MiB");
            }
            // GRUB's boot sector loads the core from the sector after itself by default.
            SparseFiles.write(out, SECTOR_BYTES, ByteBuffer.wrap(coreBytes));
            SparseFiles.copyInto(fat, out, MIB);
            SparseFiles.copyInto(ext4, out, (1L + fatMib) * MIB);
        }
        Files.move(part, disk, StandardCopyOption.ATOMIC_MOVE);
    }

    /** A boot sector with the boot loader's code and two partitions. */
    private ByteBuffer bootSector(int fatMib, int ext4Mib) throws IOException {
        byte[] boot = Files.readAllBytes(tools.file("usr/lib/grub/i386-pc/boot.img"));
        ByteBuffer sector = ByteBuffer.allocate(SECTOR_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        sector.put(boot, 0, BOOT_CODE_BYTES);
        sector.putInt(BOOT_CODE_BYTES, DISK_ID);
        partition(sector, 0, 0x80, TYPE_EFI, 1, fatMib);
        partition(sector, 1, 0, TYPE_LINUX, 1 + fatMib, ext4Mib);
        sector.putShort(510, (short) 0xAA55);
        return sector.rewind();
    }

    private static void partition(ByteBuffer sector, int index, int flags, int type, int startMib, int sizeMib) {
        int at = 446 + 16 * index;
        // Cylinders, heads and sectors beyond what they can say: the linear address counts.
        int beyond = 0x00FFFFFE;
        sector.putInt(at, flags | beyond << 8);
        sector.putInt(at + 4, type | beyond << 8);
        sector.putInt(at + 8, startMib * SECTORS_PER_MIB);
        sector.putInt(at + 12, sizeMib * SECTORS_PER_MIB);
    }

    private int makeExt4(Path files, Path image) throws IOException {
        long bytes = treeBytes(files);
        // Room for metadata and for what a job writes.
        int mib = (int) (bytes / MIB + bytes / (8 * MIB) + 40);
        String _ = Command.of(tools.command("usr/sbin/mke2fs"))
                .and("-q", "-F", "-t", "ext4", "-L", "fairlead-root", "-U", UUID, "-m", "0", "-b", "4096")
                .and("-O", "^metadata_csum_seed,^orphan_file", "-J", "size=4")
                .and("-E", "hash_seed=" + UUID + ",root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1,nodiscard")
                .and("-d", files.toString(), image.toString(), mib + "M")
                .with(FIXED_TIME)
                .run(TIMEOUT);
        return mib;
    }

    private int makeFat(Path kernel, Path uncompressed, Path image) throws IOException {
        // Through the firmware of a BIOS every byte is slow, slower than to inflate it.
        Path initramfs = scratch.resolve("initrd.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(initramfs))) {
            long _ = Files.copy(uncompressed, out);
        }
        int mib = (int) ((Files.size(kernel) + Files.size(initramfs)) / MIB + 6);
        Files.deleteIfExists(image);
        // Large clusters: GRUB reads one at a time, and each costs a call of the firmware.
        mtool("mformat", image)
                .and("-C", "-T", Integer.toString(mib * SECTORS_PER_MIB), "-h", "64", "-s", "32", "-c", "64")
                .and("-N", "46414952", "-v", "FAIRLEAD", "::")
                .run(TIMEOUT);
        for (String folder : List.of("EFI", "EFI/BOOT", "loader", "loader/entries")) {
            mtool("mmd", image).and("::/" + folder).run(TIMEOUT);
        }
        copyIn(image, kernel, "vmlinuz");
        copyIn(image, initramfs, "initrd");
        copyIn(image, tools.file("usr/lib/systemd/boot/efi/systemd-bootx64.efi"), "EFI/BOOT/BOOTX64.EFI");
        copyText(image, "timeout 0\ndefault fairlead.conf\n", "loader/loader.conf");
        copyText(
                image,
                "title Fairlead\nlinux /vmlinuz\ninitrd /initrd\noptions " + GuestImages.KERNEL_ARGUMENTS + "\n",
                "loader/entries/fairlead.conf");
        return mib;
    }

    private Path makeGrubCore() throws IOException {
        Path configuration = scratch.resolve("grub.cfg");
        Files.writeString(configuration, """
                serial --unit=0 --speed=115200
                terminal_output serial
                echo "fairlead: GRUB boots from $root"
                linux /vmlinuz %s
                initrd /initrd
                boot
                """.formatted(GuestImages.KERNEL_ARGUMENTS));
        Path core = scratch.resolve("core.img");
        String _ = Command.of(tools.command("usr/bin/grub-mkimage"))
                .and("-O", "i386-pc", "-d", tools.file("usr/lib/grub/i386-pc").toString())
                .and("-p", "(,msdos1)/", "-c", configuration.toString(), "-o", core.toString())
                .and("biosdisk", "part_msdos", "fat", "linux", "serial", "terminal", "echo", "boot")
                .run(TIMEOUT);
        return core;
    }

    private void copyText(Path image, String text, String name) throws IOException {
        Path file = scratch.resolve("fat-text");
        Files.writeString(file, text);
        copyIn(image, file, name);
    }

    private void copyIn(Path image, Path file, String name) throws IOException {
        String _ = mtool("mcopy", image).and(file.toString(), "::/" + name).run(TIMEOUT);
    }

    private Command mtool(String applet, Path image) throws IOException {
        return Command.of(tools.commandAs(applet, "usr/bin/mtools"))
                .and("-i", image.toString())
                .with(FIXED_TIME);
    }

    private static long treeBytes(Path root) throws IOException {
        List<Path> files;
        try (Stream<Path> walk = Files.walk(root)) {
            files = walk.filter(Files::isRegularFile)
                    .filter(path -> !Files.isSymbolicLink(path))
                    .toList();
        }
        long bytes = 0;
        for (Path file : files) {
            bytes += Files.size(file) + 4096;
        }
        return bytes;
    }
}
