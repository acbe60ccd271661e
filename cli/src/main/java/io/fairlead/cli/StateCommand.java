package io.fairlead.cli;

import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vdpa.state.StateFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead state}: looks at device states in files; no device is needed. */
@Command(
        name = "state",
        description = "Look at device states in files: show, diff, verify.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        footer = {"", "The format is described in docs/device-state.md."})
final class StateCommand implements Runnable {
    private static final String ABSENT = "absent";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    private final JsonMapper mapper = new JsonMapper();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: show, diff or verify");
    }

    @Command(name = "show", description = "Print a state.", mixinStandardHelpOptions = true)
    int show(
            @Parameters(paramLabel = "FILE") Path file,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        ObjectNode tree = StateTree.of(read(file));
        if (json) {
            System.out.println(tree.toPrettyString());
        } else {
            System.out.print(StateTree.text(tree));
        }
        return 0;
    }

    @Command(
            name = "diff",
            description = "Print what differs between two states. Exit code 1 where something does.",
            mixinStandardHelpOptions = true)
    int diff(
            @Parameters(paramLabel = "FILE") Path file,
            @Parameters(paramLabel = "OTHER") Path other,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        DeviceState first = read(file);
        DeviceState second = read(other);
        SortedMap<String, String> left = StateTree.flat(StateTree.of(first));
        SortedMap<String, String> right = StateTree.flat(StateTree.of(second));
        if (left.equals(right) && !first.equals(second)) {
            left.put("bytes that are not shown", "");
            right.put("bytes that are not shown", "differ");
        }
        SortedSet<String> paths = new TreeSet<>(left.keySet());
        paths.addAll(right.keySet());
        paths.removeIf(path -> left.getOrDefault(path, ABSENT).equals(right.getOrDefault(path, ABSENT)));
        ArrayNode differences = mapper.createArrayNode();
        for (String path : paths) {
            String before = left.getOrDefault(path, ABSENT);
            String after = right.getOrDefault(path, ABSENT);
            if (json) {
                differences.addObject().put("path", path).put("first", before).put("second", after);
            } else {
                System.out.printf("%s: %s -> %s%n", path, before, after);
            }
        }
        if (json) {
            System.out.println(differences.toPrettyString());
        }
        return paths.isEmpty() ? 0 : ExitCodes.FAILED;
    }

    @Command(
            name = "verify",
            description =
                    "Check a state: lengths, checksums, and that its sections agree. Exit code 1 where it is wrong.",
            mixinStandardHelpOptions = true)
    int verify(
            @Parameters(paramLabel = "FILE") Path file,
            @Option(names = "--json", description = "Print JSON.") boolean json)
            throws IOException {
        PrintStream out = System.out;
        byte[] bytes = bytes(file);
        ObjectNode node = mapper.createObjectNode().put("file", file.toString());
        try {
            DeviceState state = DeviceState.decode(bytes);
            if (json) {
                out.println(node.put("sound", true).put("bytes", bytes.length));
            } else {
                out.printf(
                        "%s: sound, %s, %d bytes, %d sections%n",
                        file, state, bytes.length, state.sections().size());
            }
            return 0;
        } catch (StateFormatException e) {
            if (json) {
                node.put("sound", false).put("where", e.where());
                if (e.offset() >= 0) {
                    node.put("offset", e.offset());
                }
                out.println(node.put("reason", e.getMessage()));
            } else {
                out.printf("%s: wrong: %s%n", file, e.getMessage());
            }
            return ExitCodes.FAILED;
        }
    }

    private static DeviceState read(Path file) throws IOException {
        byte[] bytes = bytes(file);
        try {
            return DeviceState.decode(bytes);
        } catch (StateFormatException e) {
            throw new IOException("%s: %s".formatted(file, e.getMessage()), e);
        }
    }

    /** All of a file, and no more than shows that it is too large: it may be a device or a pipe. */
    private static byte[] bytes(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(DeviceState.MAX_BYTES + 1);
        } catch (IOException e) {
            throw new IOException("%s cannot be read: %s".formatted(file, e), e);
        }
    }
}
