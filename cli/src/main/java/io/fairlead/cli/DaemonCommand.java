package io.fairlead.cli;

import io.fairlead.daemon.Daemon;
import io.fairlead.daemon.config.Configuration;
import io.fairlead.daemon.config.ConfigurationException;
import io.fairlead.daemon.config.ConfigurationFile;
import io.fairlead.daemon.config.Key;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead daemon}: owns a host's devices and machines, until a signal ends it. */
@Command(
        name = "daemon",
        description = "Own this host's devices and machines and take requests for them, until SIGINT or SIGTERM.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExample:%n",
        footer = {
            "  fairlead daemon -o state-folder=alpha",
            "",
            "When it takes requests, the line 'ready' is printed. Machines run on when it ends, and the next daemon",
            "with the same state-folder takes them over. What the keys of -o and of the file mean, as a file to begin",
            "with: fairlead daemon --print-configuration."
        })
final class DaemonCommand implements Callable<Integer> {
    private static final Path DEFAULT_FILE = Path.of("/etc/fairlead/daemon.conf");

    @Option(
            names = {"-c", "--config"},
            paramLabel = "FILE",
            description = "The configuration file. Default: /etc/fairlead/daemon.conf where it is there.")
    private @Nullable Path file;

    @Option(
            names = {"-o", "--option"},
            paramLabel = "KEY=VALUE",
            description = "As in the configuration file; goes before it.")
    private List<String> options = new ArrayList<>();

    @Option(names = "--print-configuration", description = "Print a documented configuration file and end.")
    private boolean printConfiguration;

    @Option(names = "--json", description = "Print JSON, one object a line.")
    private boolean json;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (printConfiguration) {
            System.out.print(ConfigurationFile.documented());
            return 0;
        }
        Configuration configuration;
        try {
            configuration = Configuration.of(values());
        } catch (ConfigurationException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        try (TerminationSignal signal = TerminationSignal.install();
                Daemon _ = new Daemon(configuration, Version.number())) {
            print(configuration);
            ServiceManager.ready();
            signal.await();
            ServiceManager.stopping();
        }
        return 0;
    }

    private Map<Key, String> values() throws IOException, ConfigurationException {
        Map<Key, String> values = new EnumMap<>(Key.class);
        if (file != null) {
            values.putAll(ConfigurationFile.read(file));
        } else if (Files.exists(DEFAULT_FILE)) {
            values.putAll(ConfigurationFile.read(DEFAULT_FILE));
        }
        values.putAll(ConfigurationFile.parse(options, "-o"));
        return values;
    }

    private void print(Configuration configuration) {
        if (json) {
            ObjectNode line = JsonMapper.shared().createObjectNode();
            line.put("ready", true).put("socket", configuration.socket().toString());
            System.out.println(line);
        } else {
            System.out.println("taking requests at " + configuration.socket());
            System.out.println("ready");
        }
        System.out.flush();
    }
}
