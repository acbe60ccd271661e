package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Chooses a kernel's modules with all that they need, and lays them out, uncompressed, for a guest. */
final class KernelModules {
    private static final Duration TIMEOUT = Duration.ofMinutes(5);

    private final GuestKernel kernel;
    private final ProgramRoot tools;
    private final String dependencies;

    private KernelModules(GuestKernel kernel, ProgramRoot tools, String dependencies) {
        this.kernel = kernel;
        this.tools = tools;
        this.dependencies = dependencies;
    }

    /**
     * The modules of a kernel.
     *
     * @param tools has kmod and busybox
     * @param scratch an existing folder for intermediate files
     */
    static KernelModules of(GuestKernel kernel, ProgramRoot tools, Path scratch) throws IOException {
        depmod(tools, kernel.version(), kernel.root(), scratch);
        Path list = scratch.resolve("lib/modules").resolve(kernel.version()).resolve("modules.dep");
        return new KernelModules(kernel, tools, Files.readString(list));
    }

    /**
     * Copies modules into {@code target/lib/modules/VERSION}, with the indexes that modprobe reads.
     *
     * @param names module names, with underscores; those that are built in or unknown to this kernel are left out
     */
    void copy(List<String> names, Path target) throws IOException {
        copy(names, target, List.of());
    }

    /**
     * As {@link #copy(List, Path)}, and others that belong to the same kernel.
     *
     * @param built module files, uncompressed
     */
    void copy(List<String> names, Path target, List<Path> built) throws IOException {
        Path from = kernel.root().resolve("lib/modules").resolve(kernel.version());
        Path to = target.resolve("lib/modules").resolve(kernel.version());
        Files.createDirectories(to);
        for (String file : closure(dependencies, names)) {
            Path copy = to.resolve(uncompressedName(file));
            Files.createDirectories(copy.getParent());
            uncompress(from.resolve(file), copy);
        }
        for (Path module : built) {
            Path copy = to.resolve("updates").resolve(module.getFileName());
            Files.createDirectories(copy.getParent());
            Files.copy(module, copy);
        }
        for (String index : List.of("modules.order", "modules.builtin", "modules.builtin.modinfo")) {
            Files.copy(from.resolve(index), to.resolve(index));
        }
        depmod(tools, kernel.version(), target, target);
    }

    /**
     * The files of modules and of all that they depend on.
     *
     * @param dependencies the contents of modules.dep: lines of {@code FILE: FILE...}
     */
    static List<String> closure(String dependencies, List<String> names) {
        Map<String, String> fileByName = new HashMap<>();
        Map<String, List<String>> needs = new HashMap<>();
        for (String line : dependencies.split("\n", -1)) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                String file = line.substring(0, colon);
                fileByName.put(moduleName(file), file);
                String rest = line.substring(colon + 1).strip();
                needs.put(file, rest.isEmpty() ? List.of() : List.of(rest.split(" +", -1)));
            }
        }
        Set<String> files = new LinkedHashSet<>();
        for (String name : names) {
            String file = fileByName.get(name);
            if (file != null) {
                // modules.dep lists indirect dependencies too.
                files.add(file);
                files.addAll(needs.getOrDefault(file, List.of()));
            }
        }
        List<String> sorted = new ArrayList<>(files);
        sorted.sort(null);
        return sorted;
    }

    /** {@code kernel/drivers/block/virtio_blk.ko.xz} is {@code virtio_blk}; hyphens count as underscores. */
    static String moduleName(String file) {
        String name = file.substring(file.lastIndexOf('/') + 1);
        int dot = name.indexOf('.');
        return (dot < 0 ? name : name.substring(0, dot)).replace('-', '_');
    }

    private static String uncompressedName(String file) {
        int end = file.indexOf(".ko");
        return file.substring(0, end + 3);
    }

    private void uncompress(Path from, Path to) throws IOException {
        String name = from.getFileName().toString();
        if (name.endsWith(".ko")) {
            Files.copy(from, to);
            return;
        }
        String program = name.endsWith(".xz") ? "unxz" : name.endsWith(".gz") ? "gunzip" : "";
        if (program.isEmpty()) {
            throw new IOException("Modules are compressed in a way that is not supported: " + from);
        }
        ProcessBuilder builder = new ProcessBuilder(Userland.busybox(tools).toString(), program, "-c", from.toString());
        builder.redirectOutput(to.toFile()).redirectError(ProcessBuilder.Redirect.DISCARD);
        try {
            int exitCode = builder.start().waitFor();
            if (exitCode != 0) {
                throw new IOException("Cannot uncompress " + from + ": exit code " + exitCode);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while uncompressing modules", e);
        }
    }

    private static void depmod(ProgramRoot tools, String version, Path base, Path out) throws IOException {
        Files.createDirectories(out.resolve("lib/modules").resolve(version));
        // kmod is one program that goes by its first word, which the loader can set.
        String _ = Command.of(tools.commandAs("depmod", "usr/bin/kmod"))
                .and("-b", base.toString(), "-o", out.toString(), version)
                .run(TIMEOUT);
    }
}
