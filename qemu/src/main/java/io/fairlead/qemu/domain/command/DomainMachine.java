package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.MachineDefinition;
import io.fairlead.qemu.Options;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A complete domain on a host, ready for {@link io.fairlead.qemu.Machine}. What the domain's terminals (type pty) are to
 * QEMU, the machine's serial ports are to its user: QEMU connects to them. Immutable.
 */
public final class DomainMachine implements MachineDefinition {
    private final Domain domain;
    private final QemuVersion version;
    private final int serialPorts;
    private final List<Arguments.Argument> arguments;
    private final boolean startPaused;

    private DomainMachine(Arguments arguments, boolean startPaused) {
        this.domain = arguments.domain();
        this.version = arguments.version();
        this.serialPorts = arguments.serialPortCount();
        this.arguments = arguments.list();
        this.startPaused = startPaused;
    }

    /**
     * Resolves a domain's devices on a host.
     *
     * @param domain completed by {@link DomainPlan}
     * @param version the QEMU that will run it
     * @param startPaused whether it waits for {@code cont} before the first instruction
     * @throws DomainException where QEMU or the host cannot have it
     */
    public static DomainMachine of(Domain domain, QemuVersion version, HostResources host, boolean startPaused)
            throws DomainException {
        Arguments out = new Arguments(domain, Board.of(domain), host, version);
        BoardArguments.add(out);
        new DeviceArguments(out).addAll();
        out.addAll(domain.qemu().arguments());
        return new DomainMachine(out, startPaused);
    }

    /** The domain, as it was completed. */
    public Domain domain() {
        return domain;
    }

    @Override
    public String name() {
        return domain.name();
    }

    @Override
    public int serialPortCount() {
        return serialPorts;
    }

    @Override
    public Map<String, String> environment() {
        return domain.qemu().environment();
    }

    @Override
    public List<String> arguments(QemuVersion startedVersion, Path monitor, List<Path> serialSockets) {
        return arguments(startedVersion, monitor, new Arguments.SerialSockets(serialSockets, false));
    }

    /**
     * As {@link #arguments(QemuVersion, Path, List)}, with serial ports at which QEMU listens itself, so that it needs
     * nobody to hold them. What the guest writes is logged beside each, in a file of the socket's name and {@code .log}.
     */
    public List<String> listeningArguments(QemuVersion startedVersion, Path monitor, List<Path> serialSockets) {
        return arguments(startedVersion, monitor, new Arguments.SerialSockets(serialSockets, true));
    }

    private List<String> arguments(QemuVersion startedVersion, Path monitor, Arguments.SerialSockets serialPorts) {
        if (!startedVersion.equals(version) || serialPorts.paths().size() != this.serialPorts) {
            throw new IllegalArgumentException("The machine " + name() + " was resolved for QEMU " + version + " and "
                    + this.serialPorts + " serial ports");
        }
        List<String> all = new ArrayList<>();
        for (Arguments.Argument argument : arguments) {
            all.add(argument.text(serialPorts));
        }
        if (startPaused) {
            all.add("-S");
        }
        all.add("-qmp");
        all.add("unix:" + Options.escape(monitor.toString()) + ",server=on,wait=off");
        return all;
    }
}
