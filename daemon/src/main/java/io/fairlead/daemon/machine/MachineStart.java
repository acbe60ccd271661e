package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Progress;
import io.fairlead.qemu.Options;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Lifecycle;
import io.fairlead.qemu.domain.command.DomainMachine;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How a machine gets its QEMU, is found again with it, and loses it. */
final class MachineStart {
    private static final Logger LOG = LoggerFactory.getLogger(MachineStart.class);

    /** What a QEMU whose guest breaks out cannot do. */
    private static final List<String> SANDBOX =
            List.of("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");

    private final Machines machines;
    private final Devices devices;
    private final QemuBinary qemu;

    MachineStart(Machines machines, Devices devices, QemuBinary qemu) {
        this.machines = machines;
        this.devices = devices;
        // A session of its own: what ends the daemon's terminal or its group leaves machines alone.
        this.qemu = qemu.startedBy(List.of("setsid"));
    }

    /** Starts a machine that has no QEMU. Where that fails, all is as before. */
    void start(ManagedMachine machine, boolean paused, Progress progress)
            throws ApiException, IOException, DomainException {
        MachineRecord before = machine.kept();
        if (machine.running() != null) {
            throw ApiException.conflict(
                    "machine %s is %s".formatted(before.name(), machine.state()), "there is nothing to start");
        }
        MachineFolder folder = machines.folder(before);
        folder.prepare();
        progress.phase("devices");
        HostDevices host = new HostDevices(devices, before.name(), folder);
        QemuProcess process = null;
        try {
            Domain domain = DomainXml.parse(before.xml()).domain();
            DomainMachine definition = DomainMachine.of(domain, qemu.version(), host, true);
            MachineRecord.Live live = new MachineRecord.Live(before.xml(), false, host.claimed());
            machines.update(machine, now -> now.withLive(live));
            progress.phase("QEMU");
            process = QemuProcess.launch(qemu, arguments(definition, folder), folder, environment(definition));
            RunningMachine running = attach(machine, process, definition.serialPortCount());
            machines.update(machine, MachineRecord::started);
            if (!paused) {
                var _ = running.execute("cont");
            }
            machine.running(running);
            process.whenEnded(() -> ended(machine, running));
        } catch (DomainException | IOException | RuntimeException e) {
            if (process != null) {
                process.end();
            }
            host.giveBack();
            machines.update(machine, _ -> before);
            throw e;
        }
        LOG.info("machine {} runs as process {}", before.name(), process.pid());
        machines.publishState(machine);
    }

    private List<String> arguments(DomainMachine definition, MachineFolder folder) {
        List<String> all = new ArrayList<>(definition.listeningArguments(
                qemu.version(), folder.monitor(), folder.consoles(definition.serialPortCount())));
        all.add("-qmp");
        all.add("unix:" + Options.escape(folder.migrationMonitor().toString()) + ",server=on,wait=off");
        all.addAll(SANDBOX);
        return all;
    }

    private static Map<String, String> environment(DomainMachine definition) {
        return new HashMap<>(definition.environment());
    }

    private RunningMachine attach(ManagedMachine machine, QemuProcess process, int consoleCount) throws IOException {
        Qmp qmp = process.connect();
        try {
            return new RunningMachine(process, qmp, consoleCount, () -> machines.publishState(machine));
        } catch (IOException | RuntimeException e) {
            qmp.close();
            throw e;
        }
    }

    /** After a restart of the daemon: its QEMU may run, may never have come up, or may have ended. */
    void takeOver(ManagedMachine machine) throws IOException {
        MachineRecord kept = machine.kept();
        Optional<QemuProcess> found = QemuProcess.find(machines.folder(kept));
        MachineRecord.Live live = kept.live();
        if (live == null || !live.isStarted()) {
            // Nobody was told that it runs.
            if (found.isPresent()) {
                LOG.warn("machine {}: a QEMU that was not started to its end is ended", kept.name());
                found.get().end();
            }
            if (live != null) {
                machines.update(machine, now -> now.ended(false, "its start was interrupted by the daemon's end"));
            }
            return;
        }
        if (found.isEmpty()) {
            LOG.warn("machine {}: its QEMU ended while no daemon was there", kept.name());
            machines.update(machine, now -> now.ended(true, "its QEMU ended while no daemon was there"));
            return;
        }
        for (String device : live.devices()) {
            try {
                var _ = devices.claim(device, kept.name());
            } catch (ApiException | IOException e) {
                LOG.error("machine {} runs without its device {}: {}", kept.name(), device, e.getMessage());
            }
        }
        QemuProcess process = found.get();
        RunningMachine running = attach(machine, process, consoles(live));
        machine.running(running);
        process.whenEnded(() -> ended(machine, running));
        LOG.info("machine {} is taken over, process {}", kept.name(), process.pid());
    }

    private static int consoles(MachineRecord.Live live) {
        try {
            return MachineDescription.consoleCount(DomainXml.parse(live.xml()).domain());
        } catch (DomainException e) {
            throw new IllegalStateException("A domain that was kept is refused: " + e.getMessage(), e);
        }
    }

    /** Its QEMU has ended. Again: no effect, once the first call has returned. */
    synchronized void ended(ManagedMachine machine, RunningMachine running) {
        if (!machine.ended(running)) {
            return;
        }
        running.qmp().close();
        MachineRecord kept = machine.kept();
        String said = running.endReason();
        boolean byGuest = said != null && said.startsWith("guest-");
        String why;
        if (said == null) {
            why = "QEMU ended unasked: " + running.process().errorOutput();
        } else {
            why = byGuest ? "the guest shut down" : "ended by the host (" + said + ")";
        }
        MachineRecord.Live live = kept.live();
        if (live != null) {
            live.devices().forEach(device -> devices.release(device, kept.name()));
        }
        try {
            machines.update(machine, now -> now.ended(said == null, why));
        } catch (IOException e) {
            LOG.error("machine {}: its end is not written down: {}", kept.name(), e.getMessage());
            machine.kept(kept.ended(said == null, why));
        }
        LOG.info("machine {} has ended: {}", kept.name(), why);
        machines.publishState(machine);
        if (byGuest && restarts(kept)) {
            try {
                var _ = machines.start(kept.name(), false);
            } catch (ApiException | IOException e) {
                LOG.warn("machine {} is not started again: {}", kept.name(), e.getMessage());
            }
        }
    }

    private static boolean restarts(MachineRecord kept) {
        try {
            return DomainXml.parse(kept.xml()).domain().lifecycle().onPoweroff() == Lifecycle.Action.RESTART;
        } catch (DomainException e) {
            return false;
        }
    }
}
