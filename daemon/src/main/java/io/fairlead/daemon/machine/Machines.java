package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Operation;
import io.fairlead.daemon.operation.Operations;
import io.fairlead.daemon.operation.Work;
import io.fairlead.daemon.store.Change;
import io.fairlead.daemon.store.StateStore;
import io.fairlead.node.HostPort;
import io.fairlead.node.MachineCheck;
import io.fairlead.node.Node;
import io.fairlead.node.NodeOptions;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.qemu.QemuBinary;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The machines of a daemon: defined, started, stopped and forgotten; written down, so that the next daemon takes over those
 * that run. What takes its time is an operation on {@code machine/NAME}. Thread-safe.
 */
public final class Machines implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Machines.class);
    static final String PREFIX = "machine/";

    private final StateStore store;
    private final EventLog events;
    private final Operations operations;
    private final Devices devices;
    private final Path folders;
    private final MachineStart starter;
    private final MachineDevices plugging;
    private final MachineDescription description;
    private final MachineMoves moves;
    private final NavigableMap<String, ManagedMachine> machines = new TreeMap<>();

    /** A machine that was defined, as the API shows it, and what its user should know. */
    public record Defined(ObjectNode machine, List<Notice> notices) {
        public Defined {
            notices = List.copyOf(notices);
        }
    }

    /**
     * Takes over what runs, ends what was not started to its end, goes on with what was on its way, and forgets what has
     * ended.
     *
     * @param folders of the machines' sockets and logs
     * @param node where machines come from other hosts; null where they do not
     */
    public Machines(
            StateStore store,
            EventLog events,
            Operations operations,
            Devices devices,
            QemuBinary qemu,
            Path folders,
            @Nullable NodeOptions node)
            throws IOException {
        this.store = store;
        this.events = events;
        this.operations = operations;
        this.devices = devices;
        this.folders = folders;
        Files.createDirectories(folders);
        starter = new MachineStart(this, devices, qemu);
        plugging = new MachineDevices(this, devices);
        description = new MachineDescription(operations);
        store.list(PREFIX)
                .forEach((name, written) -> machines.put(name, new ManagedMachine(MachineRecord.of(name, written))));
        moves = new MachineMoves(this, starter, devices, operations);
        machines.values().forEach(starter::claim);
        // A QEMU to which a device was being plugged answers nothing before it has it.
        Set<String> undecided = node == null ? Set.of() : Node.undecided(node.state());
        devices.serve(name -> !undecided.contains(name));
        List<ManagedMachine> found = new ArrayList<>();
        for (ManagedMachine machine : machines.values()) {
            if (starter.find(machine)) {
                found.add(machine);
            }
        }
        moves.open(node, found);
        devices.removeOrphans(machines::containsKey);
    }

    /** Starts those that shall run whenever the daemon does. */
    public void autostart() {
        for (ManagedMachine machine : all()) {
            MachineRecord kept = machine.kept();
            if (kept.autostart() && machine.running() == null) {
                try {
                    Operation _ = start(kept.name(), false);
                } catch (ApiException | IOException e) {
                    LOG.error("machine {} is not started: {}", kept.name(), e.getMessage());
                }
            }
        }
    }

    private synchronized List<ManagedMachine> all() {
        return new ArrayList<>(machines.values());
    }

    synchronized ManagedMachine find(String name) throws ApiException {
        ManagedMachine machine = machines.get(name);
        if (machine == null) {
            throw ApiException.notFound("machine %s: there is none".formatted(name));
        }
        return machine;
    }

    /** The machine's QEMU, for work that needs one. */
    static RunningMachine running(ManagedMachine machine) throws ApiException {
        RunningMachine running = machine.running();
        if (running == null) {
            throw ApiException.conflict(
                    "machine %s is %s".formatted(machine.name(), machine.state()), "start it first");
        }
        return running;
    }

    MachineMoves moves() {
        return moves;
    }

    /** The port where other daemons' machines come; 0 where they cannot. */
    public int migrationPort() {
        return moves.port();
    }

    MachineFolder folder(MachineRecord kept) {
        return MachineFolder.of(folders, kept.uuid());
    }

    /** Writes down what a machine is from now on, by what it is. */
    void update(ManagedMachine machine, UnaryOperator<MachineRecord> change) throws IOException {
        // Its QEMU may end at any moment, whatever an operation makes of it.
        synchronized (machine) {
            MachineRecord kept = change.apply(machine.kept());
            store.commit(Change.ofPut(PREFIX + kept.name(), kept.written()));
            machine.kept(kept);
        }
    }

    void publishState(ManagedMachine machine) {
        String name = machine.name();
        events.publish(
                "machine-state",
                PREFIX + name,
                "machine %s is %s".formatted(name, machine.state()),
                JsonMapper.shared()
                        .createObjectNode()
                        .put("state", machine.state())
                        .put("reason", machine.kept().reason()));
    }

    /**
     * Defines a machine, or what it shall be at its next start.
     *
     * @throws ApiException where the document is refused, the name is another machine's, or somebody works on it
     */
    public Defined define(String document) throws Exception {
        Definition definition;
        try {
            definition = Definition.parse(document);
        } catch (DomainException e) {
            throw Definition.refused(e);
        }
        String name = definition.domain().name();
        if (name.indexOf('/') >= 0) {
            throw new IllegalArgumentException("machine %s: its name must have no /".formatted(name));
        }
        return operations.exclusively(PREFIX + name, () -> define(definition));
    }

    private Defined define(Definition definition) throws IOException, ApiException {
        String name = definition.domain().name();
        UUID uuid = Objects.requireNonNull(definition.domain().uuid());
        ManagedMachine machine;
        synchronized (this) {
            refuseUuid(name, uuid);
            machine = machines.get(name);
        }
        if (machine == null) {
            machine = new ManagedMachine(
                    new MachineRecord(name, uuid, DomainXml.print(definition.domain()), false, false, "", null));
            add(machine);
        } else {
            // The folder of one that runs has its UUID.
            UUID own = machine.kept().uuid();
            update(
                    machine,
                    now -> now.withXml(DomainXml.print(definition.domain().withUuid(own))));
        }
        ObjectNode json = description.of(machine, folder(machine.kept()));
        events.publish("machine-defined", PREFIX + name, "machine %s was defined".formatted(name), json);
        return new Defined(json, definition.notices());
    }

    private synchronized void refuseUuid(String name, UUID uuid) throws ApiException {
        for (ManagedMachine other : machines.values()) {
            if (other.kept().uuid().equals(uuid) && !other.name().equals(name)) {
                throw ApiException.conflict(
                        "machine %s: its UUID %s is machine %s's".formatted(name, uuid, other.name()),
                        "leave <uuid> out");
            }
        }
    }

    /** One more; its name is the caller's operation's. */
    synchronized void add(ManagedMachine machine) throws ApiException, IOException {
        MachineRecord kept = machine.kept();
        refuseUuid(kept.name(), kept.uuid());
        if (machines.containsKey(kept.name())) {
            throw ApiException.conflict(
                    "machine %s: there is one of this name".formatted(kept.name()), "undefine it first");
        }
        update(machine, now -> now);
        machines.put(kept.name(), machine);
    }

    /** One less: it does not run, and nothing is kept of it, nor of what came with it. */
    void remove(ManagedMachine machine) throws IOException {
        store.commit(Change.ofDelete(PREFIX + machine.name()));
        synchronized (this) {
            machines.remove(machine.name(), machine);
        }
        devices.left(machine.name());
        folder(machine.kept()).remove();
    }

    /** Forgets a machine that does not run. */
    public void undefine(String name) throws Exception {
        ManagedMachine machine = find(name);
        var _ = operations.exclusively(PREFIX + name, () -> {
            if (machine.running() != null) {
                throw ApiException.conflict("machine %s runs".formatted(name), "shut it down, or destroy it, first");
            }
            remove(machine);
            return name;
        });
        events.publish("machine-undefined", PREFIX + name, "machine %s was undefined".formatted(name));
    }

    /** Whether it is started whenever the daemon starts. */
    public ObjectNode autostart(String name, boolean enabled) throws Exception {
        ManagedMachine machine = find(name);
        return operations.exclusively(PREFIX + name, () -> {
            update(machine, now -> now.withAutostart(enabled));
            return get(name);
        });
    }

    /** One as the API shows it. */
    public ObjectNode get(String name) throws ApiException {
        ManagedMachine machine = find(name);
        return description.of(machine, folder(machine.kept()));
    }

    /** All, by name. */
    public ArrayNode list() {
        ArrayNode list = JsonMapper.shared().createArrayNode();
        all().forEach(machine -> list.add(description.of(machine, folder(machine.kept()))));
        return list;
    }

    /** How many there are, and how many of them have a QEMU. */
    public int count(boolean running) {
        return (int) all().stream()
                .filter(machine -> !running || machine.running() != null)
                .count();
    }

    /** The document of what runs, or of what shall be started. */
    public String xml(String name, boolean inactive) throws ApiException {
        MachineRecord kept = find(name).kept();
        return kept.live() == null || inactive ? kept.xml() : kept.live().xml();
    }

    /** The screen, as PNG. */
    public byte[] screenshot(String name) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return MachineDescription.screenshot(running(machine), folder(machine.kept()));
    }

    /** What its QEMU uses of the host. */
    public ObjectNode statistics(String name) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return MachineDescription.statistics(running(machine));
    }

    /** Begins to start it. */
    public Operation start(String name, boolean paused) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin("start", PREFIX + name, progress -> {
            starter.start(machine, paused, progress);
            return null;
        });
    }

    /** Begins to ask the guest to shut down; ends when the machine has. */
    public Operation shutdown(String name) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin("shutdown", PREFIX + name, progress -> {
            RunningMachine running = running(machine);
            MachinePower.shutdown(running, name, progress);
            starter.ended(machine, running, null);
            return null;
        });
    }

    /** Begins to have the guest shut down, and to start it again then. */
    public Operation reboot(String name) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin("reboot", PREFIX + name, progress -> {
            RunningMachine running = running(machine);
            MachinePower.shutdown(running, name, progress);
            starter.ended(machine, running, null);
            starter.start(machine, false, progress);
            return null;
        });
    }

    /** Begins to end it without asking the guest. */
    public Operation destroy(String name) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin("destroy", PREFIX + name, _ -> {
            starter.destroy(machine);
            return null;
        });
    }

    /** Begins a reset, as by its button. */
    public Operation reset(String name) throws ApiException, IOException {
        return command(name, "reset", "system_reset");
    }

    /** Begins to stop its processors. */
    public Operation pause(String name) throws ApiException, IOException {
        return command(name, "pause", "stop");
    }

    /** Begins to have its processors go on. */
    public Operation resume(String name) throws ApiException, IOException {
        return command(name, "resume", "cont");
    }

    private Operation command(String name, String kind, String command) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin(kind, PREFIX + name, _ -> {
            var _ = running(machine).execute(command);
            return null;
        });
    }

    /** Begins to plug a device in, of which this is the document; it has it at its next start, too. */
    public Operation attach(String name, String document, Duration guestTimeout) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin("attach", PREFIX + name, progress -> {
            plugging.attach(machine, document, guestTimeout, progress);
            return null;
        });
    }

    /** Begins to take a device out, also of what it shall have at its next start. */
    public Operation detach(String name, String alias, Duration guestTimeout) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        return begin("detach", PREFIX + name, progress -> {
            plugging.detach(machine, alias, guestTimeout, progress);
            return null;
        });
    }

    /**
     * Compares this host and another daemon's for a machine; changes nothing.
     *
     * @param to where the other daemon listens
     */
    public MachineCheck check(String name, HostPort to) throws Exception {
        ManagedMachine machine = find(name);
        return operations.exclusively(PREFIX + name, () -> moves.departure().check(machine, to));
    }

    /** Begins to move it to another daemon's host; its definition goes with it. */
    public Operation migrate(String name, HostPort to, MigrationPlan plan) throws ApiException, IOException {
        ManagedMachine machine = find(name);
        Node _ = moves.node();
        return operations.begin(
                "migrate", PREFIX + name, progress -> moves.departure().move(machine, to, plan, progress));
    }

    /** What is wrong with a document is the user's to know, whenever it is noticed. */
    private Operation begin(String kind, String object, Work work) throws ApiException, IOException {
        return operations.begin(kind, object, progress -> {
            try {
                return work.run(progress);
            } catch (DomainException e) {
                throw Definition.refused(e);
            }
        });
    }

    /** Lets go of the machines, which run on. */
    @Override
    public void close() throws IOException {
        moves.close();
        for (ManagedMachine machine : all()) {
            RunningMachine running = machine.running();
            if (running != null && machine.ended(running)) {
                running.qmp().close();
            }
        }
    }
}
