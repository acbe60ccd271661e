package io.fairlead.qemu;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What a {@link Machine} is started from: parts put together by a program, or a domain. Immutable. */
public interface MachineDefinition {
    /** The machine's name; it names files and threads. */
    String name();

    /** How many serial ports the {@link Machine} holds; QEMU connects to them. */
    int serialPortCount();

    /** Environment variables for QEMU besides its own. */
    default Map<String, String> environment() {
        return Map.of();
    }

    /**
     * QEMU's arguments for this machine.
     *
     * @param version the QEMU that will run it
     * @param monitor the socket on which QEMU shall listen for QMP
     * @param serialSockets sockets to which QEMU shall connect the serial ports, the console first
     */
    List<String> arguments(QemuVersion version, Path monitor, List<Path> serialSockets);
}
