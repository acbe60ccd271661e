package io.fairlead.cli;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How to start this very program again as another process, with the same JVM and options. */
final class OwnCommand {
    private OwnCommand() {}

    static List<String> line() {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        line.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        String modulePath = System.getProperty("jdk.module.path");
        if (modulePath != null) {
            // The launcher's JVM tells its options but not where it found the program.
            line.removeIf(argument -> argument.startsWith("-Djdk.module"));
            line.addAll(List.of("-p", modulePath, "-m", "io.fairlead.cli"));
        } else {
            line.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        }
        return line;
    }
}
