package io.fairlead.testbed;

import io.fairlead.qemu.Accelerator;
import io.fairlead.qemu.ProgramRoot;
import io.fairlead.qemu.QemuBinary;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What tests, demo and benchmarks need: each thing is fetched or made when it is first asked for, kept in the cache
 * folder ($FAIRLEAD_CACHE, else $XDG_CACHE_HOME/fairlead, else ~/.cache/fairlead), and found there in milliseconds from
 * then on. Any thread; several processes may share a cache.
 *
 * <p>Every method throws {@link TestbedException} where something cannot be had, saying what to do.
 */
public final class Testbed implements AutoCloseable {
    private static final String LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu/";

    private static final Duration UNPACK_TIMEOUT = Duration.ofMinutes(2);

    private final Cache cache;
    private final Progress progress;
    private final TestbedOptions options;
    private final PackageStore store;
    private final Map<QemuRelease, QemuBinary> qemus = new EnumMap<>(QemuRelease.class);
    private final Map<QemuRelease, Accelerator> accelerators = new EnumMap<>(QemuRelease.class);
    private @Nullable GuestImages images;

    private Testbed(Cache cache, Progress progress, TestbedOptions options) {
        this.cache = cache;
        this.progress = progress;
        this.options = options;
        this.store = new PackageStore(cache, new Apt(cache.resolve("apt")), progress);
    }

    /** With the cache folder of the environment and everything fetched. */
    public static Testbed open(Progress progress) {
        return open(progress, TestbedOptions.ofEnvironment());
    }

    /** With what the user chose instead of fetched things. */
    public static Testbed open(Progress progress, TestbedOptions options) {
        return new Testbed(new Cache(options.cacheDirectory()), progress, options);
    }

    /** The cache folder. */
    public Path cacheDirectory() {
        return cache.directory();
    }

    /** Fetches and makes everything that a guest on this QEMU needs. */
    public void prepare(QemuRelease release) throws IOException {
        QemuBinary _ = qemu(release);
        Path _ = rootImage();
        Accelerator _ = accelerator(release);
    }

    /** A QEMU; the user's own where one was chosen, whatever release is asked for. */
    public synchronized QemuBinary qemu(QemuRelease release) throws IOException {
        QemuBinary known = qemus.get(release);
        if (known == null) {
            Path own = options.qemu();
            known = own != null ? QemuBinary.direct(own) : QemuBinary.in(store.get(release.packages()));
            qemus.put(release, known);
        }
        return known;
    }

    /** The same as one program, for those who start it by themselves: a script in the cache. */
    public Path qemuProgram(QemuRelease release) throws IOException {
        QemuBinary qemu = qemu(release);
        StringBuilder script = new StringBuilder("#!/bin/sh\n");
        qemu.environment()
                .forEach((name, value) -> script.append("export ")
                        .append(name)
                        .append('=')
                        .append(quoted(value))
                        .append('\n'));
        script.append("exec");
        qemu.command().forEach(word -> script.append(' ').append(quoted(word)));
        script.append(" \"$@\"\n");
        Path program = cache.resolve("qemu-" + qemu.version() + ".sh");
        if (!Files.exists(program) || !Files.readString(program).contentEquals(script)) {
            Cache.writeAtomically(program, script.toString());
            if (!program.toFile().setExecutable(true)) {
                throw new TestbedException(program + " cannot be made a program");
            }
        }
        return program;
    }

    private static String quoted(String word) {
        return "'" + word.replace("'", "'\\''") + "'";
    }

    /** The guests' kernel. */
    public GuestKernel kernel() throws IOException {
        GuestKernel own = options.kernel();
        return own != null ? own : GuestKernel.in(store.get(PackageSet.KERNEL_6_12));
    }

    /** The first file system for {@link #kernel}: enough for a guest without a disk. Shared: never write to it. */
    public Path initramfs() throws IOException {
        return images().initramfs();
    }

    /** The first file system for {@link #kernel} that goes on to the root file system of {@link #rootImage}. */
    public Path bootInitramfs() throws IOException {
        return images().bootInitramfs();
    }

    /**
     * A disk from which guests boot: by its boot sector, by UEFI, or with {@link #kernel} and {@link #bootInitramfs} given
     * directly. Shared: never write to it, see {@link #copyRootImage}.
     */
    public Path rootImage() throws IOException {
        return images().disk();
    }

    /** A private copy of {@link #rootImage}, with holes where it has them. */
    public void copyRootImage(Path target) throws IOException {
        SparseFiles.copy(rootImage(), target);
    }

    /** libblkio 1.5 or later; the host's own libc is enough for it. */
    public Libblkio libblkio() throws IOException {
        ProgramRoot root = store.get(PackageSet.LIBBLKIO);
        return new Libblkio(root.file(LIBRARY_FOLDER + "libblkio.so.1").toRealPath(), root.file("usr/include"));
    }

    /** The command that starts qemu-storage-daemon of {@link QemuRelease#V11}. */
    public List<String> storageDaemon() throws IOException {
        return storageDaemon(QemuRelease.V11);
    }

    /** The command that starts a release's qemu-storage-daemon. */
    public List<String> storageDaemon(QemuRelease release) throws IOException {
        return store.get(release.packages()).command("usr/bin/qemu-storage-daemon");
    }

    /** The command that starts virtiofsd. */
    public List<String> virtiofsd() throws IOException {
        return store.get(PackageSet.VIRTIOFSD).command("usr/libexec/virtiofsd");
    }

    /**
     * A folder of unpacked packages with git, make, tcc and the C library with its headers, for guests that mount it. Shared:
     * never write to it.
     */
    public ProgramRoot buildTools() throws IOException {
        return store.get(PackageSet.BUILD_TOOLS);
    }

    /** The command that starts DPDK's testpmd with the drivers net_vhost and net_virtio_user; EAL's options come next. */
    public List<String> testpmd() throws IOException {
        ProgramRoot root = store.get(PackageSet.DPDK);
        List<String> command = new ArrayList<>(root.command("usr/bin/dpdk-testpmd"));
        Path libraries = root.file(LIBRARY_FOLDER);
        for (String driver : List.of("bus_vdev", "mempool_ring", "net_vhost", "net_virtio")) {
            command.add("-d");
            command.add(driver(libraries, driver).toString());
        }
        return List.copyOf(command);
    }

    /** The file ends in the version of the interface. */
    private static Path driver(Path libraries, String name) throws IOException {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(libraries, "librte_" + name + ".so.*")) {
            for (Path path : found) {
                return path.toRealPath();
            }
        }
        throw new IOException("DPDK's packages have no driver " + name);
    }

    /** The command that starts a program of the guests' userland on the host, such as {@code usr/bin/fio}. */
    public List<String> hostCommand(String program) throws IOException {
        return store.get(PackageSet.USERLAND).command(program);
    }

    /** The command that holds XML documents against schemas. */
    public List<String> xmllint() throws IOException {
        return store.get(PackageSet.LIBVIRT_SCHEMA).command("usr/bin/xmllint");
    }

    /** libvirt's own schema of domains, in Relax NG. */
    public Path libvirtDomainSchema() throws IOException {
        return store.get(PackageSet.LIBVIRT_SCHEMA).file("usr/share/libvirt/schemas/domain.rng");
    }

    /**
     * libvirt's own test data for QEMU's domains: a folder of documents, right ones and wrong ones. Never write to it.
     */
    public Path libvirtDomains() throws IOException {
        Path folder = store.source("trixie", "libvirt");
        Path unpacked = folder.resolve("domains");
        if (!Files.isDirectory(unpacked)) {
            try (Cache.Held _ = cache.lock()) {
                if (!Files.isDirectory(unpacked)) {
                    unpackDomains(folder, unpacked);
                }
            }
        }
        return unpacked;
    }

    private static void unpackDomains(Path folder, Path unpacked) throws IOException {
        Path partial = Files.createDirectories(folder.resolve("domains.partial"));
        try (DirectoryStream<Path> archives = Files.newDirectoryStream(folder, "libvirt_*.orig.tar.*[!c]")) {
            for (Path archive : archives) {
                String _ = Command.of("tar", "-xf", archive.toString(), "-C", partial.toString())
                        .and("--strip-components=3", "--wildcards", "*/tests/qemuxmlconfdata/*.xml")
                        .run(UNPACK_TIMEOUT);
                Files.move(partial, unpacked, StandardCopyOption.ATOMIC_MOVE);
                return;
            }
        }
        throw new TestbedException(
                "The source of libvirt has no archive in " + folder + ": delete the folder and try again");
    }

    /**
     * Starts a libvirtd that plays a host of its own; needs root. The caller closes it.
     *
     * @param name the host's
     * @param folder for its files, with a short path; made where it is not there
     * @param seen folders and files of this machine that it sees, and where
     */
    public LibvirtHost startLibvirt(String name, Path folder, Map<Path, Path> seen)
            throws IOException, InterruptedException {
        return LibvirtHost.start(store.get(PackageSet.LIBVIRT), name, folder, seen);
    }

    /** The UEFI firmware's code, read only. */
    public Path uefiCode() throws IOException {
        return store.get(PackageSet.USERLAND).file("usr/share/OVMF/OVMF_CODE_4M.fd");
    }

    /** The UEFI firmware's variables as delivered, to be copied for each machine. */
    public Path uefiVariables() throws IOException {
        return store.get(PackageSet.USERLAND).file("usr/share/OVMF/OVMF_VARS_4M.fd");
    }

    /** KVM where a guest really starts under it on this machine, else TCG; the user's choice where there is one. */
    public synchronized Accelerator accelerator(QemuRelease release) throws IOException {
        Accelerator chosen = options.accelerator();
        if (chosen != null) {
            return chosen;
        }
        Accelerator known = accelerators.get(release);
        if (known == null) {
            known = new AcceleratorProbe(cache, progress).choose(qemu(release), kernel(), initramfs());
            accelerators.put(release, known);
        }
        return known;
    }

    /** Starts a guest; the caller closes it. */
    public Guest start(GuestSpec spec) throws IOException {
        return Guest.start(this, spec);
    }

    /** Whether an L1 host with this kernel can be started without fetching or building anything. */
    public boolean hasL1(L1Kernel kernel) throws IOException {
        return l1Images(kernel).isThere();
    }

    /** Fetches and builds what L1 hosts with this kernel need; tells the kernel's version. */
    public String prepareL1(L1Kernel kernel) throws IOException {
        return l1Images(kernel).get().kernel().version();
    }

    /** Starts an L1 host and waits until it takes commands; the caller closes it. */
    public L1Host start(L1Spec spec) throws IOException, InterruptedException {
        return L1Host.start(this, spec, l1Images(spec.kernel).get());
    }

    /** Whether {@link #forL2Guests} has nothing to fetch and to build. */
    public boolean hasL2() throws IOException {
        return l2Kernel().isThere();
    }

    /**
     * The same test-bed for use inside an L1 host: its guests have a small kernel and run under the KVM that L1 emulates.
     * Makes their images too, which is to be done before L1 starts.
     */
    public Testbed forL2Guests() throws IOException {
        Testbed inner = new Testbed(
                cache, progress, options.withKernel(l2Kernel().get()).withAccelerator(Accelerator.KVM));
        Path _ = inner.rootImage();
        return inner;
    }

    private L2Kernel l2Kernel() {
        return new L2Kernel(cache, progress, store);
    }

    private L1Images l1Images(L1Kernel kernel) {
        return new L1Images(cache, progress, store, kernel);
    }

    /** Nothing is held open; for try-with-resources. */
    @Override
    public void close() {}

    private synchronized GuestImages images() throws IOException {
        if (images == null) {
            ProgramRoot userland = store.get(PackageSet.USERLAND);
            images = new GuestImages(cache, progress, kernel(), userland, store.stamp(PackageSet.USERLAND));
        }
        return images;
    }
}
