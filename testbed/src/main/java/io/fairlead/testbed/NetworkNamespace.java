package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A network of its own on this host, empty at first, for interfaces that tests and benchmarks make. Gone at its end, with
 * all interfaces. Any thread.
 */
public final class NetworkNamespace implements AutoCloseable {
    private static final String IP = "usr/bin/ip";
    private static final Duration TIMEOUT = Duration.ofMinutes(3);

    private final Testbed testbed;
    private final String name;

    private NetworkNamespace(Testbed testbed, String name) {
        this.testbed = testbed;
        this.name = name;
    }

    /** Why none with interfaces for guests can be made here; empty where nothing is known to be in the way. */
    public static Optional<String> obstacle() {
        if (!"root".equals(System.getProperty("user.name"))) {
            return Optional.of("a network namespace of its own needs root");
        }
        return Files.exists(Path.of("/dev/net/tun")) ? Optional.empty() : Optional.of("the kernel has no /dev/net/tun");
    }

    /**
     * Makes one.
     *
     * @param label a word that it is called by, besides the process's number
     * @throws IOException where this host does not let us
     */
    public static NetworkNamespace create(Testbed testbed, String label) throws IOException {
        String name = "fairlead-%s-%d".formatted(label, ProcessHandle.current().pid());
        String _ = Command.of(testbed.hostCommand(IP)).and("netns", "add", name).run(TIMEOUT);
        return new NetworkNamespace(testbed, name);
    }

    /** The words before a command that shall run in it; the program replaces itself by the command. */
    public List<String> prefix() {
        return List.of("nsenter", "--net=/run/netns/" + name);
    }

    /** A program of the guests' user land, to be started in it. */
    public ProcessBuilder program(String program, String... arguments) throws IOException {
        List<String> words = new ArrayList<>(prefix());
        words.addAll(testbed.hostCommand(program));
        words.addAll(List.of(arguments));
        return new ProcessBuilder(words);
    }

    /** Runs {@code ip} in it. */
    public void ip(String arguments) throws IOException {
        String output = run(IP, arguments.split(" ", -1));
        if (!output.isEmpty()) {
            throw new IOException("ip " + arguments + ": " + output);
        }
    }

    /** Runs a program to its end and returns what it wrote. */
    public String run(String program, String... arguments) throws IOException {
        return Command.of(program(program, arguments).command()).run(TIMEOUT).strip();
    }

    @Override
    public void close() throws IOException {
        Command.Result _ =
                Command.of(testbed.hostCommand(IP)).and("netns", "delete", name).runAnyway(TIMEOUT);
    }
}
