package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Progress;
import io.fairlead.node.HostedMachine;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Lifecycle;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How a machine gets its QEMU, is found again with it, and loses it. */
final class MachineStart {
    private static final Logger LOG = LoggerFactory.getLogger(MachineStart.class);

    private final Machines machines;
    private final Devices devices;
    private final QemuBinary qemu;

    MachineStart(Machines machines, Devices devices, QemuBinary qemu) {
        this.machines = machines;
        this.devices = devices;
        // A session of its own: what ends the daemon's terminal or its group leaves machines alone.
        this.qemu = qemu.startedBy(List.of("setsid"));
    }

    MachineLaunch launch(ManagedMachine machine) {
        return new MachineLaunch(machines, devices, qemu, machine);
    }

    /** Starts a machine that has no QEMU. Where that fails, all is as before. */
    void start(ManagedMachine machine, boolean paused, Progress progress)
            throws ApiException, IOException, DomainException {
        MachineRecord before = machine.kept();
        if (machine.running() != null) {
            throw ApiException.conflict(
                    "machine %s is %s".formatted(before.name(), machine.state()), "there is nothing to start");
        }
        MachineLaunch launch = launch(machine);
        RunningMachine running;
        try {
            running = launch.start(progress);
            if (!paused) {
                var _ = running.execute("cont");
            }
            machines.moves().here(hosted(machine));
        } catch (DomainException | IOException | RuntimeException e) {
            launch.undo();
            machines.update(machine, _ -> before);
            throw e;
        }
        watch(machine, running);
        LOG.info(
                "machine {} runs as process {}",
                before.name(),
                running.process().pid());
        machines.publishState(machine);
    }

    /** The machine has this QEMU from now on; its end is noticed. */
    void watch(ManagedMachine machine, RunningMachine running) {
        machine.running(running);
        running.process().whenEnded(() -> ended(machine, running, null));
    }

    /** A machine as a node has it: the devices that it could get. */
    HostedMachine hosted(ManagedMachine machine) {
        MachineRecord kept = machine.kept();
        MachineRecord.Live live = kept.live();
        return new HostedMachine(
                kept.name(),
                machines.folder(kept).migrationMonitor(),
                live == null ? List.of() : devices.of(live.devices(), kept.name()));
    }

    /** After a restart of the daemon: a machine that had a QEMU has its devices again, before anybody else. */
    void claim(ManagedMachine machine) {
        MachineRecord kept = machine.kept();
        MachineRecord.Live live = kept.live();
        for (String device : live == null ? List.<String>of() : live.devices()) {
            try {
                var _ = devices.claim(device, kept.name());
            } catch (ApiException | IOException e) {
                LOG.error("machine {} runs without its device {}: {}", kept.name(), device, e.getMessage());
            }
        }
    }

    /**
     * After a restart of the daemon: finds the QEMU of a machine that had one. One that never came up is ended.
     *
     * @return whether it may run here or elsewhere; which of it say the node's journals
     */
    boolean find(ManagedMachine machine) throws IOException {
        MachineRecord kept = machine.kept();
        Optional<QemuProcess> found = QemuProcess.find(machines.folder(kept));
        MachineRecord.Live live = kept.live();
        if (live == null || live.stage() == MachineRecord.Stage.STARTING) {
            // Nobody was told that it runs.
            if (found.isPresent()) {
                LOG.warn("machine {}: a QEMU that was not started to its end is ended", kept.name());
                found.get().end();
            }
            if (live != null) {
                without(machine, false, "its start was interrupted by the daemon's end");
            }
            return false;
        }
        if (found.isPresent()) {
            QemuProcess process = found.get();
            try {
                watch(machine, RunningMachine.attach(process, consoles(live), () -> machines.publishState(machine)));
                LOG.info("machine {} is found, process {}", kept.name(), process.pid());
            } catch (IOException e) {
                LOG.error("machine {}: {}", kept.name(), e.getMessage());
                process.whenEnded(() -> silentEnded(machine));
            }
        }
        return true;
    }

    /** A machine of {@link #find} with which nothing was going on: it runs, or its QEMU ended meanwhile. */
    void taken(ManagedMachine machine) throws IOException {
        RunningMachine running = machine.running();
        if (running == null) {
            Optional<QemuProcess> silent = QemuProcess.find(machines.folder(machine.kept()));
            if (silent.isPresent()) {
                machines.update(
                        machine,
                        now -> now.withReason(
                                "the monitor of its QEMU, process %d, does not answer; start the daemon again to"
                                                .formatted(silent.get().pid())
                                        + " have it looked for, or destroy the machine"));
            } else {
                without(machine, true, endedAlone(machine));
            }
        } else if (!running.process().isAlive()) {
            ended(machine, running, null);
        }
    }

    String endedAlone(ManagedMachine machine) {
        return "its QEMU ended while no daemon was there: " + QemuProcess.errorOutput(machines.folder(machine.kept()));
    }

    /** One whose monitor did not answer. */
    private synchronized void silentEnded(ManagedMachine machine) {
        MachineRecord.Live live = machine.kept().live();
        if (live != null && live.stage() == MachineRecord.Stage.RUNNING && machine.running() == null) {
            without(machine, true, "its QEMU, whose monitor did not answer, ended");
        }
    }

    /** Ends it without asking the guest. */
    void destroy(ManagedMachine machine) throws ApiException, IOException {
        MachineRecord kept = machine.kept();
        RunningMachine running = machine.running();
        if (running != null) {
            running.process().end();
            ended(machine, running, null);
        } else if (kept.live() == null) {
            throw ApiException.conflict("machine %s is %s".formatted(kept.name(), machine.state()), "start it first");
        } else {
            end(machine);
            silentEnded(machine);
        }
    }

    private static int consoles(MachineRecord.Live live) {
        try {
            return MachineDescription.consoleCount(DomainXml.parse(live.xml()).domain());
        } catch (DomainException e) {
            throw new IllegalStateException("A domain that was kept is refused: " + e.getMessage(), e);
        }
    }

    /**
     * Its QEMU has ended. Again: no effect, once the first call has returned. Whoever moves a machine sees to its end.
     *
     * @param reason null for what QEMU said
     */
    synchronized void ended(ManagedMachine machine, RunningMachine running, @Nullable String reason) {
        MachineRecord kept = machine.kept();
        MachineRecord.Live live = kept.live();
        if ((live != null && live.stage() != MachineRecord.Stage.RUNNING)
                || machines.moves().isBusy(kept.name())
                || !machine.ended(running)) {
            return;
        }
        running.qmp().close();
        String said = running.endReason();
        boolean byGuest = said != null && said.startsWith("guest-");
        String why;
        if (reason != null) {
            why = reason;
        } else if (said == null) {
            why = "QEMU ended unasked: " + running.process().errorOutput();
        } else {
            why = byGuest ? "the guest shut down" : "ended by the host (" + said + ")";
        }
        without(machine, reason != null || said == null, why);
        if (byGuest && restarts(kept)) {
            try {
                var _ = machines.start(kept.name(), false);
            } catch (ApiException | IOException e) {
                LOG.warn("machine {} is not started again: {}", kept.name(), e.getMessage());
            }
        }
    }

    /** It has no QEMU any more. */
    void without(ManagedMachine machine, boolean crashed, String why) {
        MachineRecord kept = machine.kept();
        giveBack(machine);
        try {
            machines.update(machine, now -> now.ended(crashed, why));
        } catch (IOException e) {
            LOG.error("machine {}: its end is not written down: {}", kept.name(), e.getMessage());
            machine.kept(kept.ended(crashed, why));
        }
        LOG.info("machine {} has ended: {}", kept.name(), why);
        machines.publishState(machine);
    }

    /** Its QEMU, which must not run here, ends; also one whose monitor did not answer. */
    void end(ManagedMachine machine) throws IOException {
        RunningMachine running = machine.running();
        if (running != null && machine.ended(running)) {
            running.qmp().close();
            running.process().end();
        }
        Optional<QemuProcess> left = QemuProcess.find(machines.folder(machine.kept()));
        if (left.isPresent()) {
            left.get().end();
        }
    }

    /** What it had of the host. */
    void giveBack(ManagedMachine machine) {
        MachineRecord kept = machine.kept();
        machines.moves().gone(kept.name());
        MachineRecord.Live live = kept.live();
        if (live != null) {
            live.devices().forEach(device -> devices.release(device, kept.name()));
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
