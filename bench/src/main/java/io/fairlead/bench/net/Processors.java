package io.fairlead.bench.net;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Which processor the server has to itself, and which the client; by the kernel's numbers.
 */
record Processors(int server, int client) {
    private static final String LINE = "Cpus_allowed_list:";

    /** @throws IOException where this process may use only one */
    static Processors choose() throws IOException {
        String allowed = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith(LINE))
                .findFirst()
                .orElse(LINE)
                .substring(LINE.length());
        List<Integer> numbers = numbersIn(allowed);
        if (numbers.size() < 2) {
            throw new IOException("two processors are needed, one for the server and one for the client; this process"
                    + " may use only: " + allowed.strip());
        }
        return new Processors(numbers.get(1), numbers.get(0));
    }

    /** Of a list such as {@code 0-2,7}. */
    static List<Integer> numbersIn(String list) {
        List<Integer> numbers = new ArrayList<>();
        for (String range : list.strip().split(",", -1)) {
            if (range.isEmpty()) {
                continue;
            }
            String[] ends = range.split("-", -1);
            int last = Integer.parseInt(ends[ends.length - 1]);
            for (int i = Integer.parseInt(ends[0]); i <= last; i++) {
                numbers.add(i);
            }
        }
        return numbers;
    }
}
