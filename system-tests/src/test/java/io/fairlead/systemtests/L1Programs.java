package io.fairlead.systemtests;

import io.fairlead.testbed.L1Host;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Java programs of L1 hosts. An emulated processor takes long to start a JVM, most of it for loading classes: so one run of
 * {@code fairlead serve} on this machine leaves start-up data (an AOT cache) for all of them. Thread-safe.
 */
final class L1Programs {
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    /** A short life is mostly compiled for nothing. */
    private static final List<String> OPTIONS =
            List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED");

    private static final int TRAINING_SECONDS = 120;

    private static @Nullable L1Programs instance;

    /** Relative paths would be those of this process. The tests' own classes come last: start-up data is of jars only. */
    private final List<Path> jars = new ArrayList<>();

    private final List<Path> folders = new ArrayList<>();
    private final List<String> startUpData = new ArrayList<>();

    private L1Programs() throws IOException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        for (String entry : classPath.split(":", -1)) {
            Path path = Path.of(entry).toAbsolutePath();
            if (Files.isRegularFile(path)) {
                jars.add(path);
            } else if (Files.isDirectory(path)) {
                folders.add(path);
            }
        }
        // Where other modules are folders of classes too, there is no jar of ours to learn from.
        if (jars.stream().anyMatch(jar -> jar.getFileName().toString().startsWith("fairlead-cli-"))) {
            learn();
        }
    }

    private static synchronized L1Programs get() throws IOException {
        if (instance == null) {
            instance = new L1Programs();
        }
        return instance;
    }

    /** Without it programs only start slower. */
    private void learn() throws IOException {
        Path folder = Files.createTempDirectory("fairlead-start-");
        Path data = folder.resolve("start.aot");
        Path image = Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
        Path output = folder.resolve("output");
        List.of(folder, data, image, output).forEach(path -> path.toFile().deleteOnExit());
        List<String> words = new ArrayList<>(List.of(JAVA));
        words.addAll(OPTIONS);
        words.addAll(List.of(
                "-XX:AOTCacheOutput=" + data,
                "-cp",
                joined(jars),
                "io.fairlead.cli.Main",
                "serve",
                "--device",
                "name=d,type=blk,socket=%s,path=%s".formatted(folder.resolve("socket"), image)));
        Process training = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(TRAINING_SECONDS);
            while (training.isAlive() && System.nanoTime() < end) {
                if (Files.readString(output).lines().anyMatch("ready"::equals)) {
                    boolean _ = training.toHandle().destroy();
                    boolean _ = training.waitFor(TRAINING_SECONDS, TimeUnit.SECONDS);
                }
                Thread.sleep(50);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while start-up data was made");
        } finally {
            training.destroyForcibly();
        }
        if (Files.exists(data)) {
            startUpData.addAll(List.of("-XX:AOTCache=" + data, "-Xlog:aot=off", "-Xlog:cds=off"));
        } else {
            Lab.report("L1 hosts have no start-up data: %s", Files.readString(output));
        }
    }

    private static String joined(List<Path> paths) {
        return String.join(":", paths.stream().map(Path::toString).toList());
    }

    /** Makes a class with a main method, of this project or its tests, a program on the host's PATH. */
    static void write(L1Host host, String name, String mainClass) throws IOException {
        L1Programs programs = get();
        List<String> words = new ArrayList<>(List.of("exec", JAVA));
        words.addAll(OPTIONS);
        words.addAll(programs.startUpData);
        words.addAll(List.of(
                "-cp",
                "'"
                        + joined(Stream.concat(programs.jars.stream(), programs.folders.stream())
                                .toList()) + "'",
                mainClass,
                "\"$@\""));
        Path file = host.sharedDirectory().resolve("bin").resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + String.join(" ", words) + "\n");
        Path _ = Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}
