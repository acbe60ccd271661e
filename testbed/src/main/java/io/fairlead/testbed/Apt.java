package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A private apt inside the cache folder: its own lists, archives and status, nothing of the system's is changed and no
 * root rights are needed. The mirror is the one that the machine's own apt uses. Use under the cache's lock.
 */
final class Apt implements PackageSource {
    private static final List<String> RELEASES = List.of("bookworm", "trixie");
    private static final Path KEYRING = Path.of("/usr/share/keyrings/debian-archive-keyring.gpg");
    private static final Duration QUERY_TIMEOUT = Duration.ofMinutes(2);
    private static final Duration UPDATE_TIMEOUT = Duration.ofMinutes(10);
    private static final Duration DOWNLOAD_TIMEOUT = Duration.ofMinutes(60);
    private static final int LOCK_TRIES = 120;
    private static final int LOCK_WAIT_MILLIS = 1000;
    private static final int WATCH_MILLIS = 250;
    private static final Pattern RELEASE_URI = Pattern.compile(
            "^'([^' ]+)/dists/(?:bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)"
                    + "(?:-updates|-backports)?/InRelease'",
            Pattern.MULTILINE);
    private static final Pattern URI_LINE = Pattern.compile("^'[^']*' ([^ ]+) ([0-9]+) ", Pattern.MULTILINE);

    private final Path directory;

    /** @param directory the private configuration's folder; its path may have no quotation marks or white space */
    Apt(Path directory) {
        this.directory = directory;
    }

    /** Writes the configuration, with sources for the mirror that this machine uses. */
    private void configure() throws IOException {
        if (directory.toString().matches(".*[\\s\"';].*")) {
            throw new TestbedException("apt cannot work in " + directory
                    + ": set FAIRLEAD_CACHE to a folder without white space and quotation marks");
        }
        for (String folder : List.of("state/lists/partial", "cache/archives/partial", "status")) {
            Files.createDirectories(directory.resolve(folder));
        }
        String mirror = mirror();
        // Without the package of keys, apt's own trusted keys have to do.
        String keyring = Files.exists(KEYRING) ? " signed-by=" + KEYRING : "";
        StringBuilder all = new StringBuilder();
        for (String release : RELEASES) {
            String line = "deb [arch=amd64" + keyring + "] " + mirror + " ";
            String text = line + release + " main\n" + line + release + "-backports main\n";
            Files.writeString(directory.resolve(release + ".list"), text);
            all.append(text);
        }
        Files.writeString(directory.resolve("all.list"), all);
        Files.writeString(directory.resolve("status/none"), "");
        Files.writeString(directory.resolve("apt.conf"), configuration());
    }

    @Override
    public void update() throws IOException {
        configure();
        Command command = aptGet("all", directory.resolve("status/none")).and("update", "-q");
        Command.Result result = runLocked(command, UPDATE_TIMEOUT);
        // apt-get update succeeds with warnings where a list could not be fetched.
        if (result.exitCode() != 0 || result.errors().contains("Failed to fetch")) {
            throw offline("the lists of packages", result);
        }
    }

    @Override
    public List<String> resolve(PackageSet set) throws IOException {
        List<String> names = new ArrayList<>();
        for (String wanted : set.packages()) {
            if (wanted.startsWith("/") && wanted.endsWith("/")) {
                names.add(newest(set, wanted.substring(1, wanted.length() - 1)));
            } else {
                names.add(wanted);
            }
        }
        return names;
    }

    @Override
    public List<Archive> plan(PackageSet set, List<String> names) throws IOException {
        // An empty folder of archives, or apt would leave out those that are here already.
        Path none =
                Files.createDirectories(directory.resolve("cache/none/partial")).getParent();
        Command.Result result = install(set)
                .and("--print-uris", "-o", "Dir::Cache::archives=" + none)
                .and(names)
                .runAnyway(QUERY_TIMEOUT);
        if (result.exitCode() != 0) {
            throw new TestbedException("apt cannot resolve the packages of " + set.name() + " ("
                    + String.join(" ", names) + "): " + result.errors().strip());
        }
        List<Archive> archives = new ArrayList<>();
        Matcher matcher = URI_LINE.matcher(result.output());
        while (matcher.find()) {
            archives.add(new Archive(matcher.group(1), Long.parseLong(matcher.group(2))));
        }
        return archives;
    }

    @Override
    public void download(PackageSet set, List<String> names, List<Archive> archives, Progress progress)
            throws IOException {
        List<String> watched = archives.stream().map(Archive::fileName).toList();
        long total = archives.stream().mapToLong(Archive::bytes).sum();
        DownloadWatch watch = new DownloadWatch(set.name(), archives(), watched, total, progress);
        Thread watcher = Thread.ofPlatform().daemon().name("download-watch").start(() -> watch.run(WATCH_MILLIS));
        try {
            Command.Result result = runLocked(install(set).and(names), DOWNLOAD_TIMEOUT);
            if (result.exitCode() != 0) {
                throw offline("the packages of " + set.name(), result);
            }
        } finally {
            watch.stop();
            try {
                watcher.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        watch.report();
    }

    @Override
    public void downloadSource(String release, String name, Path folder) throws IOException {
        configure();
        Path binaries = directory.resolve(release + ".list");
        Files.writeString(
                directory.resolve(release + "-source.list"),
                Files.readString(binaries).replaceAll("(?m)^deb ", "deb-src "));
        Path status = directory.resolve("status/none");
        Command.Result lists = runLocked(aptGet(release + "-source", status).and("update", "-q"), UPDATE_TIMEOUT);
        if (lists.exitCode() != 0 || lists.errors().contains("Failed to fetch")) {
            throw offline("the list of source packages", lists);
        }
        Command.Result result = runLocked(
                aptGet(release + "-source", status)
                        .and("-q", "source", "--download-only", "--tar-only", name + "/" + release)
                        .in(folder),
                DOWNLOAD_TIMEOUT);
        if (result.exitCode() != 0) {
            throw offline("the source of " + name, result);
        }
    }

    @Override
    public Path archives() {
        return directory.resolve("cache/archives");
    }

    private String newest(PackageSet set, String pattern) throws IOException {
        String names = cache(set).and("pkgnames").run(QUERY_TIMEOUT);
        List<String> candidates = Stream.of(names.split("\n", -1))
                .filter(name -> name.matches(pattern))
                .toList();
        Optional<String> best = Optional.empty();
        for (String candidate : candidates) {
            if (best.isEmpty() || isNewer(candidate, best.get())) {
                best = Optional.of(candidate);
            }
        }
        return best.orElseThrow(() -> new TestbedException(
                "The mirror's " + set.release() + " has no package that fits " + pattern + " for " + set.name()));
    }

    /** Debian's own order of versions, applied to names that differ in a version. */
    private static boolean isNewer(String name, String other) throws IOException {
        return Command.of("dpkg", "--compare-versions", digits(name), "gt", digits(other))
                        .runAnyway(QUERY_TIMEOUT)
                        .exitCode()
                == 0;
    }

    private static String digits(String name) {
        return name.replaceFirst("^[^0-9]*", "");
    }

    /** Waits for an apt of ours that outlived the process that started it, and still holds the lock of its folder. */
    private static Command.Result runLocked(Command command, Duration timeout) throws IOException {
        Command.Result result = command.runAnyway(timeout);
        for (int i = 0; i < LOCK_TRIES && result.errors().contains("Could not get lock"); i++) {
            try {
                Thread.sleep(LOCK_WAIT_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("Interrupted while another apt was at work", e);
            }
            result = command.runAnyway(timeout);
        }
        return result;
    }

    private Command install(PackageSet set) throws IOException {
        Path status = directory.resolve("status/" + set.folder());
        StringBuilder text = new StringBuilder();
        for (String name : set.assumed()) {
            text.append("Package: ")
                    .append(name)
                    .append("\nStatus: install ok installed\nPriority: optional\nSection: misc\nMaintainer: none\n")
                    .append("Architecture: all\nMulti-Arch: foreign\nVersion: 99:99\nDescription: assumed\n\n");
        }
        Files.writeString(status, text);
        Command command = aptGet(set.release(), status).and("-q", "-y", "-d", "--no-install-recommends");
        if (set.backports()) {
            command = command.and("-t", set.release() + "-backports");
        }
        return command.and("install");
    }

    private Command aptGet(String list, Path status) {
        return tool("apt-get", list).and("-o", "Dir::State::status=" + status);
    }

    private Command cache(PackageSet set) {
        return tool("apt-cache", set.release()).and("-o", "Dir::State::status=" + directory.resolve("status/none"));
    }

    private Command tool(String name, String list) {
        return Command.of(name, "-c", directory.resolve("apt.conf").toString())
                .and("-o", "Dir::Etc::SourceList=" + directory.resolve(list + ".list"));
    }

    private String configuration() {
        return """
            Dir::State "%1$s/state";
            Dir::Cache "%1$s/cache";
            Dir::Cache::archives "archives";
            Dir::Cache::pkgcache "";
            Dir::Cache::srcpkgcache "";
            Dir::Etc::SourceParts "/dev/null";
            Dir::Etc::Preferences "/dev/null";
            Dir::Etc::PreferencesParts "/dev/null";
            APT::Architecture "amd64";
            APT::Architectures { "amd64"; };
            APT::Sandbox::User "";
            APT::Get::List-Cleanup "false";
            Acquire::Languages "none";
            Acquire::Retries "3";
            #clear APT::Update::Pre-Invoke;
            #clear APT::Update::Post-Invoke;
            #clear APT::Update::Post-Invoke-Success;
            #clear DPkg::Pre-Install-Pkgs;
            #clear DPkg::Pre-Invoke;
            #clear DPkg::Post-Invoke;
            """.formatted(directory);
    }

    /** The repository of Debian that this machine's own apt uses; it is asked what an update would fetch. */
    private static String mirror() throws IOException {
        String uris;
        try {
            uris = Command.of("apt-get", "update", "--print-uris", "-o", "Debug::NoLocking=true")
                    .run(QUERY_TIMEOUT);
        } catch (IOException e) {
            throw new TestbedException(
                    "Cannot ask apt-get for this machine's mirror; fetching needs a Debian host with apt: "
                            + e.getMessage(),
                    e);
        }
        return mirrorUri(uris)
                .orElseThrow(() -> new TestbedException("This machine's apt has no source of Debian's own packages:"
                        + " add one to /etc/apt/sources.list and try again"));
    }

    /**
     * Picks the main repository, as opposed to that of security updates, which has no backports.
     *
     * @param printedUris what {@code apt-get update --print-uris} prints
     */
    static Optional<String> mirrorUri(String printedUris) {
        Matcher matcher = RELEASE_URI.matcher(printedUris);
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
    }

    private static TestbedException offline(String what, Command.Result result) {
        List<String> failures = new ArrayList<>();
        for (String line : (result.errors() + "\n" + result.output()).split("\n", -1)) {
            if (line.startsWith("E:") || line.startsWith("Err:") || line.startsWith("W: Failed")) {
                failures.add(line);
            }
        }
        return new TestbedException("Cannot fetch " + what
                + ". Is the mirror reachable (apt-get update)? What was fetched so far is kept and the next try goes on"
                + " from there. apt said: "
                + String.join("; ", failures.subList(0, Math.min(5, failures.size()))));
    }
}
