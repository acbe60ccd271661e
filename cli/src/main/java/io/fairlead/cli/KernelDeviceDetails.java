package io.fairlead.cli;

import io.fairlead.kernel.management.DeviceConfig;
import io.fairlead.kernel.management.DeviceInfo;
import io.fairlead.kernel.management.StableNames;
import io.fairlead.kernel.management.VdpaDocument;
import io.fairlead.kernel.management.VdpaFamily;
import io.fairlead.kernel.management.VendorStatistics;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

/** The commands of {@code fairlead dev} that show a kernel device's configuration and statistics. */
final class KernelDeviceDetails {
    private static final String DEVICE = "Its name or stable name (fairlead dev show).";

    private KernelDeviceDetails() {}

    @Command(
            name = "config",
            description = "The configuration of vDPA devices of this host's kernel: show.",
            mixinStandardHelpOptions = true,
            synopsisSubcommandLabel = "COMMAND")
    static final class Config implements Runnable {
        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it before run
        private CommandSpec spec;

        @Override
        public void run() {
            throw new ParameterException(spec.commandLine(), "a command is missing: show");
        }

        @Command(
                name = "show",
                description = "Show the configuration of network cards and disks, or of one of them.",
                mixinStandardHelpOptions = true,
                footerHeading = "%nExample:%n",
                footer = {
                    "  fairlead dev config show net0",
                    "",
                    "JSON is that of iproute2's 'vdpa -j dev config show', and has a disk's configuration besides."
                })
        void show(
                @Parameters(arity = "0..1", paramLabel = "NAME", description = DEVICE) @Nullable String name,
                @Option(names = "--json", description = "Print JSON.") boolean json)
                throws IOException {
            try (VdpaFamily family = VdpaFamily.open()) {
                List<DeviceConfig> configs =
                        name == null ? family.configs() : List.of(family.config(StableNames.resolve(family, name)));
                KernelObjects.print(json, "config", configs, DeviceConfig::name, VdpaDocument::of, VdpaDocument::text);
            }
        }
    }

    @Command(
            name = "vstats",
            description = "What the vendor's driver counts: show.",
            mixinStandardHelpOptions = true,
            synopsisSubcommandLabel = "COMMAND")
    static final class VendorStats implements Runnable {
        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it before run
        private CommandSpec spec;

        @Override
        public void run() {
            throw new ParameterException(spec.commandLine(), "a command is missing: show");
        }

        @Command(
                name = "show",
                description = "Show what the vendor's driver counts of a queue.",
                mixinStandardHelpOptions = true,
                customSynopsis = "fairlead dev vstats show NAME qidx N [--json]",
                footerHeading = "%nExample:%n",
                footer = {"  fairlead dev vstats show net0 qidx 1", "", "It takes CAP_NET_ADMIN."})
        void show(
                @Parameters(index = "0", paramLabel = "NAME", description = DEVICE) String name,
                @Parameters(index = "1..*", arity = "1..*", paramLabel = "qidx N", description = "The queue, from 0.")
                        List<String> words,
                @Option(names = "--json", description = "Print JSON.") boolean json)
                throws IOException {
            int queue = queue(WordPairs.take(WordPairs.parse(words, List.of("qidx")), "qidx"));
            try (VdpaFamily family = VdpaFamily.open()) {
                KernelObjects.print(
                        json,
                        "vstats",
                        List.of(family.statistics(StableNames.resolve(family, name), queue)),
                        VendorStatistics::name,
                        VdpaDocument::of,
                        VdpaDocument::text);
            }
        }
    }

    @Command(
            name = "stats",
            description =
                    "Show what a daemon's device has done, or what the vendor's driver counts of a kernel device.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = {"  fairlead dev stats net0", "", "For a kernel device it takes CAP_NET_ADMIN."})
    static final class Statistics implements Callable<Integer> {
        @Parameters(index = "0", paramLabel = "NAME", description = DEVICE)
        private String name = "";

        @Option(names = "--queue", paramLabel = "N", description = "Only this queue, from 0.")
        private @Nullable String only;

        @Option(names = "--json", description = "Print JSON.")
        private boolean json;

        @Mixin
        private final DaemonAddress daemon = new DaemonAddress();

        @Override
        public Integer call() throws IOException {
            if (only == null && DaemonDevices.find(daemon, name) != null) {
                DaemonDevices.statistics(daemon, name, json);
                return 0;
            }
            try (VdpaFamily family = VdpaFamily.open()) {
                DeviceInfo device = family.device(StableNames.resolve(family, name));
                Map<Integer, VendorStatistics> found = new LinkedHashMap<>();
                if (only != null) {
                    int queue = queue(only);
                    found.put(queue, family.statistics(device.name(), queue));
                } else {
                    for (int queue = 0; queue < device.maxQueues().orElse(0); queue++) {
                        found.put(queue, family.statistics(device.name(), queue));
                    }
                }
                print(device.name(), found);
                return 0;
            }
        }

        private void print(String device, Map<Integer, VendorStatistics> found) {
            if (json) {
                List<Map<String, Object>> queues = new ArrayList<>();
                found.forEach((queue, statistics) -> {
                    Map<String, Object> fields = new LinkedHashMap<>();
                    fields.put("queue", queue);
                    fields.putAll(VdpaDocument.ofQueue(statistics));
                    queues.add(fields);
                });
                System.out.println(new JsonMapper().writeValueAsString(Map.of(device, queues)));
                return;
            }
            System.out.println(device + ":");
            found.forEach((queue, statistics) -> {
                StringBuilder line = new StringBuilder("  queue ").append(queue);
                VdpaDocument.ofQueue(statistics)
                        .forEach((field, value) ->
                                line.append(' ').append(field).append(' ').append(value));
                System.out.println(line);
            });
        }
    }

    private static int queue(String text) {
        try {
            int queue = Integer.parseInt(text);
            if (queue >= 0) {
                return queue;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new IllegalArgumentException("'%s' is no index of a queue, which count from 0".formatted(text));
    }
}
