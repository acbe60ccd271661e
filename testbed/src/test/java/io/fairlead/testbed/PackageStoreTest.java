package io.fairlead.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.qemu.ProgramRoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackageStoreTest {
    private static final PackageSet SET = new PackageSet("set", "trixie", false, List.of("one", "two"), List.of());
    private static final PackageSet OTHER = new PackageSet("other", "trixie", false, List.of("one"), List.of());

    @TempDir
    Path folder;

    private Cache cache;
    private LocalSource source;

    @BeforeEach
    void open() throws Exception {
        cache = new Cache(folder.resolve("cache"));
        source = new LocalSource(folder.resolve("mirror"), cache.resolve("archives"));
    }

    @Test
    void unpacksOnceAndAsksNobodyTheSecondTime() throws Exception {
        ProgramRoot root = store().get(SET);
        assertThat(root.directory().resolve("usr/share/one")).hasContent("one");
        assertThat(root.directory().resolve("usr/share/two")).hasContent("two");
        assertThat(store().stamp(SET)).isEqualTo("one_1_all.deb\ntwo_1_all.deb\n");
        int calls = source.calls.get();
        assertThat(store().get(SET)).isEqualTo(root);
        assertThat(source.calls).hasValue(calls);
        assertThat(source.archives()).isEmptyDirectory();
    }

    @Test
    void aFolderWithoutAStampIsMadeAnew() throws Exception {
        Path root = store().get(SET).directory();
        Files.delete(root.resolve(PackageStore.STAMP));
        Files.delete(root.resolve("usr/share/two"));
        Files.writeString(root.resolve("left-over"), "x");
        assertThat(store().has(SET)).isFalse();
        assertThat(store().get(SET).directory().resolve("usr/share/two")).hasContent("two");
        assertThat(root.resolve("left-over")).doesNotExist();
    }

    @Test
    void aFailedDownloadLeavesNoStampAndItsFilesAreKept() throws Exception {
        source.failAfter = 1;
        assertThatThrownBy(() -> store().get(SET)).isInstanceOf(TestbedException.class);
        assertThat(store().has(SET)).isFalse();
        assertThat(source.archives().resolve("one_1_all.deb")).exists();
        source.failAfter = Integer.MAX_VALUE;
        source.copied.clear();
        assertThat(store().get(SET).directory().resolve("usr/share/two")).hasContent("two");
        assertThat(source.copied).containsExactly("two_1_all.deb");
    }

    @Test
    void aBrokenPackageLeavesNoStamp() throws Exception {
        Files.writeString(source.mirror.resolve("two_1_all.deb"), "not a package");
        assertThatThrownBy(() -> store().get(SET))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("two_1_all.deb");
        assertThat(store().has(SET)).isFalse();
    }

    @Test
    void threadsThatWantTheSameSetFetchItOnce() throws Exception {
        List<Callable<ProgramRoot>> tasks = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            PackageSet wanted = i % 2 == 0 ? SET : OTHER;
            tasks.add(() -> store().get(wanted));
        }
        try (ExecutorService executor = Executors.newFixedThreadPool(8)) {
            for (Future<ProgramRoot> root : executor.invokeAll(tasks)) {
                assertThat(root.get().directory().resolve("usr/share/one")).hasContent("one");
            }
        }
        assertThat(source.downloads).hasValue(2);
        assertThat(source.atOnce).hasValue(0);
        assertThat(source.mostAtOnce).hasValue(1);
    }

    @Test
    void anotherProcessThatHoldsTheLockIsWaitedFor() throws Exception {
        Path ready = folder.resolve("ready");
        Files.createDirectories(cache.directory());
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        LockHolder.class.getName(),
                        cache.directory().toString(),
                        ready.toString())
                .inheritIO()
                .redirectInput(ProcessBuilder.Redirect.PIPE)
                .start();
        try {
            long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (!Files.exists(ready) && System.nanoTime() < deadline) {
                Thread.sleep(10);
            }
            assertThat(ready).exists();
            Thread getter = Thread.ofPlatform().start(() -> {
                try {
                    ProgramRoot _ = store().get(SET);
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            getter.join(200);
            assertThat(source.calls)
                    .as("nothing is fetched while the other holds the lock")
                    .hasValue(0);
            // A killed process gives its lock back.
            other.destroyForcibly().waitFor();
            getter.join();
            assertThat(store().has(SET)).isTrue();
        } finally {
            other.destroyForcibly();
        }
    }

    @Test
    void theLockMayBeTakenTwiceByOneThread() throws Exception {
        try (Cache.Held _ = cache.lock()) {
            try (Cache.Held _ = cache.lock()) {
                assertThat(cache.resolve("lock")).exists();
            }
            ProgramRoot _ = store().get(SET);
        }
        assertThat(store().has(SET)).isTrue();
    }

    private PackageStore store() {
        return new PackageStore(cache, source, Progress.NONE);
    }

    /** Packages made here, "fetched" by copying. */
    private static final class LocalSource implements PackageSource {
        @Override
        public void downloadSource(String release, String name, Path folder) {
            throw new AssertionError("not asked for");
        }

        final Path mirror;
        final AtomicInteger calls = new AtomicInteger();
        final AtomicInteger downloads = new AtomicInteger();
        final AtomicInteger atOnce = new AtomicInteger();
        final AtomicInteger mostAtOnce = new AtomicInteger();
        final List<String> copied = new ArrayList<>();
        int failAfter = Integer.MAX_VALUE;
        private final Path archives;

        LocalSource(Path mirror, Path archives) throws IOException {
            this.mirror = Files.createDirectories(mirror);
            this.archives = Files.createDirectories(archives);
            for (String name : List.of("one", "two")) {
                Path tree = mirror.resolve(name);
                Files.createDirectories(tree.resolve("DEBIAN"));
                Files.createDirectories(tree.resolve("usr/share"));
                Files.writeString(tree.resolve("usr/share").resolve(name), name);
                Files.writeString(
                        tree.resolve("DEBIAN/control"),
                        "Package: " + name
                                + "\nVersion: 1\nArchitecture: all\nMaintainer: none <none@example.org>\nDescription: x\n");
                String _ = Command.of("dpkg-deb", "--root-owner-group", "-b", tree.toString())
                        .and(mirror.resolve(name + "_1_all.deb").toString())
                        .run(Duration.ofMinutes(1));
            }
        }

        @Override
        public void update() {
            calls.incrementAndGet();
        }

        @Override
        public List<String> resolve(PackageSet set) {
            calls.incrementAndGet();
            return set.packages();
        }

        @Override
        public List<Archive> plan(PackageSet set, List<String> names) throws IOException {
            calls.incrementAndGet();
            List<Archive> plan = new ArrayList<>();
            for (String name : names) {
                String file = name + "_1_all.deb";
                plan.add(new Archive(file, Files.size(mirror.resolve(file))));
            }
            return plan;
        }

        @Override
        public void download(PackageSet set, List<String> names, List<Archive> plan, Progress progress)
                throws IOException {
            downloads.incrementAndGet();
            mostAtOnce.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
            try {
                int done = 0;
                for (Archive archive : plan) {
                    Path target = archives.resolve(archive.fileName());
                    if (done++ >= failAfter) {
                        throw new TestbedException("the mirror is gone");
                    }
                    if (!Files.exists(target)) {
                        Files.copy(mirror.resolve(archive.fileName()), target);
                        copied.add(archive.fileName());
                    }
                }
            } finally {
                atOnce.decrementAndGet();
            }
        }

        @Override
        public Path archives() {
            return archives;
        }
    }

    /** Another process: takes the lock and keeps it until it is killed. */
    static final class LockHolder {
        private LockHolder() {}

        public static void main(String[] arguments) throws Exception {
            try (Cache.Held _ = new Cache(Path.of(arguments[0])).lock()) {
                Files.createFile(Path.of(arguments[1]));
                Thread.sleep(Duration.ofMinutes(5));
            }
        }
    }
}
