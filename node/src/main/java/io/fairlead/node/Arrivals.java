package io.fairlead.node;

import io.fairlead.linux.BootId;
import io.fairlead.linux.CompilerThreads;
import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.NodeChannel;
import io.fairlead.node.channel.RequestHandler;
import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.journal.Step;
import io.fairlead.node.memory.MemoryPiece;
import io.fairlead.node.migration.DestinationMigration;
import io.fairlead.node.migration.DeviceAway;
import io.fairlead.node.migration.Kind;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.node.migration.Outcome;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The migrations to this node: answers what their sources ask. Thread-safe. */
final class Arrivals implements RequestHandler {
    static final String DESTINATION = "destination";

    private static final Logger LOG = LoggerFactory.getLogger(Arrivals.class);

    /**
     * One migration to here.
     *
     * @param channel of its source; null after a restart
     * @param told completed when the machine's owner knows what became of it
     */
    private record Arrival(
            NodeMachine machine,
            DestinationMigration migration,
            QemuDestination side,
            @Nullable NodeChannel channel,
            CompletableFuture<Void> told) {
        /** Completed when nothing happens to the machine any more. */
        CompletableFuture<?> ended() {
            return migration
                    .cleaned()
                    .thenCompose(_ -> migration.step() == Step.RUNNING
                            ? side.replugged().thenAccept(_ -> {})
                            : CompletableFuture.completedFuture(null));
        }
    }

    private final Map<String, NodeMachine> machines;
    private final Path journals;
    private final Path certificates;
    private final String listenHost;
    private final DeviceMaker maker;
    private final MachineOwner owner;
    private final MachineLocks locks;
    private final Map<UUID, Arrival> arrivals = new ConcurrentHashMap<>();

    /** By machine, of the last migration to here: the devices that it got again. */
    private final Map<String, CompletableFuture<List<DeviceAway>>> replugged = new ConcurrentHashMap<>();

    Arrivals(
            Map<String, NodeMachine> machines,
            Path journals,
            Path certificates,
            String listenHost,
            DeviceMaker maker,
            MachineOwner owner,
            MachineLocks locks) {
        this.machines = machines;
        this.journals = journals;
        this.certificates = certificates;
        this.listenHost = listenHost;
        this.maker = maker;
        this.owner = owner;
        this.locks = locks;
    }

    /** Goes on with a migration of a process that was killed; before devices are served. */
    void recover(MigrationJournal journal) throws IOException {
        NodeMachine machine = MachineLeft.of(machines, journal);
        if (machine == null) {
            return;
        }
        locks.take(machine.name(), "a migration that is taken up after a restart");
        QemuDestination side =
                new QemuDestination(machine, Replugging.of(machine, journal.begun()), maker, certificates, listenHost);
        if (!journal.last().isFinal()) {
            side.watchAgain();
        }
        boolean sameBoot = journal.begun().path("boot").asString("").equals(BootId.current());
        DestinationMigration migration = DestinationMigration.recover(journal, side, sameBoot);
        Arrival arrival = new Arrival(machine, migration, side, null, new CompletableFuture<>());
        arrivals.put(journal.id(), arrival);
        replugWhenRunning(arrival);
        var _ = migration
                .decided()
                .thenAccept(outcome -> LOG.warn(
                        "machine {}: after a restart: {} {}", machine.name(), outcome.step(), outcome.reason()));
        var _ = migration.cleaned().thenRun(() -> {
            try {
                machine.serve();
            } catch (IOException e) {
                LOG.error("machine {}: its devices are not served: {}", machine.name(), e.getMessage());
            }
        });
        var _ = arrival.ended().thenRun(() -> ended(arrival));
    }

    /** Of an end that is over: its source may still ask for it. A source's own is of no use any more. */
    void remember(MigrationJournal journal) throws IOException {
        if (MachineLeft.isSource(journal)) {
            journal.delete();
        } else if (!journal.last().isFinal()) {
            LOG.error(
                    "migration {} is {}, and another one of its machine is undecided, too",
                    journal.id(),
                    journal.last());
            journal.close();
        } else {
            NodeMachine machine = MachineLeft.nobody(journal);
            QemuDestination side =
                    new QemuDestination(machine, new Replugging(machine, List.of()), maker, certificates, listenHost);
            arrivals.put(
                    journal.id(),
                    new Arrival(
                            machine,
                            DestinationMigration.recover(journal, side, true),
                            side,
                            null,
                            CompletableFuture.completedFuture(null)));
        }
    }

    /** The owner is told before the journal is forgotten: what it writes down is then all that is left of the move. */
    private void ended(Arrival arrival) {
        String name = arrival.machine().name();
        locks.give(name);
        owner.arrived(name, arrival.migration().decided().join());
        arrival.told().complete(null);
    }

    /** Gives up machines of a name that are on their way to here, unless it is too late. */
    boolean withdraw(String machine, String reason) {
        boolean withdrawn = false;
        for (Arrival arrival : arrivals.values()) {
            if (arrival.machine().name().equals(machine)
                    && !arrival.migration().step().isFinal()) {
                var _ = arrival.migration().withdraw(reason);
                withdrawn |= arrival.migration().step() == Step.ABORTED;
            }
        }
        return withdrawn;
    }

    private void replugWhenRunning(Arrival arrival) {
        replugged.put(arrival.machine().name(), arrival.side().replugged());
        var _ = arrival.migration().decided().thenAccept(outcome -> {
            if (outcome.step() == Step.RUNNING) {
                arrival.side().replug();
            }
        });
    }

    @Override
    public Message answer(NodeChannel channel, Message request) throws IOException {
        return switch (request.kind()) {
            case Kind.EXPECT -> {
                owner.expect(channel.peer().node(), request.text("machine"), request);
                yield Message.of(Kind.EXPECT);
            }
            case Kind.DISMISS -> {
                locks.refuseBusy(request.text("machine"));
                owner.dismiss(request.text("machine"));
                yield Message.of(Kind.DISMISS);
            }
            case Kind.DESCRIBE -> MachineCheck.describe(machine(request));
            case Kind.PREPARE -> prepare(channel, request);
            case Kind.STATES -> {
                migration(request).states(request.blobs());
                yield Message.of(Kind.STATES);
            }
            case Kind.MEMORY -> {
                migration(request)
                        .memory(
                                MemoryPiece.of(request),
                                request.fields().path("last").asInt(0) == 1);
                yield Message.of(Kind.MEMORY);
            }
            case Kind.GRANT -> answered(request.kind(), migration(request).grant());
            case Kind.WITHDRAW ->
                answered(request.kind(), migration(request).withdraw("the source gave up: " + request.text("reason")));
            case Kind.SETTLED -> {
                migration(request).settled();
                yield Message.of(Kind.SETTLED);
            }
            case Kind.FORGET -> {
                Arrival arrival = arrival(request);
                UUID id = id(request);
                if (!arrival.migration().step().isFinal()) {
                    throw new IOException("the migration is %s and cannot be forgotten"
                            .formatted(arrival.migration().step()));
                }
                // Until then a process that follows has to know which devices the machine still lacks.
                var _ = arrival.told().thenRun(() -> forget(id, arrival));
                yield Message.of(Kind.FORGET);
            }
            case Kind.REPLUGGED -> replugged(machine(request));
            default -> throw new IOException("this node does not know the request '" + request.kind() + "'");
        };
    }

    private static Message answered(String kind, CompletableFuture<Outcome> decided) throws IOException {
        try {
            return decided.get().into(Message.of(kind));
        } catch (ExecutionException | InterruptedException e) {
            throw new IOException("no outcome: " + e.getMessage(), e);
        }
    }

    private NodeMachine machine(Message request) throws IOException {
        NodeMachine machine = machines.get(request.text("machine"));
        if (machine == null) {
            throw new IOException("the destination's node has no machine '%s', only %s: name it there by --machine"
                    .formatted(request.text("machine"), machines.keySet()));
        }
        return machine;
    }

    private static UUID id(Message request) throws IOException {
        try {
            return UUID.fromString(request.text("migration"));
        } catch (IllegalArgumentException e) {
            throw new IOException("'" + request.text("migration") + "' is no migration", e);
        }
    }

    private Arrival arrival(Message request) throws IOException {
        UUID id = id(request);
        Arrival arrival = arrivals.get(id);
        if (arrival == null) {
            throw new IOException("the destination's node knows no migration " + id);
        }
        return arrival;
    }

    private DestinationMigration migration(Message request) throws IOException {
        return arrival(request).migration();
    }

    private Message replugged(NodeMachine machine) throws IOException {
        CompletableFuture<List<DeviceAway>> ended = replugged.get(machine.name());
        Message answer = Message.of(Kind.REPLUGGED);
        if (ended != null) {
            try {
                for (DeviceAway device : ended.get()) {
                    answer.fields()
                            .withArray("devices")
                            .addObject()
                            .put("device", device.device())
                            .put("problem", device.problem());
                }
            } catch (ExecutionException | InterruptedException e) {
                throw new IOException("no answer: " + e.getMessage(), e);
            }
        }
        return answer;
    }

    private Message prepare(NodeChannel channel, Message request) throws IOException {
        NodeMachine machine = machine(request);
        UUID id = id(request);
        MigrationPlan plan = MigrationPlan.of(request);
        locks.take(machine.name(), "a migration from node " + channel.peer().node());
        Arrival arrival;
        try {
            forgetOld(machine);
            ObjectNode begun = JsonNodeFactory.instance.objectNode();
            begun.put("role", DESTINATION);
            begun.put("machine", machine.name());
            begun.put("boot", BootId.current());
            begun.put("source", channel.peer().node());
            Replugging replugging = Replugging.of(machine, request.fields());
            replugging.names().forEach(begun.putArray("replugged")::add);
            QemuDestination side = new QemuDestination(machine, replugging, maker, certificates, listenHost);
            arrival = new Arrival(
                    machine,
                    DestinationMigration.begin(MigrationJournal.begin(journals, id, begun), side),
                    side,
                    channel,
                    new CompletableFuture<>());
        } catch (IOException | RuntimeException e) {
            locks.give(machine.name());
            throw e;
        }
        arrivals.put(id, arrival);
        replugWhenRunning(arrival);
        CompilerThreads.Quiet quiet = CompilerThreads.quiet();
        var _ = arrival.migration().decided().thenRun(quiet::close);
        var _ = arrival.ended().thenRun(() -> ended(arrival));
        if (!channel.isOpen()) {
            arrival.migration().channelEnded(new IOException("it was closed at once"));
        }
        int port = arrival.migration().listen(plan, request.blobs());
        return Message.of(Kind.PREPARE).with("port", port);
    }

    /** What ended long ago, and whose source never said that it will not ask again. */
    private void forgetOld(NodeMachine machine) {
        arrivals.forEach((id, old) -> {
            if (old.machine().name().equals(machine.name())
                    && old.migration().step().isFinal()) {
                forget(id, old);
            }
        });
    }

    private void forget(UUID id, Arrival arrival) {
        try {
            arrival.migration().forget();
        } catch (IOException e) {
            LOG.warn(
                    "machine {}: the journal of migration {} stays: {}",
                    arrival.machine().name(),
                    id,
                    e.getMessage());
        }
        arrivals.remove(id);
    }

    @Override
    public void ended(NodeChannel channel, IOException reason) {
        for (Arrival arrival : arrivals.values()) {
            if (arrival.channel() == channel) {
                arrival.migration().channelEnded(reason);
                SettledWatch.start(arrival.migration(), channel);
            }
        }
    }
}
