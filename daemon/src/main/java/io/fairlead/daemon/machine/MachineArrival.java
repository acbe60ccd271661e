package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Progress;
import io.fairlead.node.journal.Step;
import io.fairlead.node.migration.Outcome;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A machine that comes from another host: makes what it needs, waits for it, and keeps it or leaves nothing of it. Each step
 * is written down before it has an effect; what became of it the node's journal knows.
 */
final class MachineArrival {
    private static final Logger LOG = LoggerFactory.getLogger(MachineArrival.class);

    /** How long a source may take to begin, or to say that it does not. */
    private static final Duration LEASE = Duration.ofMinutes(1);

    private static final Duration READY = Duration.ofMinutes(2);
    private static final Duration POLL = Duration.ofSeconds(1);

    /** The node says what became of a machine just after it has let go of it. */
    private static final Duration LAST_WORD = Duration.ofSeconds(5);

    private final Machines machines;
    private final MachineStart starter;
    private final Devices devices;
    private final MachineMoves moves;
    private final @Nullable Expected expected;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    private volatile @Nullable ManagedMachine machine;

    /** One that is announced. */
    MachineArrival(Machines machines, MachineStart starter, Devices devices, MachineMoves moves, Expected expected) {
        this.machines = machines;
        this.starter = starter;
        this.devices = devices;
        this.moves = moves;
        this.expected = expected;
    }

    /** One that was on its way when the daemon before this one ended. */
    MachineArrival(
            Machines machines, MachineStart starter, Devices devices, MachineMoves moves, ManagedMachine machine) {
        this.machines = machines;
        this.starter = starter;
        this.devices = devices;
        this.moves = moves;
        this.expected = null;
        this.machine = machine;
    }

    /**
     * Waits until a QEMU waits for the machine.
     *
     * @throws IOException where it cannot come
     */
    void awaitReady() throws IOException {
        try {
            var _ = ready.get(READY.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            Throwable why = Objects.requireNonNullElse(e.getCause(), e);
            throw new IOException("the destination: " + why.getMessage(), e);
        } catch (TimeoutException e) {
            throw new IOException("the destination's QEMU is not there within %d s".formatted(READY.toSeconds()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** What became of it. On return a machine that runs here is written down as that. */
    void told(Outcome end) {
        ManagedMachine arriving = machine;
        if (arriving != null && end.step() == Step.RUNNING) {
            try {
                machines.update(arriving, now -> now.in(MachineRecord.Stage.RUNNING));
            } catch (IOException e) {
                LOG.error("machine {}: that it runs here is not written down: {}", arriving.name(), e.getMessage());
            }
        }
        boolean _ = outcome.complete(end);
    }

    /** From the announcement, or the restart, to the end. */
    ObjectNode run(Progress progress) throws ApiException, IOException, DomainException {
        ManagedMachine arriving = machine;
        if (arriving == null) {
            arriving = announced(progress);
        } else if (!moves.isBusy(arriving.name()) && !outcome.isDone()) {
            told(found(arriving));
        }
        String name = arriving.name();
        ManagedMachine waiting = arriving;
        progress.phase("waiting for the machine");
        progress.cancellable(() -> moves.withdraw(name, "it was refused at the destination"));
        Outcome end = awaitOutcome(waiting);
        if (end.step() != Step.RUNNING) {
            undo(waiting);
            throw new IOException(
                    "machine %s did not come: %s; nothing of it is left here".formatted(name, end.reason()));
        }
        RunningMachine running = waiting.running();
        if (running == null) {
            starter.without(waiting, true, starter.endedAlone(waiting));
        } else if (!running.process().isAlive()) {
            starter.ended(waiting, running, null);
        }
        machines.publishState(waiting);
        return machines.get(name);
    }

    private ManagedMachine announced(Progress progress) throws ApiException, IOException, DomainException {
        Expected announced = Objects.requireNonNull(expected);
        try {
            ManagedMachine made = prepare(announced, progress);
            boolean _ = ready.complete(null);
            return made;
        } catch (ApiException | IOException | DomainException | RuntimeException e) {
            ManagedMachine begun = machine;
            if (begun != null) {
                undo(begun);
            }
            boolean _ = ready.completeExceptionally(e);
            throw e;
        }
    }

    private ManagedMachine prepare(Expected announced, Progress progress)
            throws ApiException, IOException, DomainException {
        progress.note("machine %s comes from %s".formatted(announced.machine(), announced.source()));
        Domain domain = DomainXml.parse(announced.live()).domain();
        UUID uuid = domain.uuid();
        if (uuid == null || !domain.name().equals(announced.machine())) {
            throw new IOException("machine %s: its document is another machine's".formatted(announced.machine()));
        }
        ManagedMachine made = new ManagedMachine(new MachineRecord(
                announced.machine(),
                uuid,
                DomainXml.print(DomainXml.parse(announced.definition()).domain()),
                announced.autostart(),
                false,
                "",
                new MachineRecord.Live(announced.live(), MachineRecord.Stage.ARRIVING, announced.order())));
        machines.add(made);
        machine = made;
        for (Expected.ExpectedDevice device : announced.devices()) {
            if (!device.isOwned()) {
                devices.addLike(
                        Expected.decode(device).profile(),
                        device.name(),
                        device.deviceId(),
                        device.attributes(),
                        made.name());
            }
        }
        MachineLaunch launch = starter.launch(made);
        try {
            RunningMachine running = launch.await(announced.live(), announced.order(), announced.later(), progress);
            starter.watch(made, running);
            moves.here(starter.hosted(made));
        } catch (ApiException | IOException | DomainException | RuntimeException e) {
            launch.undo();
            throw e;
        }
        return made;
    }

    /** No migration is known: it never began, or it ended well and was forgotten. */
    private static Outcome found(ManagedMachine machine) throws IOException {
        RunningMachine running = machine.running();
        if (running != null && running.execute("query-status").path("running").asBoolean(false)) {
            return new Outcome(Step.RUNNING, "", 0, 0);
        }
        return new Outcome(Step.ABORTED, "the daemon ended before its migration began", 0, 0);
    }

    private Outcome awaitOutcome(ManagedMachine waiting) throws IOException {
        long since = System.nanoTime();
        while (true) {
            Outcome end = outcome(POLL);
            if (end != null) {
                return end;
            }
            RunningMachine running = waiting.running();
            if (moves.isBusy(waiting.name())) {
                since = System.nanoTime();
            } else if (running == null || !running.process().isAlive()) {
                Outcome last = outcome(LAST_WORD);
                return last != null ? last : new Outcome(Step.ABORTED, "its QEMU here ended", 0, 0);
            } else if (System.nanoTime() - since > LEASE.toNanos()) {
                return new Outcome(Step.ABORTED, "no migration began within %d s".formatted(LEASE.toSeconds()), 0, 0);
            }
        }
    }

    private @Nullable Outcome outcome(Duration patience) throws IOException {
        try {
            return outcome.get(patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            return null;
        } catch (ExecutionException e) {
            throw new IOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private void undo(ManagedMachine arriving) throws IOException {
        starter.end(arriving);
        starter.giveBack(arriving);
        machines.remove(arriving);
    }
}
