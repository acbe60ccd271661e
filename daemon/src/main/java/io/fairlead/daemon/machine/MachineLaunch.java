package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Progress;
import io.fairlead.node.NodeDevice;
import io.fairlead.qemu.MachineFacts;
import io.fairlead.qemu.Options;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.command.DomainMachine;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A QEMU that is brought up for a machine, with what it needs of the host; its processors stand until it is told otherwise.
 * {@link #undo} leaves nothing of it. One thread.
 */
final class MachineLaunch {
    /** What a QEMU whose guest breaks out cannot do. */
    private static final List<String> SANDBOX =
            List.of("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");

    private static final List<String> INCOMING = List.of("-incoming", "defer");

    private final Machines machines;
    private final Devices devices;
    private final QemuBinary qemu;
    private final ManagedMachine machine;
    private final MachineFolder folder;
    private final HostDevices host;
    private @Nullable QemuProcess process;
    private @Nullable RunningMachine running;

    MachineLaunch(Machines machines, Devices devices, QemuBinary qemu, ManagedMachine machine) {
        this.machines = machines;
        this.devices = devices;
        this.qemu = qemu;
        this.machine = machine;
        folder = machines.folder(machine.kept());
        host = new HostDevices(devices, machine.name(), folder);
    }

    /** A QEMU of what the machine is written down to be. */
    RunningMachine start(Progress progress) throws IOException, DomainException {
        Domain domain = DomainXml.parse(machine.kept().xml()).domain();
        progress.phase("devices");
        folder.prepare();
        DomainMachine definition = DomainMachine.of(domain, qemu.version(), host, true);
        write(domain, MachineRecord.Stage.STARTING, host.claimed());
        RunningMachine up = up(definition, List.of(), progress);
        // A name such as q35 is another machine with each QEMU: where it goes to, it has to be this one.
        Domain exact = domain.withBoot(domain.boot().withMachine(MachineFacts.machineType(up.qmp())));
        write(exact, MachineRecord.Stage.RUNNING, host.claimed());
        return up;
    }

    /**
     * A QEMU that waits for a machine.
     *
     * @param xml of the machine as it runs elsewhere
     * @param order names of its devices as the other host has them
     * @param later ids of those that it gets when it runs here
     */
    RunningMachine await(String xml, List<String> order, List<String> later, Progress progress)
            throws ApiException, IOException, DomainException {
        Domain domain = DomainXml.parse(xml).domain();
        progress.phase("devices");
        folder.prepare();
        Domain first = domain.withDevices(domain.devices().stream()
                .filter(device -> !later.contains(device.place().alias()))
                .toList());
        DomainMachine definition = DomainMachine.of(first, qemu.version(), host, true);
        List<String> names = new ArrayList<>(host.claimed());
        for (String name : later) {
            NodeDevice _ = devices.claim(name, machine.name());
            names.add(name);
        }
        names.sort(Comparator.comparingInt(order::indexOf));
        write(domain, MachineRecord.Stage.ARRIVING, names);
        return up(definition, INCOMING, progress);
    }

    private void write(Domain domain, MachineRecord.Stage stage, List<String> names) throws IOException {
        MachineRecord.Live live = new MachineRecord.Live(DomainXml.print(domain), stage, names);
        machines.update(machine, now -> now.withLive(live));
    }

    private RunningMachine up(DomainMachine definition, List<String> more, Progress progress) throws IOException {
        progress.phase("QEMU");
        List<String> arguments = new ArrayList<>(definition.listeningArguments(
                qemu.version(), folder.monitor(), folder.consoles(definition.serialPortCount())));
        arguments.add("-qmp");
        arguments.add("unix:" + Options.escape(folder.migrationMonitor().toString()) + ",server=on,wait=off");
        arguments.addAll(SANDBOX);
        arguments.addAll(more);
        QemuProcess launched = QemuProcess.launch(qemu, arguments, folder, new HashMap<>(definition.environment()));
        process = launched;
        RunningMachine attached =
                RunningMachine.attach(launched, definition.serialPortCount(), () -> machines.publishState(machine));
        running = attached;
        return attached;
    }

    /** Ends the QEMU and gives back what it had. What is written down stays as it is. */
    void undo() throws IOException {
        QemuProcess launched = process;
        RunningMachine attached = running;
        if (attached != null) {
            attached.qmp().close();
        }
        try {
            if (launched != null) {
                launched.end();
            }
        } finally {
            MachineRecord.Live live = machine.kept().live();
            if (live != null) {
                live.devices().forEach(name -> devices.release(name, machine.name()));
            }
            host.giveBack();
        }
    }
}
