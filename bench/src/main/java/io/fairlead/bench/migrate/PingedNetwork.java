package io.fairlead.bench.migrate;

import io.fairlead.bench.Cleanup;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.NetworkNamespace;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.util.List;

/**
 * The network that the guest's NIC is in, at both hosts: a bridge in a network namespace of its own, with TAP interfaces,
 * and who pings the guest from there. One thread.
 */
final class PingedNetwork {
    /** The guest's address. */
    static final String GUEST = "10.8.0.2";

    static final int PING_MILLIS = 5;
    static final int PING_BYTES = 1000;

    private static final String BRIDGE = "br0";

    private final NetworkNamespace namespace;
    private int taps;

    private PingedNetwork(NetworkNamespace namespace) {
        this.namespace = namespace;
    }

    static PingedNetwork create(Testbed testbed, Cleanup cleanup) throws IOException {
        NetworkNamespace namespace = cleanup.add(NetworkNamespace.create(testbed, "bench"));
        namespace.ip("link set lo up");
        namespace.ip("link add " + BRIDGE + " type bridge");
        namespace.ip("addr add 10.8.0.1/24 dev " + BRIDGE);
        namespace.ip("link set " + BRIDGE + " up");
        return new PingedNetwork(namespace);
    }

    /** The words before a command that shall run there. */
    List<String> prefix() {
        return namespace.prefix();
    }

    /** Makes a TAP interface at the bridge, which stays when nobody has it open; answers its name. */
    String makeTap() throws IOException {
        String name = "tap" + taps++;
        namespace.ip("tuntap add " + name + " mode tap");
        namespace.ip("link set " + name + " master " + BRIDGE + " up");
        return name;
    }

    /** Pings the guest until it is closed. */
    Pings ping() throws IOException {
        Process process = namespace
                .program(
                        "usr/bin/ping",
                        "-n",
                        "-i",
                        Double.toString(PING_MILLIS / 1e3),
                        "-s",
                        Integer.toString(PING_BYTES),
                        GUEST)
                .redirectErrorStream(true)
                .start();
        return new Pings(process, Heartbeat.listen(process, "bytes from"));
    }

    /**
     * A running ping.
     *
     * @param answers each one that came is a beat
     */
    record Pings(Process process, Heartbeat answers) implements AutoCloseable {
        @Override
        public void close() {
            process.destroy();
            answers.close();
        }
    }
}
