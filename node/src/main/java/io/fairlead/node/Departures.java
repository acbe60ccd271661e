package io.fairlead.node;

import io.fairlead.linux.BootId;
import io.fairlead.linux.CompilerThreads;
import io.fairlead.node.channel.Hello;
import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.Peer;
import io.fairlead.node.channel.RequestHandler;
import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.migration.DeviceAway;
import io.fairlead.node.migration.Kind;
import io.fairlead.node.migration.MigrationListener;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.migration.Outcome;
import io.fairlead.node.migration.Phase;
import io.fairlead.node.migration.SourceMigration;
import io.fairlead.node.migration.StreamProgress;
import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The migrations from this node, and the ways to other nodes. Thread-safe. */
final class Departures implements AutoCloseable {
    static final String SOURCE = "source";

    private static final Logger LOG = LoggerFactory.getLogger(Departures.class);
    private static final Duration ANSWER = Duration.ofSeconds(30);
    private static final long PROGRESS_MILLIS = 500;

    private final Map<String, NodeMachine> machines;
    private final Path journals;
    private final NodeCertificates certificates;
    private final Hello own;
    private final RequestHandler handler;
    private final MachineOwner owner;
    private final MachineLocks locks;
    private final Map<HostPort, NodeLink> links = new ConcurrentHashMap<>();
    private final Map<String, SourceMigration> running = new ConcurrentHashMap<>();

    /** Of each machine that is being checked or moved: completed with the reason to take it back. */
    private final Map<String, CompletableFuture<String>> cancelled = new ConcurrentHashMap<>();

    Departures(
            Map<String, NodeMachine> machines,
            Path journals,
            NodeCertificates certificates,
            Hello own,
            RequestHandler handler,
            MachineOwner owner,
            MachineLocks locks) {
        this.machines = machines;
        this.journals = journals;
        this.certificates = certificates;
        this.own = own;
        this.handler = handler;
        this.owner = owner;
        this.locks = locks;
    }

    private NodeLink link(HostPort to) {
        return links.computeIfAbsent(
                to, address -> new NodeLink(address.host(), address.port(), certificates, own, handler));
    }

    private NodeMachine machine(String name) throws IOException {
        NodeMachine machine = machines.get(name);
        if (machine == null) {
            throw new IOException(
                    "this node has no machine '%s', only %s: name it by --machine".formatted(name, machines.keySet()));
        }
        return machine;
    }

    /** One question to another node. */
    Message ask(HostPort to, Message request, Duration patience) throws IOException {
        return link(to).connect().call(request, patience);
    }

    /** Compares both sides; changes nothing. */
    MachineCheck check(String machineName, HostPort to) throws IOException {
        NodeMachine machine = machine(machineName);
        locks.take(machineName, "a check");
        try {
            return check(machine, link(to).connect(), MachineCheck.describe(machine));
        } finally {
            // The monitor's socket is free for others again.
            machine.close();
            locks.give(machineName);
        }
    }

    private static MachineCheck check(NodeMachine machine, Peer peer, Message here) throws IOException {
        return MachineCheck.compare(here, peer.call(Message.of(Kind.DESCRIBE).with("machine", machine.name()), ANSWER));
    }

    /**
     * Moves a machine; returns at the end.
     *
     * @throws IOException where it was refused before anything was changed
     */
    MigrationReport migrate(String machineName, HostPort to, MigrationPlan plan, MigrationWatcher watcher)
            throws IOException {
        NodeMachine machine = machine(machineName);
        locks.take(machineName, "a migration to " + to);
        CompletableFuture<String> takenBack = new CompletableFuture<>();
        cancelled.put(machineName, takenBack);
        machine.recordChanges();
        try {
            watcher.phase(Phase.CHECK);
            NodeLink link = link(to);
            Peer peer = link.connect();
            Message here = MachineCheck.describe(machine);
            MachineCheck check = check(machine, peer, here);
            watcher.checked(check);
            if (!check.refusal().isEmpty()) {
                throw new IOException("machine " + machineName + " stays: " + check.refusal());
            }
            if (takenBack.isDone()) {
                throw new IOException("machine %s stays: %s".formatted(machineName, takenBack.join()));
            }
            Replugging replugging = new Replugging(machine, check.replugged());
            QemuSource side = new QemuSource(machine, replugging, certificates.folder());
            side.connect();
            ObjectNode begun = JsonNodeFactory.instance.objectNode();
            begun.put("role", SOURCE);
            begun.put("machine", machineName);
            begun.put("boot", BootId.current());
            begun.put("to", to.toString());
            begun.put("keepSource", plan.keepSource());
            replugging.names().forEach(begun.putArray("replugged")::add);
            SourceMigration migration = new SourceMigration(
                    machineName, plan, MigrationJournal.begin(journals, UUID.randomUUID(), begun), side, link, watcher);
            running.put(machineName, migration);
            // Also what came during the check.
            var _ = takenBack.thenAccept(reason -> {
                boolean _ = migration.cancel(reason);
            });
            if (!replugging.names().isEmpty()) {
                watcher.note("leave the machine before it moves and come back to it: "
                        + String.join(", ", replugging.names()));
            }
            AtomicReference<Phase> ended = new AtomicReference<>();
            Thread progress = Thread.ofVirtual().start(() -> showProgress(side, watcher, ended));
            try {
                MigrationReport report;
                try (CompilerThreads.Quiet _ = CompilerThreads.quiet()) {
                    report = migration.run(peer, link.host(), check.moving(here), check.mayFreeze());
                }
                return report.withAway(away(report, replugging, link));
            } finally {
                ended.set(Phase.COMMIT);
                progress.interrupt();
                running.remove(machineName);
            }
        } finally {
            machine.forgetChanges();
            cancelled.remove(machineName);
            machine.close();
            locks.give(machineName);
        }
    }

    /** What became of the devices that left the machine before it moved; waits until they are back. */
    private static List<DeviceAway> away(MigrationReport report, Replugging replugging, NodeLink link) {
        if (replugging.names().isEmpty() || report.result() != MigrationReport.Result.MOVED) {
            return replugging.away();
        }
        Map<String, String> problems = new HashMap<>();
        String unknown = "";
        try {
            Message answer = link.connect()
                    .call(
                            Message.of(Kind.REPLUGGED).with("machine", replugging.machine()),
                            replugging.patience().plus(ANSWER));
            for (JsonNode device : answer.fields().path("devices")) {
                problems.put(
                        device.path("device").asString(""),
                        device.path("problem").asString(""));
            }
        } catch (IOException e) {
            unknown = "not known whether the machine has it again: " + e.getMessage();
        }
        List<DeviceAway> away = new ArrayList<>();
        for (String name : replugging.names()) {
            away.add(new DeviceAway(name, replugging.awayMillis(name), problems.getOrDefault(name, unknown)));
        }
        return away;
    }

    /** Only while memory goes over: later nothing is asked of QEMU that it need not do. */
    private static void showProgress(QemuSource side, MigrationWatcher watcher, AtomicReference<Phase> ended) {
        try {
            while (ended.get() == null && !side.stopped().isDone()) {
                Thread.sleep(PROGRESS_MILLIS);
                if (ended.get() == null && !side.stopped().isDone()) {
                    StreamProgress now = side.progress();
                    if (now.totalBytes() > 0) {
                        watcher.progress(now);
                    }
                }
            }
        } catch (IOException e) {
            LOG.debug("no progress", e);
        } catch (InterruptedException e) {
            // The end.
        }
    }

    /** See {@link SourceMigration#cancel}; false also where there is none. */
    boolean cancel(String machineName, String reason) {
        CompletableFuture<String> takenBack = cancelled.get(machineName);
        if (takenBack == null) {
            return false;
        }
        boolean _ = takenBack.complete(reason);
        SourceMigration migration = running.get(machineName);
        return migration == null || migration.cancel(reason);
    }

    /** Goes on with a migration of a process that was killed, in the background; before devices are served. */
    void recover(MigrationJournal journal) throws IOException {
        String name = journal.begun().path("machine").asString("");
        NodeMachine machine = MachineLeft.of(machines, journal);
        if (machine == null) {
            return;
        }
        locks.take(name, "a migration that is taken up after a restart");
        machine.hold();
        HostPort to = HostPort.parse(journal.begun().path("to").asString(""));
        QemuSource side = new QemuSource(machine, Replugging.of(machine, journal.begun()), certificates.folder());
        MigrationPlan plan = new MigrationPlan(
                0, 0, 0, 0, false, journal.begun().path("keepSource").asBoolean(false));
        SourceMigration migration = new SourceMigration(name, plan, journal, side, link(to), new Logged(name, owner));
        Thread _ = Thread.ofPlatform()
                .daemon()
                .name("fairlead-" + name + "-recovery")
                .start(() -> {
                    try {
                        MigrationReport report = migration.recover();
                        LOG.warn("machine {}: after a restart: {} {}", name, report.result(), report.reason());
                        machine.close();
                        serve(machine);
                        owner.recovered(name, report);
                    } finally {
                        locks.give(name);
                    }
                });
    }

    private static void serve(NodeMachine machine) {
        try {
            machine.serve();
        } catch (IOException e) {
            LOG.error("machine {}: its devices are not served: {}", machine.name(), e.getMessage());
        }
    }

    private record Logged(String machine, MachineOwner owner) implements MigrationListener {
        @Override
        public void decided(Outcome outcome) {
            owner.departed(machine, outcome);
        }

        @Override
        public void phase(Phase phase) {
            LOG.info("machine {}: {}", machine, phase);
        }

        @Override
        public void note(String text) {
            LOG.warn("machine {}: {}", machine, text);
        }
    }

    @Override
    public void close() {
        links.values().forEach(NodeLink::close);
    }
}
