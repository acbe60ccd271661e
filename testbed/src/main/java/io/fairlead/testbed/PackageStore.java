package io.fairlead.testbed;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Sets of packages, each unpacked into a folder of the cache. A set is there when its stamp is, which is written last;
 * a folder without a stamp is what an interrupted try left, and is made anew from the package files that are kept.
 */
final class PackageStore {
    static final String STAMP = "fairlead-packages.txt";

    private static final Duration UNPACK_TIMEOUT = Duration.ofMinutes(5);
    private static final int UNPACKERS = 2;

    private final Cache cache;
    private final Progress progress;
    private final PackageSource source;
    private boolean updated;

    PackageStore(Cache cache, PackageSource source, Progress progress) {
        this.cache = cache;
        this.source = source;
        this.progress = progress;
    }

    /** A set's folder, fetched and unpacked first where it is not there. */
    ProgramRoot get(PackageSet set) throws IOException {
        Path folder = folder(set);
        if (!isComplete(folder)) {
            try (Cache.Held _ = cache.lock()) {
                // Another process may have been at it while this one waited.
                if (!isComplete(folder)) {
                    fetch(set, folder);
                }
            }
        }
        return new ProgramRoot(folder);
    }

    /**
     * A folder with the upstream archive of a source package, which is fetched first where it is not there.
     *
     * @param release such as {@code trixie}
     */
    Path source(String release, String name) throws IOException {
        Path folder = cache.resolve("sources").resolve(release + "-" + name);
        if (!isComplete(folder)) {
            try (Cache.Held _ = cache.lock()) {
                if (!isComplete(folder)) {
                    progress.step("Fetching the source of " + name);
                    Cache.deleteTree(folder);
                    Files.createDirectories(folder);
                    source.downloadSource(release, name, folder);
                    Cache.writeAtomically(folder.resolve(STAMP), name + "\n");
                }
            }
        }
        return folder;
    }

    /** The names of a set's package files, which have the versions, one a line. */
    String stamp(PackageSet set) throws IOException {
        return Files.readString(folder(set).resolve(STAMP));
    }

    /** Whether a set can be used without fetching. */
    boolean has(PackageSet set) {
        return isComplete(folder(set));
    }

    private Path folder(PackageSet set) {
        return cache.resolve("sets").resolve(set.folder());
    }

    private static boolean isComplete(Path folder) {
        return Files.isRegularFile(folder.resolve(STAMP));
    }

    private void fetch(PackageSet set, Path folder) throws IOException {
        if (!updated) {
            progress.step("Fetching the lists of packages");
            source.update();
            updated = true;
        }
        progress.step("Fetching " + set.name());
        List<String> names = source.resolve(set);
        // The plan has all files, those included that an earlier try fetched.
        List<PackageSource.Archive> archives = source.plan(set, names);
        source.download(set, names, archives, progress);
        progress.step("Unpacking " + set.name() + " (" + archives.size() + " packages)");
        Cache.deleteTree(folder);
        Files.createDirectories(folder);
        List<Path> files = archives.stream()
                .map(archive -> source.archives().resolve(archive.fileName()))
                .toList();
        unpack(files, folder);
        List<String> lines =
                archives.stream().map(PackageSource.Archive::fileName).sorted().toList();
        Cache.writeAtomically(folder.resolve(STAMP), String.join("\n", lines) + "\n");
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
    }

    private static void unpack(List<Path> files, Path folder) throws IOException {
        try (ExecutorService unpackers = Executors.newFixedThreadPool(UNPACKERS)) {
            List<Future<String>> tasks = new ArrayList<>();
            for (Path file : files) {
                tasks.add(unpackers.submit(() -> Command.of("dpkg-deb", "-x", file.toString(), folder.toString())
                        .run(UNPACK_TIMEOUT)));
            }
            for (Future<String> task : tasks) {
                String _ = task.get();
            }
        } catch (ExecutionException e) {
            throw new IOException("Cannot unpack into " + folder + ": " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while unpacking into " + folder, e);
        }
    }
}
