package io.fairlead.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Describes the machine that a benchmark runs on. */
public final class Machine {
    private static final Pattern MODEL = Pattern.compile("(?m)^model name\\s*:\\s*(.+)$");
    private static final Pattern MEMORY = Pattern.compile("(?m)^MemTotal:\\s+(\\d+) kB$");
    private static final double KIB_PER_GIB = 1024.0 * 1024.0;

    private Machine() {}

    /**
     * Processor, memory, kernel, JDK and the disk under a folder.
     *
     * @param folder where the benchmark keeps its files
     */
    public static Map<String, String> describe(Path folder) {
        Map<String, String> machine = new LinkedHashMap<>();
        int processors = Runtime.getRuntime().availableProcessors();
        machine.put("processor", "%s, %d in use".formatted(find(MODEL, Path.of("/proc/cpuinfo")), processors));
        String memory = find(MEMORY, Path.of("/proc/meminfo"));
        machine.put("memory", memory.isEmpty() ? "" : Figures.of(Long.parseLong(memory) / KIB_PER_GIB, "GiB"));
        machine.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("disk", disk(folder));
        machine.put("JDK", System.getProperty("java.vendor.version", "") + " " + Runtime.version());
        return machine;
    }

    /** Whether a folder's files are kept in memory, where O_DIRECT means nothing. */
    public static boolean isInMemory(Path folder) throws IOException {
        return Files.getFileStore(folder).type().equals("tmpfs");
    }

    private static String disk(Path folder) {
        try {
            var store = Files.getFileStore(folder);
            return "%s on %s".formatted(store.type(), store.name());
        } catch (IOException e) {
            return "unknown";
        }
    }

    private static String find(Pattern pattern, Path file) {
        try {
            Matcher matcher = pattern.matcher(Files.readString(file));
            return matcher.find() ? matcher.group(1).strip() : "";
        } catch (IOException e) {
            return "";
        }
    }
}
