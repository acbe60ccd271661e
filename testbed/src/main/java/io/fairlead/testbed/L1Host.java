package io.fairlead.testbed;

import io.fairlead.qemu.QemuBinary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A host with a kernel that has the vDPA framework: a guest ("L1") that sees this machine's files at their own paths,
 * read only with memory above, so that JDK, QEMU and this project are there as they are here. What it writes is gone when
 * it ends, but for {@link #sharedDirectory}. Commands run as root, several at once if wanted. Any thread.
 */
public final class L1Host implements AutoCloseable {
    private static final Duration END_TIMEOUT = Duration.ofSeconds(30);

    /** Programs of fetched packages that an L1 host finds by their names. */
    private static final List<String> PROGRAMS = List.of(
            "usr/sbin/vdpa",
            "usr/bin/ip",
            "usr/bin/fio",
            "usr/sbin/mke2fs",
            "usr/sbin/e2fsck",
            "usr/sbin/blkdiscard",
            "usr/sbin/blockdev",
            "usr/bin/lsblk",
            "usr/bin/socat",
            "usr/bin/iperf3",
            "usr/bin/ping",
            "usr/bin/sg_inq",
            "usr/bin/sg_readcap",
            "usr/bin/sg_luns");

    private final Guest guest;
    private final Path folder;
    private final Path shared;
    private final AtomicInteger nextId = new AtomicInteger();

    private L1Host(Guest guest, Path folder, Path shared) {
        this.guest = guest;
        this.folder = folder;
        this.shared = shared;
    }

    static L1Host start(Testbed testbed, L1Spec spec, L1Images.Images images) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("fairlead-l1-");
        Path shared = Files.createDirectories(folder.resolve("shared"));
        Guest guest = null;
        boolean started = false;
        try {
            writePrograms(testbed, shared.resolve("bin"));
            GuestSpec guestSpec = GuestSpec.job(agent(shared))
                    .name(spec.name)
                    .memoryMib(spec.memoryMib)
                    .processors(spec.processors)
                    .bootTimeout(spec.bootTimeout)
                    .workDirectory(folder.resolve("guest"))
                    .arguments("-virtfs", share("/", "hostroot") + ",readonly=on")
                    .arguments("-virtfs", share(shared.toString(), "shared"))
                    .arguments(spec.arguments.toArray(String[]::new))
                    .customize(builder -> builder.kernel(
                            images.kernel().image(), images.initramfs(), kernelArguments(spec, images.kernel())));
            guest = testbed.start(guestSpec);
            guest.awaitBoot();
            L1Host host = new L1Host(guest, folder, shared);
            L1Link link = spec.link;
            if (link != null) {
                String _ = host.run(link.script(), spec.bootTimeout);
            }
            started = true;
            return host;
        } finally {
            if (!started) {
                if (guest != null) {
                    guest.close();
                }
                Cache.deleteTree(folder);
            }
        }
    }

    private static String share(String path, String tag) {
        return "local,path=" + path.replace(",", ",,") + ",mount_tag=" + tag + ",security_model=none,multidevs=remap";
    }

    private static String kernelArguments(L1Spec spec, GuestKernel kernel) {
        List<String> words = new ArrayList<>(List.of(GuestImages.KERNEL_ARGUMENTS));
        words.add("fairlead.modules-at=" + kernel.root().resolve("lib/modules").resolve(kernel.version()));
        // A guest's memory lies in many small pieces here, and Debian's kernels allow 2048 of them by default.
        words.add("vhost_vdpa.max_iotlb_entries=4194304");
        words.addAll(spec.kernelArguments);
        return String.join(" ", words);
    }

    private static String agent(Path shared) throws IOException {
        return GuestImages.resource("l1-agent.sh").replace("@SHARED@", shared.toString());
    }

    /** Each is started through the loader of its packages, as on this machine. */
    private static void writePrograms(Testbed testbed, Path bin) throws IOException {
        Files.createDirectories(bin);
        Map<String, List<String>> commands = new TreeMap<>();
        for (String program : PROGRAMS) {
            commands.put(Path.of(program).getFileName().toString(), testbed.hostCommand(program));
        }
        commands.put("qemu-storage-daemon", testbed.storageDaemon());
        QemuBinary qemu = testbed.qemu(QemuRelease.V11);
        List<String> words = new ArrayList<>(List.of("env"));
        qemu.environment().forEach((name, value) -> words.add(name + "=" + value));
        words.addAll(qemu.command());
        commands.put("qemu-system-x86_64", words);
        for (Map.Entry<String, List<String>> command : commands.entrySet()) {
            Path file = bin.resolve(command.getKey());
            Files.writeString(file, "#!/bin/sh\nexec " + quoted(command.getValue()) + " \"$@\"\n");
            Path _ = Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    /** Words as a shell reads them. */
    static String quoted(List<String> words) {
        return String.join(
                " ",
                words.stream()
                        .map(word -> "'" + word.replace("'", "'\\''") + "'")
                        .toList());
    }

    /** A folder that both see at the same path, for sockets not, for files that come back and go in. */
    public Path sharedDirectory() {
        return shared;
    }

    /** The outer guest: its console, its QEMU. */
    public Guest guest() {
        return guest;
    }

    /** Starts a shell script, as root, in the shared folder, with the programs of the test-bed first on its PATH. */
    public L1Command start(String script) throws IOException {
        int id = nextId.incrementAndGet();
        Path file = shared.resolve(id + ".sh");
        Files.writeString(file, environment() + script + "\n");
        L1Command command = new L1Command(this, id, script);
        guest.send("run " + id);
        return command;
    }

    /**
     * Runs a shell script to its end.
     *
     * @return what it printed to standard output
     * @throws IOException where it failed or took longer, with what it printed
     */
    public String run(String script, Duration timeout) throws IOException, InterruptedException {
        return start(script).awaitSuccess(timeout);
    }

    private String environment() {
        String java = System.getProperty("java.home");
        return "export HOME=" + quoted(List.of(System.getProperty("user.home"))) + "\n"
                + "export JAVA_HOME=" + quoted(List.of(java)) + "\n"
                + "export PATH=" + quoted(List.of(shared + "/bin:" + java + "/bin"))
                + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/fairlead/bin\n"
                + "ulimit -l unlimited\n";
    }

    /** Powers it off. */
    @Override
    public void close() throws IOException {
        try {
            guest.send("end");
            boolean _ = guest.machine().awaitExit(END_TIMEOUT).isPresent();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            guest.close();
            Cache.deleteTree(folder);
        }
    }
}
