package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Operation;
import io.fairlead.daemon.operation.Operations;
import io.fairlead.node.HostedMachine;
import io.fairlead.node.MachineOwner;
import io.fairlead.node.Node;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.NodeOptions;
import io.fairlead.node.channel.Message;
import io.fairlead.node.journal.Step;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.migration.Outcome;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The daemon's node, through which its machines go to other daemons and theirs come here. Without an address for others there
 * is none, and machines stay. Thread-safe.
 */
final class MachineMoves implements MachineOwner, AutoCloseable {
    private final Machines machines;
    private final MachineStart starter;
    private final Devices devices;
    private final Operations operations;
    private final MachineDeparture departure;
    private final Map<String, MachineArrival> arrivals = new ConcurrentHashMap<>();

    /**
     * Of machines that may have left, or just come, when the daemon before this one ended: what became of it. Nothing where
     * it had come.
     */
    private final Map<String, CompletableFuture<Optional<MigrationReport>>> recovered = new ConcurrentHashMap<>();

    private volatile @Nullable Node node;

    MachineMoves(Machines machines, MachineStart starter, Devices devices, Operations operations) {
        this.machines = machines;
        this.starter = starter;
        this.devices = devices;
        this.operations = operations;
        departure = new MachineDeparture(machines, starter, devices);
    }

    /**
     * Opens the node, if there shall be one, and goes on with what was on its way.
     *
     * @param found machines that may run here
     */
    void open(@Nullable NodeOptions options, List<ManagedMachine> found) throws IOException {
        for (ManagedMachine machine : found) {
            if (stage(machine) == MachineRecord.Stage.ARRIVING) {
                arrivals.put(machine.name(), new MachineArrival(machines, starter, devices, this, machine));
            } else {
                recovered.put(machine.name(), new CompletableFuture<>());
            }
        }
        List<HostedMachine> hosted = found.stream().map(starter::hosted).toList();
        Node opened = options == null ? null : new Node(options, hosted, devices.maker(), this);
        node = opened;
        for (ManagedMachine machine : found) {
            try {
                goOn(machine, opened != null && opened.isBusy(machine.name()));
            } catch (ApiException e) {
                throw new IOException(e.getMessage(), e);
            }
        }
    }

    private static MachineRecord.@Nullable Stage stage(ManagedMachine machine) {
        MachineRecord.Live live = machine.kept().live();
        return live == null ? null : live.stage();
    }

    private void goOn(ManagedMachine machine, boolean isBusy) throws ApiException, IOException {
        String name = machine.name();
        MachineArrival arrival = arrivals.get(name);
        if (arrival != null) {
            begin(arrival, name);
            return;
        }
        CompletableFuture<Optional<MigrationReport>> end = Objects.requireNonNull(recovered.get(name));
        if (isBusy || end.isDone()) {
            Operation _ = operations.begin("migrate", Machines.PREFIX + name, progress -> {
                progress.phase("what became of it");
                Optional<MigrationReport> report = end.join();
                recovered.remove(name);
                if (report.isPresent()) {
                    return departure.conclude(machine, null, report.get());
                }
                starter.taken(machine);
                return null;
            });
            return;
        }
        recovered.remove(name);
        if (stage(machine) == MachineRecord.Stage.MOVED) {
            departure.forget(machine, null);
        } else {
            starter.taken(machine);
        }
    }

    private void begin(MachineArrival arrival, String name) throws ApiException, IOException {
        Operation _ = operations.begin("arrive", Machines.PREFIX + name, progress -> {
            try {
                return arrival.run(progress);
            } finally {
                arrivals.remove(name, arrival);
            }
        });
    }

    /** The port where other daemons come; 0 where they cannot. */
    int port() {
        Node here = node;
        return here == null ? 0 : here.port();
    }

    MachineDeparture departure() {
        return departure;
    }

    Node node() throws ApiException {
        Node here = node;
        if (here == null) {
            throw ApiException.conflict(
                    "this daemon has no address for other hosts, and moves no machines",
                    "set listen and certificates in its configuration, and start it again");
        }
        return here;
    }

    /** Whether the machine is on its way, as the node knows it. */
    boolean isBusy(String machine) {
        Node here = node;
        return here != null && here.isBusy(machine);
    }

    /** Takes back what is on its way to here; false where it is too late. */
    boolean withdraw(String machine, String reason) {
        Node here = node;
        return here != null && here.withdraw(machine, reason);
    }

    /** A machine has a QEMU from now on. */
    void here(HostedMachine machine) {
        Node here = node;
        if (here != null) {
            here.add(machine);
        }
    }

    /** It has none any more. Again: no effect. */
    void gone(String machine) {
        Node here = node;
        if (here != null) {
            here.remove(machine);
        }
    }

    void attached(String machine, NodeDevice device) {
        Node here = node;
        if (here != null) {
            here.attached(machine, device);
        }
    }

    void detached(String machine, NodeDevice device) {
        Node here = node;
        if (here != null) {
            here.detached(machine, device);
        }
    }

    @Override
    public void expect(String source, String machine, Message request) throws IOException {
        if (node == null) {
            throw new IOException("the destination's daemon is about to start: try again");
        }
        MachineArrival arrival =
                new MachineArrival(machines, starter, devices, this, Expected.of(source, machine, request));
        if (arrivals.putIfAbsent(machine, arrival) != null) {
            throw new IOException("machine %s is expected at the destination already: try again".formatted(machine));
        }
        try {
            begin(arrival, machine);
        } catch (ApiException e) {
            arrivals.remove(machine, arrival);
            throw new IOException("the destination: " + e.getMessage(), e);
        } catch (IOException | RuntimeException e) {
            arrivals.remove(machine, arrival);
            throw e;
        }
        arrival.awaitReady();
    }

    @Override
    public void dismiss(String machine) {
        MachineArrival arrival = arrivals.get(machine);
        if (arrival != null) {
            arrival.told(new Outcome(Step.ABORTED, "the source has kept it", 0, 0));
        }
    }

    @Override
    public void arrived(String machine, Outcome outcome) {
        MachineArrival arrival = arrivals.get(machine);
        if (arrival == null) {
            tell(machine, Optional.empty());
        } else {
            arrival.told(outcome);
        }
    }

    @Override
    public void departed(String machine, Outcome outcome) {
        departure.decided(machine, outcome);
    }

    @Override
    public void recovered(String machine, MigrationReport report) {
        tell(machine, Optional.of(report));
    }

    private void tell(String machine, Optional<MigrationReport> report) {
        CompletableFuture<Optional<MigrationReport>> waiting = recovered.get(machine);
        if (waiting != null) {
            boolean _ = waiting.complete(report);
        }
    }

    @Override
    public void close() throws IOException {
        Node here = node;
        if (here != null) {
            here.close();
        }
    }
}
