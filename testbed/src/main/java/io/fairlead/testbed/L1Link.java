package io.fairlead.testbed;

import java.nio.file.Path;
import java.util.List;

/**
 * One end of a cable between two L1 hosts: a virtio network card in each, joined by a Unix socket between their QEMUs. Which
 * of both starts first does not matter, and one may be started again. The hosts' addresses on it are {@code 192.168.76.1}
 * and {@code 192.168.76.2}, the interface is {@code link0}. Nothing else is on the cable, and nothing of this machine.
 *
 * @param socket where the end with number 1 listens; a short path, the same for both
 * @param number of the end, 1 or 2
 */
public record L1Link(Path socket, int number) {
    /** The interface's name in both hosts. */
    public static final String INTERFACE = "link0";

    private static final String NETWORK = "192.168.76.";
    private static final String MAC = "52:54:00:4c:31:0";
    private static final int RECONNECT_MILLIS = 200;

    public L1Link {
        if (number < 1 || number > 2) {
            throw new IllegalArgumentException("a cable's ends are 1 and 2, not " + number);
        }
    }

    /**
     * Reads an end as {@code NUMBER:SOCKET}.
     *
     * @throws IllegalArgumentException where it is none
     */
    public static L1Link parse(String text) {
        int colon = text.indexOf(':');
        String number = colon < 0 ? "" : text.substring(0, colon);
        if (!number.matches("[12]") || colon == text.length() - 1) {
            throw new IllegalArgumentException(
                    "'%s' is no end of a cable: 1:SOCKET or 2:SOCKET is expected".formatted(text));
        }
        return new L1Link(Path.of(text.substring(colon + 1)), Integer.parseInt(number));
    }

    /** The cable's other end. */
    public L1Link other() {
        return new L1Link(socket, 3 - number);
    }

    /** The host's address at this end. */
    public String address() {
        return NETWORK + number;
    }

    /** QEMU's options. */
    List<String> arguments() {
        String path = socket.toAbsolutePath().toString().replace(",", ",,");
        return List.of(
                "-netdev",
                "stream,id=" + INTERFACE + ",addr.type=unix,addr.path=" + path
                        + (number == 1 ? ",server=on" : ",server=off,reconnect-ms=" + RECONNECT_MILLIS),
                "-device",
                "virtio-net-pci,netdev=" + INTERFACE + ",mac=" + MAC + number);
    }

    /** A shell's commands that make the interface ready, in the host. */
    String script() {
        return """
                set -e
                modprobe virtio_net
                card=$(basename "$(dirname "$(grep -l '%1$s' /sys/class/net/*/address)")")
                bin/ip link set "$card" down
                bin/ip link set "$card" name %2$s
                bin/ip address add %3$s/24 dev %2$s
                bin/ip link set %2$s up
                """.formatted(MAC + number, INTERFACE, address());
    }
}
