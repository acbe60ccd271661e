package io.fairlead.node;

import io.fairlead.node.channel.Hello;
import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.NodeListener;
import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A host's node. Devices and their sockets stay their maker's. Thread-safe. */
public final class Node implements AutoCloseable {
    private final NodeOptions options;
    private final Map<String, NodeMachine> machines;
    private final MachineLocks locks = new MachineLocks();
    private final DeviceMaker maker;
    private final HostInventory inventory;
    private final Attachments attachments;
    private final NodeListener listener;
    private final Arrivals arrivals;
    private final Departures departures;
    private final @Nullable ControlServer control;

    /**
     * Starts: takes up what a killed process left, listens for nodes and commands.
     *
     * @param devices by name; served from now on, those of a machine whose last migration is not over as soon as it is
     * @throws IOException where certificates, sockets or the journal's folder are not usable
     * @throws IllegalArgumentException where a machine names a device that is not there, or one of another machine
     */
    public Node(NodeOptions options, List<MachineOption> machines, Map<String, NodeDevice> devices) throws IOException {
        this(options, machines, devices, DeviceMaker.NONE, HostInventory.NONE);
    }

    /**
     * A node whose machines come and go.
     *
     * @param machines that are here now, with what a killed process may have left of their migrations
     * @param owner told of machines that come and go, also before this returns
     */
    public Node(NodeOptions options, List<HostedMachine> machines, DeviceMaker maker, MachineOwner owner)
            throws IOException {
        this(options, hosted(machines), Set.of(), maker, HostInventory.NONE, owner);
    }

    /**
     * As {@link #Node(NodeOptions, List, Map)}.
     *
     * @param maker of devices that come to machines and leave them while the node runs
     * @param inventory what the host has, for whoever asks
     */
    public Node(
            NodeOptions options,
            List<MachineOption> machines,
            Map<String, NodeDevice> devices,
            DeviceMaker maker,
            HostInventory inventory)
            throws IOException {
        this(options, machines(machines, devices), devices.values(), maker, inventory, MachineOwner.NONE);
    }

    private Node(
            NodeOptions options,
            Map<String, NodeMachine> machines,
            Collection<NodeDevice> devices,
            DeviceMaker maker,
            HostInventory inventory,
            MachineOwner owner)
            throws IOException {
        this.options = options;
        this.inventory = inventory;
        this.machines = new ConcurrentSkipListMap<>(machines);
        this.maker = maker;
        attachments = new Attachments(this.machines, options.state().resolve("attached"), maker, locks);
        attachments.recover();
        Set<NodeDevice> all = new LinkedHashSet<>(devices);
        this.machines.values().forEach(machine -> all.addAll(machine.devices()));
        NodeCertificates certificates = NodeCertificates.load(options.certificates());
        Path journals = journals(options.state());
        String incarnation = UUID.randomUUID().toString();
        arrivals = new Arrivals(
                this.machines,
                journals,
                certificates.folder(),
                options.listen().getAddress().getHostAddress(),
                maker,
                owner,
                locks);
        MachineLeft.Journals left = MachineLeft.open(journals);
        for (MigrationJournal journal : left.old()) {
            arrivals.remember(journal);
        }
        for (MigrationJournal journal : left.current()) {
            if (!MachineLeft.isSource(journal)) {
                arrivals.recover(journal);
            }
        }
        listener = new NodeListener(
                options.listen(), certificates, port -> new Hello(options.name(), incarnation, ":" + port), arrivals);
        departures = new Departures(
                this.machines,
                journals,
                certificates,
                new Hello(options.name(), incarnation, ":" + listener.port()),
                arrivals,
                owner,
                locks);
        try {
            for (MigrationJournal journal : left.current()) {
                if (MachineLeft.isSource(journal)) {
                    departures.recover(journal);
                }
            }
            Set<NodeDevice> later = new HashSet<>();
            for (NodeMachine machine : this.machines.values()) {
                if (!locks.owner(machine.name()).isEmpty()) {
                    later.addAll(machine.devices());
                }
            }
            for (NodeDevice device : all) {
                if (!later.contains(device)) {
                    device.serve();
                }
            }
            control = options.control() == null ? null : new ControlServer(this, options.control());
        } catch (IOException | RuntimeException e) {
            listener.close();
            throw e;
        }
    }

    /**
     * The machines of which a killed process left it undecided where they run: nothing of theirs may be served before a node
     * has them again.
     *
     * @param state the node's folder
     */
    public static Set<String> undecided(Path state) throws IOException {
        return MachineLeft.undecided(journals(state));
    }

    private static Path journals(Path state) {
        return state.resolve("migrations");
    }

    private static Map<String, NodeMachine> hosted(List<HostedMachine> machines) {
        Map<String, NodeMachine> hosted = new LinkedHashMap<>();
        machines.forEach(machine ->
                hosted.put(machine.name(), new NodeMachine(machine.name(), machine.qmp(), machine.devices())));
        return hosted;
    }

    /** A machine of the owner's that has a QEMU from now on. */
    public void add(HostedMachine machine) {
        if (machines.putIfAbsent(machine.name(), new NodeMachine(machine.name(), machine.qmp(), machine.devices()))
                != null) {
            throw new IllegalArgumentException("machine " + machine.name() + " is there already");
        }
    }

    /** A machine of the owner's that has none any more, and that nothing happens to. Again: no effect. */
    public void remove(String machine) {
        NodeMachine removed = machines.remove(machine);
        if (removed != null) {
            removed.close();
        }
    }

    /** A machine of the owner's has a device more. */
    public void attached(String machine, NodeDevice device) {
        NodeMachine there = machines.get(machine);
        if (there != null) {
            there.add(device);
        }
    }

    /** A machine of the owner's has a device less. */
    public void detached(String machine, NodeDevice device) {
        NodeMachine there = machines.get(machine);
        if (there != null) {
            there.remove(device);
        }
    }

    /** Whether a migration of a machine is under way, or taken up after a restart. */
    public boolean isBusy(String machine) {
        return !locks.owner(machine).isEmpty();
    }

    /** What a machine's devices are now, encoded, in its order. */
    public List<byte[]> provisionalStates(String machine) throws IOException {
        NodeMachine there = machines.get(machine);
        if (there == null) {
            throw new IOException("machine %s has no QEMU".formatted(machine));
        }
        return there.provisionalStates();
    }

    /** Gives up a machine that is on its way to here; false where there is none, or it is too late. */
    public boolean withdraw(String machine, String reason) {
        return arrivals.withdraw(machine, reason);
    }

    /** Asks another node something of a machine that is to come to it. */
    public Message ask(HostPort to, Message request, Duration patience) throws IOException {
        return departures.ask(to, request, patience);
    }

    private static Map<String, NodeMachine> machines(List<MachineOption> options, Map<String, NodeDevice> devices) {
        Map<String, NodeMachine> machines = new LinkedHashMap<>();
        Map<String, String> owners = new LinkedHashMap<>();
        for (MachineOption option : options) {
            List<NodeDevice> used = new ArrayList<>();
            for (String name : option.devices()) {
                NodeDevice device = devices.get(name);
                if (device == null) {
                    throw new IllegalArgumentException("machine %s: there is no device %s, only %s"
                            .formatted(option.name(), name, devices.keySet()));
                }
                String owner = owners.putIfAbsent(name, option.name());
                if (owner != null) {
                    throw new IllegalArgumentException(
                            "machine %s: device %s is machine %s's".formatted(option.name(), name, owner));
                }
                used.add(device);
            }
            if (machines.putIfAbsent(option.name(), new NodeMachine(option.name(), option.qmp(), used)) != null) {
                throw new IllegalArgumentException("machine " + option.name() + " is given twice");
            }
        }
        return machines;
    }

    /** Where other nodes connect to. */
    public int port() {
        return listener.port();
    }

    /** Compares both sides of a move; changes nothing. */
    public MachineCheck check(String machine, HostPort to) throws IOException {
        return departures.check(machine, to);
    }

    /**
     * Moves a machine; returns at the end.
     *
     * @throws IOException where it was refused before anything was changed
     */
    public MigrationReport migrate(String machine, HostPort to, MigrationPlan plan, MigrationWatcher watcher)
            throws IOException {
        return departures.migrate(machine, to, plan, watcher);
    }

    void attach(String machine, DeviceOption option, Duration guestTimeout) throws IOException {
        attachments.attach(machine, option, guestTimeout);
    }

    void detach(String machine, String device, Duration guestTimeout) throws IOException {
        attachments.detach(machine, device, guestTimeout);
    }

    void change(String device, Map<String, String> attributes, boolean forced) throws IOException {
        List<NodeDevice> all = machines.values().stream()
                .flatMap(machine -> machine.devices().stream())
                .toList();
        NodeDevice found = all.stream()
                .filter(candidate -> candidate.name().equals(device))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no machine has a device %s, only %s"
                        .formatted(device, all.stream().map(NodeDevice::name).toList())));
        if (attributes.isEmpty()) {
            throw new IllegalArgumentException("device %s: nothing to change".formatted(device));
        }
        found.change(maker, new DeviceChange(attributes), forced);
    }

    /** Takes a migration back; false where there is none, or it is too late. */
    public boolean cancel(String machine, String reason) {
        return departures.cancel(machine, reason);
    }

    List<HostObject> managementDevices() throws IOException {
        return inventory.managementDevices();
    }

    /** The host's devices, those of machines with machine and socket. */
    List<HostObject> devices() throws IOException {
        List<HostObject> all = new ArrayList<>();
        Map<String, NodeMachine> owners = new LinkedHashMap<>();
        Map<String, NodeDevice> presented = new LinkedHashMap<>();
        for (NodeMachine machine : machines.values()) {
            for (NodeDevice device : machine.devices()) {
                owners.put(device.name(), machine);
                presented.put(device.name(), device);
            }
        }
        for (HostObject object : inventory.devices()) {
            // The first of a name is ours.
            NodeDevice device = presented.remove(object.name());
            NodeMachine owner = owners.get(object.name());
            all.add(
                    device == null || owner == null
                            ? object
                            : object.with("machine", owner.name())
                                    .with("socket", device.socket().toString()));
        }
        return all;
    }

    /** For people and scripts. */
    ObjectNode status() {
        ObjectNode status = JsonNodeFactory.instance.objectNode();
        status.put("node", options.name());
        status.put("port", port());
        ArrayNode list = status.putArray("machines");
        for (NodeMachine machine : machines.values()) {
            ObjectNode node = list.addObject();
            node.put("name", machine.name());
            node.put("busy", locks.owner(machine.name()));
            ArrayNode devices = node.putArray("devices");
            machine.devices()
                    .forEach(device ->
                            devices.addObject().put("name", device.name()).put("connected", device.isConnected()));
        }
        return status;
    }

    @Override
    public void close() throws IOException {
        if (control != null) {
            control.close();
        }
        departures.close();
        listener.close();
        machines.values().forEach(NodeMachine::close);
    }
}
