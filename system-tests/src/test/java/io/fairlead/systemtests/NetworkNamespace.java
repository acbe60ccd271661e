package io.fairlead.systemtests;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A network of its own on this host, empty at first, for tests that make interfaces. Gone at its end, with all interfaces.
 */
final class NetworkNamespace implements AutoCloseable {
    private static final String IP = "usr/bin/ip";

    private final String name;

    private NetworkNamespace(String name) {
        this.name = name;
    }

    /** Makes one; where this host does not let us, the test is skipped and says why. */
    static NetworkNamespace create(String label) throws IOException, InterruptedException {
        assumeTrue("root".equals(System.getProperty("user.name")), "a network namespace of its own needs root");
        assumeTrue(Files.exists(Path.of("/dev/net/tun")), "the kernel has no /dev/net/tun");
        String name = "fairlead-%s-%d".formatted(label, ProcessHandle.current().pid());
        HostCommand made = HostCommand.userland(IP, List.of("netns", "add", name));
        assumeTrue(made.exitCode() == 0, "a network namespace cannot be made: " + made.output());
        return new NetworkNamespace(name);
    }

    /** The words before a command that shall run in it; the program replaces itself by the command. */
    List<String> prefix() {
        return List.of("nsenter", "--net=/run/netns/" + name);
    }

    /** A program of the guests' user land, to be started in it. */
    ProcessBuilder program(String program, String... arguments) throws IOException {
        List<String> words = new ArrayList<>(prefix());
        words.addAll(Lab.TESTBED.hostCommand(program));
        words.addAll(List.of(arguments));
        return new ProcessBuilder(words);
    }

    /** Runs {@code ip} in it. */
    void ip(String arguments) throws IOException, InterruptedException {
        String output = run(IP, arguments.split(" ", -1));
        if (!output.isEmpty()) {
            throw new IOException("ip " + arguments + ": " + output);
        }
    }

    /** Runs a program to its end and returns what it wrote. */
    String run(String program, String... arguments) throws IOException, InterruptedException {
        HostCommand done = HostCommand.run(program(program, arguments).command());
        if (done.exitCode() != 0) {
            throw new IOException(
                    "%s %s failed with %d: %s".formatted(program, List.of(arguments), done.exitCode(), done.output()));
        }
        return done.output();
    }

    @Override
    public void close() throws IOException {
        try {
            HostCommand _ = HostCommand.userland(IP, List.of("netns", "delete", name));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
