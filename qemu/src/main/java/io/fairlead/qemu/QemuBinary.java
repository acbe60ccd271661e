package io.fairlead.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A system emulator of QEMU and how it is started: an installed one directly, an unpacked one through its folder's own
 * loader with its own data and modules. Immutable; any thread.
 */
public final class QemuBinary {
    private static final String PROGRAM = "usr/bin/qemu-system-x86_64";
    private static final List<String> DATA_FOLDERS =
            List.of("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu", "usr/share/ovmf");
    private static final String MODULE_FOLDER = "usr/lib/x86_64-linux-gnu/qemu";
    private static final int VERSION_TIMEOUT_SECONDS = 30;

    private final Path path;
    private final List<String> command;
    private final Map<String, String> environment;
    private final QemuVersion version;

    private QemuBinary(Path path, List<String> command, Map<String, String> environment) throws IOException {
        this.path = path;
        this.command = command;
        this.environment = environment;
        this.version = askVersion();
    }

    private QemuBinary(Path path, List<String> command, Map<String, String> environment, QemuVersion version) {
        this.path = path;
        this.command = command;
        this.environment = environment;
        this.version = version;
    }

    /**
     * A program that runs as it is.
     *
     * @throws IOException where it cannot be started or is not a QEMU
     */
    public static QemuBinary direct(Path program) throws IOException {
        return new QemuBinary(program, List.of(program.toString()), Map.of());
    }

    /**
     * The emulator of a folder of unpacked packages.
     *
     * @throws IOException where it is missing or cannot be started
     */
    public static QemuBinary in(ProgramRoot root) throws IOException {
        List<String> command = new ArrayList<>(root.command(PROGRAM));
        for (String folder : DATA_FOLDERS) {
            Path data = root.directory().resolve(folder);
            if (Files.isDirectory(data)) {
                command.add("-L");
                command.add(data.toString());
            }
        }
        // Modules of another build must never be loaded: an installed QEMU's folder is the built-in default.
        Map<String, String> environment = Map.of(
                "QEMU_MODULE_DIR", root.directory().resolve(MODULE_FOLDER).toString());
        return new QemuBinary(root.file(PROGRAM), List.copyOf(command), environment);
    }

    /** The same, started by a program that in the end replaces itself by the words that follow its own. */
    public QemuBinary startedBy(List<String> prefix) {
        List<String> words = new ArrayList<>(prefix);
        words.addAll(command);
        return new QemuBinary(path, List.copyOf(words), environment, version);
    }

    /** The program's file. */
    public Path path() {
        return path;
    }

    /** The start of every command line: what starts it, loader, program, data folders. */
    public List<String> command() {
        return command;
    }

    /** Environment variables that the program needs. */
    public Map<String, String> environment() {
        return environment;
    }

    public QemuVersion version() {
        return version;
    }

    /** A process builder for this program with further arguments. */
    public ProcessBuilder processBuilder(List<String> arguments) {
        List<String> all = new ArrayList<>(command);
        all.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(all);
        builder.environment().putAll(environment);
        return builder;
    }

    private QemuVersion askVersion() throws IOException {
        Process process = processBuilder(List.of("--version"))
                .redirectErrorStream(true)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        try {
            String output = new String(process.getInputStream().readNBytes(4096), StandardCharsets.UTF_8);
            if (!process.waitFor(VERSION_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException(path + " --version did not end within " + VERSION_TIMEOUT_SECONDS + " s");
            }
            return QemuVersion.parse(output)
                    .orElseThrow(() ->
                            new IOException(path + " is not a QEMU: --version printed \"" + output.strip() + "\""));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while asking " + path + " for its version", e);
        } finally {
            process.destroyForcibly();
        }
    }

    @Override
    public String toString() {
        return "QEMU " + version + " at " + path;
    }
}
