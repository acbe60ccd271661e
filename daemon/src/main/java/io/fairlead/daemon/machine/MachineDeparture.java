package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.CancelledException;
import io.fairlead.daemon.operation.Progress;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.HostPort;
import io.fairlead.node.MachineCheck;
import io.fairlead.node.MigrationJson;
import io.fairlead.node.MigrationWatcher;
import io.fairlead.node.Node;
import io.fairlead.node.channel.Message;
import io.fairlead.node.journal.Step;
import io.fairlead.node.migration.Kind;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.migration.Outcome;
import io.fairlead.node.migration.Phase;
import io.fairlead.node.migration.StreamProgress;
import io.fairlead.qemu.MachineFacts;
import io.fairlead.vdpa.preflight.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ObjectNode;

/** A machine that goes to another host: has it expected there, has the node move it, and leaves nothing of it here. */
final class MachineDeparture {
    private static final Logger LOG = LoggerFactory.getLogger(MachineDeparture.class);
    private static final Duration EXPECT = Duration.ofMinutes(3);
    private static final Duration DISMISS = Duration.ofSeconds(5);

    private final Machines machines;
    private final MachineStart starter;
    private final Devices devices;

    MachineDeparture(Machines machines, MachineStart starter, Devices devices) {
        this.machines = machines;
        this.starter = starter;
        this.devices = devices;
    }

    /** Compares both sides, for which a QEMU waits at the other one for a moment. */
    MachineCheck check(ManagedMachine machine, HostPort to) throws ApiException, IOException {
        Node node = machines.moves().node();
        Message _ = node.ask(to, announce(machine, node).message(), EXPECT);
        try {
            return node.check(machine.name(), to);
        } finally {
            dismiss(node, machine.name(), to);
            ended(machine, null);
        }
    }

    /** Moves it. Where that does not succeed, it runs on here. */
    ObjectNode move(ManagedMachine machine, HostPort to, MigrationPlan plan, Progress progress)
            throws ApiException, IOException, CancelledException {
        String name = machine.name();
        Node node = machines.moves().node();
        Expected announced = announce(machine, node);
        AtomicBoolean cancelled = new AtomicBoolean();
        AtomicBoolean moving = new AtomicBoolean();
        progress.cancellable(() -> {
            cancelled.set(true);
            return !moving.get() || node.cancel(name, "it was cancelled");
        });
        progress.phase("the destination");
        Message _ = node.ask(to, announced.message(), EXPECT);
        MigrationReport report;
        try {
            moving.set(true);
            if (cancelled.get()) {
                throw new CancelledException("machine %s stays".formatted(name));
            }
            report = node.migrate(name, to, plan, new Watcher(name, progress, this));
        } catch (IOException | CancelledException | RuntimeException e) {
            dismiss(node, name, to);
            ended(machine, null);
            throw e;
        }
        if (report.result() == MigrationReport.Result.STAYED) {
            dismiss(node, name, to);
            if (cancelled.get()) {
                ended(machine, null);
                throw new CancelledException("machine %s stays: %s".formatted(name, report.reason()));
            }
        }
        return conclude(machine, to, report);
    }

    private Expected announce(ManagedMachine machine, Node node) throws ApiException, IOException {
        RunningMachine running = Machines.running(machine);
        MachineRecord kept = machine.kept();
        MachineRecord.Live live = kept.live();
        if (live == null) {
            throw ApiException.conflict("machine %s does not run".formatted(kept.name()), "start it first");
        }
        List<byte[]> states = node.provisionalStates(kept.name());
        if (states.size() != live.devices().size()) {
            throw ApiException.conflict(
                    "machine %s: one of its devices %s could not be made again here"
                            .formatted(kept.name(), live.devices()),
                    "'fairlead dev show' says why");
        }
        List<Expected.ExpectedDevice> all = new ArrayList<>();
        for (int i = 0; i < states.size(); i++) {
            DeviceOption option = devices.option(live.devices().get(i));
            all.add(new Expected.ExpectedDevice(
                    option.name(),
                    option.deviceId(),
                    option.attributes(),
                    devices.isOfItsRun(option.name(), kept.name()),
                    states.get(i)));
        }
        List<String> later = MachineFacts.of(running.qmp()).unmigratable().stream()
                .map(MachineFacts.Device::id)
                .filter(live.devices()::contains)
                .toList();
        return new Expected("", kept.name(), live.xml(), kept.xml(), kept.autostart(), all, later);
    }

    /** Where it was expected, it does not come. Nobody waits for it long either. */
    private static void dismiss(Node node, String name, HostPort to) {
        try {
            Message _ = node.ask(to, Message.of(Kind.DISMISS).with("machine", name), DISMISS);
        } catch (IOException e) {
            LOG.info("machine {}: {} was not told that it stays: {}", name, to, e.getMessage());
        }
    }

    /** What became of a machine of that name, as the destination says it; written down before the node forgets it. */
    void decided(String name, Outcome outcome) {
        if (outcome.step() != Step.RUNNING) {
            return;
        }
        try {
            machines.update(machines.find(name), now -> now.in(MachineRecord.Stage.MOVED));
        } catch (ApiException | IOException e) {
            LOG.error("machine {}: that it runs elsewhere is not written down: {}", name, e.getMessage());
        }
    }

    /**
     * The end of a move.
     *
     * @param to null where it is not known any more
     */
    ObjectNode conclude(ManagedMachine machine, @Nullable HostPort to, MigrationReport report) throws IOException {
        switch (report.result()) {
            case MOVED -> forget(machine, to);
            case STAYED -> {
                ended(machine, null);
                throw new IOException("machine %s stays: %s".formatted(machine.name(), report.reason()));
            }
            case LOST -> {
                ended(machine, report.reason());
                throw new IOException("machine %s is lost: %s".formatted(machine.name(), report.reason()));
            }
        }
        return MigrationJson.of(report);
    }

    /** Nobody else looked after its end while it was on its way. */
    private void ended(ManagedMachine machine, @Nullable String reason) {
        RunningMachine running = machine.running();
        if (running == null) {
            if (machine.kept().live() != null) {
                starter.without(machine, true, reason == null ? "its QEMU ended while it moved" : reason);
            }
        } else if (!running.process().isAlive()) {
            starter.ended(machine, running, reason);
        }
    }

    /** It runs elsewhere: nothing of it stays here. */
    void forget(ManagedMachine machine, @Nullable HostPort to) throws IOException {
        String name = machine.name();
        starter.end(machine);
        starter.giveBack(machine);
        machines.remove(machine);
        LOG.info("machine {} runs at {}", name, to == null ? "another host" : to);
    }

    /** What a user sees of it. */
    private record Watcher(String machine, Progress progress, MachineDeparture departure) implements MigrationWatcher {
        @Override
        public void checked(MachineCheck check) {
            check.lines().stream()
                    .filter(line -> line.verdict().outcome() == Verdict.Outcome.WARNING)
                    .forEach(line -> progress.note("%s: %s: %s"
                            .formatted(
                                    line.subject(),
                                    line.verdict().field(),
                                    line.verdict().reason())));
        }

        @Override
        public void progress(StreamProgress now) {
            progress.progress(MigrationJson.of(now));
        }

        @Override
        public void phase(Phase phase) {
            progress.phase(phase.toString());
        }

        @Override
        public void note(String text) {
            progress.note(text);
        }

        @Override
        public void decided(Outcome outcome) {
            departure.decided(machine, outcome);
        }
    }
}
