package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A stock libvirtd that plays a host: it has a root folder, a host name, processes and mounts of its own, and the network of
 * this machine. Its QEMUs end with it. Several may run at once, and machines migrate between them. Any thread.
 */
public final class LibvirtHost implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(1);
    private static final Duration COMMAND_TIMEOUT = Duration.ofMinutes(2);
    private static final int POLL_MILLIS = 50;
    private static final long END_SECONDS = 20;

    /** All that run: they end with this process, also where it is broken off. */
    private static final Set<LibvirtHost> RUNNING = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(() -> RUNNING.forEach(LibvirtHost::kill)));
    }

    private final ProgramRoot packages;
    private final Path folder;
    private final Process process;

    private LibvirtHost(ProgramRoot packages, Path folder, Process process) {
        this.packages = packages;
        this.folder = folder;
        this.process = process;
        RUNNING.add(this);
    }

    /** How a command ended and what it said. */
    public record Answer(int exitCode, String text) {}

    /** Why none can be started here; empty where nothing is known to be in the way. */
    public static Optional<String> obstacle() {
        return "root".equals(System.getProperty("user.name"))
                ? Optional.empty()
                : Optional.of("a libvirtd with mounts of its own needs root");
    }

    static LibvirtHost start(ProgramRoot packages, String name, Path folder, Map<Path, Path> seen)
            throws IOException, InterruptedException {
        Path absolute = folder.toAbsolutePath();
        Path root = absolute.resolve("root");
        for (String made : List.of("usr", "dev", "sys", "proc", "tmp", "root", "run/libvirt", "var/lib/libvirt/qemu")) {
            Files.createDirectories(root.resolve(made));
        }
        for (String made : List.of("etc/libvirt/hooks/qemu.d", "var/log/libvirt/qemu", "var/cache/libvirt/qemu")) {
            Files.createDirectories(root.resolve(made));
        }
        Files.writeString(
                root.resolve("etc/passwd"), "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:64055::/:/bin/false\n");
        Files.writeString(root.resolve("etc/group"), "root:x:0:\nkvm:x:64055:\nlibvirt-qemu:x:64055:\n");
        Files.writeString(root.resolve("etc/hosts"), "127.0.0.1 localhost " + name + "\n");
        Files.writeString(root.resolve("etc/nsswitch.conf"), "hosts: files\n");
        Files.writeString(root.resolve("etc/libvirt/libvirtd.conf"), """
                        host_uuid = "%s"
                        unix_sock_dir = "/run/libvirt"
                        auth_unix_rw = "none"
                        log_outputs = "3:stderr"
                        """.formatted(UUID.randomUUID()));
        // QEMU as root, which has every socket and image; no daemon beside libvirtd.
        Files.writeString(root.resolve("etc/libvirt/qemu.conf"), """
                        user = "+0"
                        group = "+0"
                        dynamic_ownership = 0
                        remember_owner = 0
                        security_driver = "none"
                        namespaces = []
                        cgroup_controllers = []
                        stdio_handler = "file"
                        """);
        Path script = absolute.resolve("start.sh");
        Files.writeString(script, Resources.text("libvirt-host.sh"));
        List<String> words = new ArrayList<>(List.of(
                "unshare",
                "--mount",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                "sh",
                script.toString(),
                packages.directory().toString(),
                root.toString(),
                name));
        seen.forEach((from, to) -> {
            words.add(from.toAbsolutePath().toString());
            words.add(to.toString());
        });
        Process process = new ProcessBuilder(words)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(absolute.resolve("libvirtd.log").toFile())
                .start();
        LibvirtHost host = new LibvirtHost(packages, absolute, process);
        boolean ready = false;
        try {
            host.awaitReady();
            ready = true;
            return host;
        } finally {
            if (!ready) {
                host.close();
            }
        }
    }

    private void awaitReady() throws IOException, InterruptedException {
        long end = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!Files.exists(socket()) || virshAnyway("version").exitCode() != 0) {
            if (!process.isAlive() || System.nanoTime() > end) {
                throw new IOException("libvirtd does not answer: " + log());
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    private Path socket() {
        return root().resolve("run/libvirt/libvirt-sock");
    }

    /** Its root folder, as this machine has it; what is mounted there is not seen in it. */
    public Path root() {
        return folder.resolve("root");
    }

    /** How others reach it, who see its root folder. */
    public String uri() {
        return "qemu+unix:///system?socket=" + socket();
    }

    /**
     * Runs a command of virsh.
     *
     * @return what it said
     * @throws IOException where it fails, with what it said and the end of libvirtd's log
     */
    public String virsh(String... words) throws IOException {
        Answer answer = virshAnyway(words);
        if (answer.exitCode() != 0) {
            throw new IOException("virsh " + String.join(" ", words) + ": " + answer.text() + "\n" + log());
        }
        return answer.text();
    }

    /** The same where it may fail. */
    public Answer virshAnyway(String... words) throws IOException {
        Command.Result result = Command.of(packages.command("usr/bin/virsh"))
                .and("-q", "-c", uri())
                .and(words)
                .runAnyway(COMMAND_TIMEOUT);
        return new Answer(result.exitCode(), (result.output() + result.errors()).strip());
    }

    /** The end of what libvirtd logged. */
    public String log() throws IOException {
        String text = new String(Files.readAllBytes(folder.resolve("libvirtd.log")), StandardCharsets.UTF_8);
        return text.substring(Math.max(0, text.length() - 4000));
    }

    private void kill() {
        // The first process of its own, and with it all others.
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /** Ends it and its machines at once. */
    @Override
    public void close() throws IOException {
        List<ProcessHandle> all = process.descendants().toList();
        kill();
        RUNNING.remove(this);
        try {
            for (ProcessHandle one : all) {
                var _ = one.onExit().get(END_SECONDS, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("libvirtd's processes do not end: " + all, e);
        }
    }
}
