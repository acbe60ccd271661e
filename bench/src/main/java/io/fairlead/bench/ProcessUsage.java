package io.fairlead.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a process has used, from /proc: see proc_pid_stat(5) and proc_pid_status(5).
 *
 * @param cpuNanos processor time of all its threads, also ended ones, in user and kernel mode; the kernel tells it in
 *     steps of 10 ms
 * @param anonymousBytes resident memory of its own (RssAnon)
 * @param fileBytes resident pages of files (RssFile)
 * @param sharedBytes resident shared memory (RssShmem): of a device mostly its guests' memory
 */
public record ProcessUsage(long cpuNanos, long anonymousBytes, long fileBytes, long sharedBytes) {
    /** USER_HZ: what /proc counts in, 100 on every architecture that Linux has in use, whatever the kernel's own rate. */
    private static final long NANOS_PER_TICK = 10_000_000;

    private static final int USER_TIME_FIELD = 14;
    private static final int SYSTEM_TIME_FIELD = 15;

    /** The fields before the name ends: pid and comm. */
    private static final int FIELDS_BEFORE_STATE = 2;

    private static final Pattern STATUS_LINE = Pattern.compile("(?m)^(Rss\\w+):\\s+(\\d+) kB$");

    /** The first line of a mapping in proc_pid_smaps(5): its address range. */
    private static final Pattern MAPPING_LINE = Pattern.compile("^[0-9a-f]+-[0-9a-f]+ ");

    /**
     * Reads it.
     *
     * @throws IOException where there is no such process (any more)
     */
    public static ProcessUsage of(long pid) throws IOException {
        Path folder = Path.of("/proc", Long.toString(pid));
        return parse(
                Files.readString(folder.resolve("stat"), StandardCharsets.ISO_8859_1),
                Files.readString(folder.resolve("status"), StandardCharsets.ISO_8859_1));
    }

    /** Which threads of a process are meant. */
    public interface ThreadFilter {
        /** @param name as of comm(5), at most 15 characters */
        boolean isMeant(long id, String name);
    }

    /** Processor time of some threads of a process by their ids; the kernel's own that work for it are among them. */
    public static Map<Long, Long> threadCpuNanos(long pid, ThreadFilter filter) throws IOException {
        Map<Long, Long> nanos = new HashMap<>();
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc", Long.toString(pid), "task"))) {
            for (Path thread : threads) {
                long id = Long.parseLong(thread.getFileName().toString());
                try {
                    String stat = Files.readString(thread.resolve("stat"), StandardCharsets.ISO_8859_1);
                    String name = stat.substring(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
                    if (filter.isMeant(id, name)) {
                        nanos.put(id, parse(stat, "").cpuNanos);
                    }
                } catch (NoSuchFileException e) {
                    // It has ended meanwhile.
                }
            }
        }
        return nanos;
    }

    /** Resident memory without what it shares with guests. */
    public long ownResidentBytes() {
        return anonymousBytes + fileBytes;
    }

    /**
     * How much of a file a process has mapped and present. Such pages are the page cache's, there with or without the
     * process, but count as resident for whoever maps them.
     */
    public static long mappedBytes(long pid, Path file) throws IOException {
        return parseMapped(
                Files.readString(Path.of("/proc", Long.toString(pid), "smaps"), StandardCharsets.ISO_8859_1),
                file.toRealPath().toString());
    }

    static long parseMapped(String smaps, String file) {
        long bytes = 0;
        boolean wanted = false;
        for (String line : smaps.split("\n", -1)) {
            if (MAPPING_LINE.matcher(line).find()) {
                wanted = line.endsWith(" " + file);
            } else if (wanted && line.startsWith("Rss:")) {
                bytes += Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        return bytes;
    }

    static ProcessUsage parse(String stat, String status) throws IOException {
        // A process may call itself anything, also ") R 1 2": its name ends at the last parenthesis.
        int nameEnd = stat.lastIndexOf(')');
        String[] fields = stat.substring(nameEnd + 1).strip().split(" ", -1);
        long ticks;
        try {
            ticks = Long.parseLong(fields[USER_TIME_FIELD - FIELDS_BEFORE_STATE - 1])
                    + Long.parseLong(fields[SYSTEM_TIME_FIELD - FIELDS_BEFORE_STATE - 1]);
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new IOException("not a process's stat: " + stat.strip(), e);
        }
        long anonymous = 0;
        long file = 0;
        long shared = 0;
        Matcher line = STATUS_LINE.matcher(status);
        while (line.find()) {
            long bytes = Long.parseLong(line.group(2)) * 1024;
            switch (line.group(1)) {
                case "RssAnon" -> anonymous = bytes;
                case "RssFile" -> file = bytes;
                case "RssShmem" -> shared = bytes;
                default -> {
                    // Further kinds of memory are not asked for.
                }
            }
        }
        return new ProcessUsage(ticks * NANOS_PER_TICK, anonymous, file, shared);
    }
}
