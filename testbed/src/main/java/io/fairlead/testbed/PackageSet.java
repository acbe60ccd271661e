package io.fairlead.testbed;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * Packages of one Debian release that are used together, unpacked into one folder.
 *
 * @param name the set's name, of letters, digits, dots and hyphens
 * @param release such as {@code trixie}
 * @param backports whether the release's backports come first
 * @param packages what is wanted: package names, or regular expressions between slashes, of which the newest match
 *     counts
 * @param assumed packages that shall count as installed, so that neither they nor what only they need is fetched
 */
record PackageSet(String name, String release, boolean backports, List<String> packages, List<String> assumed) {
    /** What only an installation on a real system needs: maintainer scripts and what they call. */
    private static final List<String> INSTALLATION_ONLY =
            List.of("adduser", "passwd", "base-passwd", "debconf", "dpkg", "tar", "login.defs", "init-system-helpers");

    /** What only a kernel that is installed or built in the usual way needs. */
    private static final List<String> KERNEL_ASSUMED = List.of(
            "kmod",
            "linux-base",
            "initramfs-tools",
            "gcc-14",
            "gcc-14-for-host",
            "gcc",
            "make",
            "binutils",
            "bc",
            "bison",
            "flex",
            "xz-utils");

    /** What libvirt itself needs to run. */
    private static final List<String> LIBVIRT_ASSUMED = Stream.concat(
                    INSTALLATION_ONLY.stream(), Stream.of("libvirt0", "libsasl2-modules", "ucf", "debconf-2.0"))
            .toList();

    static final PackageSet QEMU_11 = new PackageSet(
            "qemu-11",
            "trixie",
            true,
            List.of("qemu-system-x86", "qemu-system-common", "qemu-utils", "seabios", "ipxe-qemu"),
            INSTALLATION_ONLY);

    static final PackageSet QEMU_10 = new PackageSet(
            "qemu-10",
            "bookworm",
            true,
            List.of("qemu-system-x86", "qemu-system-common", "qemu-utils", "seabios", "ipxe-qemu"),
            INSTALLATION_ONLY);

    static final PackageSet KERNEL_6_12 = new PackageSet(
            "kernel-6.12",
            "bookworm",
            true,
            List.of("/linux-image-6\\.12\\.[0-9.]+\\+[a-z0-9.]+-amd64/"),
            List.of("kmod", "linux-base", "initramfs-tools"));

    static final PackageSet USERLAND = new PackageSet(
            "userland",
            "trixie",
            false,
            List.of(
                    "busybox-static",
                    "fio",
                    "e2fsprogs",
                    "util-linux",
                    "iproute2",
                    "iperf3",
                    "iputils-ping",
                    "tcpdump",
                    "kmod",
                    "sg3-utils",
                    "socat",
                    "mtools",
                    "grub-pc-bin",
                    "grub-common",
                    "systemd-boot-efi",
                    "ovmf"),
            List.of(
                    "adduser",
                    "passwd",
                    "base-passwd",
                    "debconf",
                    "dpkg",
                    "tar",
                    "login.defs",
                    "init-system-helpers",
                    "python3",
                    "tzdata",
                    "gettext-base",
                    "libpam-modules",
                    "libpam-runtime",
                    "netbase",
                    "libcap2-bin",
                    "dmsetup",
                    "media-types"));

    static final PackageSet LIBBLKIO = new PackageSet(
            "libblkio", "trixie", false, List.of("libblkio1", "libblkio-dev"), List.of("libc6", "libgcc-s1"));

    static final PackageSet VIRTIOFSD =
            new PackageSet("virtiofsd", "trixie", false, List.of("virtiofsd"), INSTALLATION_ONLY);

    /** What it takes to clone and build a C program; git's parts in Perl and for the network are left out. */
    static final PackageSet BUILD_TOOLS = new PackageSet(
            "build-tools",
            "trixie",
            false,
            List.of("git", "make", "tcc", "libc6-dev"),
            List.of(
                    "perl",
                    "liberror-perl",
                    "libcurl3t64-gnutls",
                    "libexpat1",
                    "libcrypt-dev",
                    "rpcsvc-proto",
                    "libgcc-s1"));

    /** DPDK's test program, with the drivers for both ends of vhost-user; its libraries name the release they belong to. */
    static final PackageSet DPDK = new PackageSet(
            "dpdk",
            "trixie",
            false,
            List.of(
                    "dpdk-dev",
                    "/librte-net-vhost[0-9.]+/",
                    "/librte-net-virtio[0-9.]+/",
                    "/librte-mempool-ring[0-9.]+/"),
            List.of("libdpdk-dev", "python3", "sse4.2-support", "rdma-core", "adduser", "debconf", "dpkg"));

    /** A kernel of L1 hosts, with what modules are built from. */
    static final PackageSet VDPA_KERNEL_6_12 = new PackageSet(
            "vdpa-kernel-6.12",
            "trixie",
            false,
            List.of(
                    "/linux-image-6\\.12\\.[0-9.]+\\+[a-z0-9.]+-amd64/",
                    "/linux-headers-6\\.12\\.[0-9.]+\\+[a-z0-9.]+-amd64/",
                    "linux-source-6.12"),
            KERNEL_ASSUMED);

    /** The newest kernel of L1 hosts: VDUSE's second interface and more. */
    static final PackageSet VDPA_KERNEL_7_3 = new PackageSet(
            "vdpa-kernel-7.3",
            "trixie",
            true,
            List.of(
                    "/linux-binary-7\\.3\\.[0-9.]+\\+[a-z0-9.]+-amd64/",
                    "/linux-modules-7\\.3\\.[0-9.]+\\+[a-z0-9.]+-amd64/",
                    "/linux-headers-7\\.3\\.[0-9.]+\\+[a-z0-9.]+-amd64/",
                    "linux-source-7.3"),
            KERNEL_ASSUMED);

    /** A compiler with all that building kernels and their modules calls, whole enough to be a root folder of its own. */
    static final PackageSet KERNEL_BUILD = new PackageSet(
            "kernel-build",
            "trixie",
            false,
            List.of(
                    "base-files",
                    "dash",
                    "bash",
                    "coreutils",
                    "sed",
                    "grep",
                    "findutils",
                    "diffutils",
                    "gzip",
                    "xz-utils",
                    "tar",
                    "mawk",
                    "perl-base",
                    "gcc",
                    "make",
                    "libc6-dev",
                    "flex",
                    "bison",
                    "bc",
                    "kmod",
                    "libelf-dev"),
            List.of("adduser", "passwd", "base-passwd", "debconf", "dpkg", "login.defs", "init-system-helpers"));

    /** libvirt's schemas, and the program that holds documents against them. */
    static final PackageSet LIBVIRT_SCHEMA = new PackageSet(
            "libvirt-schema", "trixie", false, List.of("libvirt-common", "libxml2-utils"), LIBVIRT_ASSUMED);

    /** libvirtd, virsh and the QEMU that they run, whole enough to be a root folder of its own. */
    static final PackageSet LIBVIRT = new PackageSet(
            "libvirt",
            "trixie",
            false,
            List.of(
                    "libvirt-daemon",
                    "libvirt-daemon-driver-qemu",
                    "libvirt-clients",
                    "qemu-system-x86",
                    "seabios",
                    "dash",
                    "coreutils"),
            Stream.concat(
                            INSTALLATION_ONLY.stream(),
                            Stream.of(
                                    "libsasl2-modules",
                                    "ucf",
                                    "debconf-2.0",
                                    "systemd",
                                    "systemd-sysv",
                                    "init",
                                    "libpam-systemd",
                                    "dbus",
                                    "logind",
                                    "udev",
                                    "python3",
                                    "lvm2",
                                    "dmidecode",
                                    "gettext-base",
                                    "netcat-openbsd",
                                    "parted",
                                    "polkitd",
                                    "mdevctl",
                                    "libvirt-daemon-lock",
                                    "libvirt-daemon-config-network",
                                    "libvirt-daemon-config-nwfilter"))
                    .toList());

    PackageSet {
        packages = List.copyOf(packages);
        assumed = List.copyOf(assumed);
    }

    /** The folder's name in the cache: another definition never touches the folder of this one. */
    String folder() {
        return name + "-" + digest(toString()).substring(0, 8);
    }

    static String digest(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException("Every JDK has SHA-256", e);
        }
    }
}
