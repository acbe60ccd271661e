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
final class Apt {
    private static final List<String> RELEASES = List.of("bookworm", "trixie");
    private static final Path DEFAULT_KEYRING = Path.of("/usr/share/keyrings/debian-archive-keyring.gpg");
    private static final Duration QUERY_TIMEOUT = Duration.ofMinutes(2);
    private static final Duration UPDATE_TIMEOUT = Duration.ofMinutes(10);
    private static final Duration DOWNLOAD_TIMEOUT = Duration.ofMinutes(60);
    private static final int WATCH_MILLIS = 250;
    private static final Pattern URI_LINE = Pattern.compile("^'[^']*' ([^ ]+) ([0-9]+) ", Pattern.MULTILINE);

    private final Path directory;

    /** @param directory the private configuration's folder; its path may have no quotation marks or white space */
    Apt(Path directory) {
        this.directory = directory;
    }

    /** One package file. */
    record Archive(String fileName, long bytes) {}

    /** Writes the configuration, with sources for the mirror that this machine uses. */
    void configure() throws IOException {
        if (directory.toString().matches(".*[\\s\"';].*")) {
            throw new TestbedException("apt cannot work in " + directory
                    + ": set FAIRLEAD_CACHE to a folder without white space and quotation marks");
        }
        for (String folder : List.of("state/lists/partial", "cache/archives/partial", "status")) {
            Files.createDirectories(directory.resolve(folder));
        }
        Mirror mirror = mirror();
        StringBuilder all = new StringBuilder();
        for (String release : RELEASES) {
            String line = "deb [arch=amd64 signed-by=" + mirror.keyring() + "] " + mirror.uri() + " ";
            String text = line + release + " main\n" + line + release + "-backports main\n";
            Files.writeString(directory.resolve(release + ".list"), text);
            all.append(text);
        }
        Files.writeString(directory.resolve("all.list"), all);
        Files.writeString(directory.resolve("status/none"), "");
        Files.writeString(directory.resolve("apt.conf"), configuration());
    }

    /** Fetches the lists of packages. */
    void update() throws IOException {
        Command.Result result = aptGet("all", directory.resolve("status/none"))
                .and("update", "-q")
                .runAnyway(UPDATE_TIMEOUT);
        // apt-get update succeeds with warnings where a list could not be fetched.
        if (result.exitCode() != 0 || result.errors().contains("Failed to fetch")) {
            throw offline("the lists of packages", result);
        }
    }

    /** The names of the packages that a set asks for, with its patterns resolved to the newest match. */
    List<String> resolve(PackageSet set) throws IOException {
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

    /** What has to be fetched for packages of a set, all that they depend on included. */
    List<Archive> plan(PackageSet set, List<String> names) throws IOException {
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

    /** Fetches packages into {@link #archives}; apt checks their sums and goes on with half-fetched ones. */
    void download(PackageSet set, List<String> names, List<Archive> archives, Progress progress) throws IOException {
        List<String> watched = archives.stream().map(Archive::fileName).toList();
        long total = archives.stream().mapToLong(Archive::bytes).sum();
        // All of a set may be here already; apt then leaves them out of its plan.
        if (archives.isEmpty()) {
            return;
        }
        DownloadWatch watch = new DownloadWatch(set.name(), archives(), watched, total, progress);
        Thread watcher = Thread.ofPlatform().daemon().name("download-watch").start(() -> watch.run(WATCH_MILLIS));
        try {
            Command.Result result = install(set).and(names).runAnyway(DOWNLOAD_TIMEOUT);
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

    /** Where complete package files are. */
    Path archives() {
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
            Debug::NoLocking "true";
            #clear APT::Update::Pre-Invoke;
            #clear APT::Update::Post-Invoke;
            #clear APT::Update::Post-Invoke-Success;
            #clear DPkg::Pre-Install-Pkgs;
            #clear DPkg::Pre-Invoke;
            #clear DPkg::Post-Invoke;
            """.formatted(directory);
    }

    /** The repository of Debian that this machine's own apt uses. */
    private static Mirror mirror() throws IOException {
        String targets;
        try {
            targets = Command.of(
                            "apt-get",
                            "indextargets",
                            "--format",
                            "$(CREATED_BY)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)",
                            "Created-By: Packages")
                    .run(QUERY_TIMEOUT);
        } catch (IOException e) {
            throw new TestbedException(
                    "Cannot ask apt-get for this machine's mirror; fetching needs a Debian host with apt: "
                            + e.getMessage(),
                    e);
        }
        String uri = mirrorUri(targets)
                .orElseThrow(() -> new TestbedException(
                        "This machine's apt has no source with Debian's own packages: add one, run apt-get update,"
                                + " and try again"));
        if (!Files.exists(DEFAULT_KEYRING)) {
            throw new TestbedException(
                    "Debian's keys are missing at " + DEFAULT_KEYRING + ": install debian-archive-keyring");
        }
        return new Mirror(uri, DEFAULT_KEYRING);
    }

    /**
     * Picks the main repository, as opposed to that of security updates, which has no backports.
     *
     * @param targets lines of creator, code name, component and address, separated by bars
     */
    static Optional<String> mirrorUri(String targets) {
        for (String line : targets.split("\n", -1)) {
            String[] fields = line.split("\\|", -1);
            if (fields.length == 4
                    && fields[1].matches("(bullseye|bookworm|trixie|forky|sid)(-updates|-backports)?")
                    && fields[2].equals("main")
                    && fields[3].contains(":/")
                    && !fields[3].matches(".*[\\s\\[\\]].*")) {
                return Optional.of(fields[3]);
            }
        }
        return Optional.empty();
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

    private record Mirror(String uri, Path keyring) {}
}
