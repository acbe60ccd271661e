package io.fairlead.node;

import io.fairlead.node.memory.MemoryDifferences;
import io.fairlead.node.memory.MemoryHashes;
import io.fairlead.node.memory.StoppedMemory;
import io.fairlead.node.migration.DestinationSide;
import io.fairlead.node.migration.DeviceAway;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.qemu.IncomingMigration;
import io.fairlead.qemu.MigrationAddress;
import io.fairlead.qemu.Qmp;
import io.fairlead.vdpa.state.DeviceRestore;
import io.fairlead.vdpa.state.DeviceState;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/** A QEMU that waits for a machine, with devices of this node. */
final class QemuDestination implements DestinationSide {
    private static final Logger LOG = LoggerFactory.getLogger(QemuDestination.class);
    private static final Duration ANY_TIME = Duration.ofDays(365);
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final long POLL_MILLIS = 10;

    private final NodeMachine machine;
    private final Replugging replugging;
    private final DeviceMaker maker;
    private final Path certificates;
    private final String listenHost;
    private final CompletableFuture<Void> loaded = new CompletableFuture<>();
    private final CompletableFuture<IOException> gone = new CompletableFuture<>();
    private final CompletableFuture<List<DeviceAway>> replugged = new CompletableFuture<>();
    private volatile @Nullable IncomingMigration incoming;

    /** @param listenHost where QEMU listens */
    QemuDestination(
            NodeMachine machine, Replugging replugging, DeviceMaker maker, Path certificates, String listenHost) {
        this.machine = machine;
        this.replugging = replugging;
        this.maker = maker;
        this.certificates = certificates;
        this.listenHost = listenHost;
    }

    @Override
    public int listen(MigrationPlan plan, List<byte[]> provisionalStates) throws IOException {
        Qmp qmp = machine.monitor();
        String status = QemuStatus.of(qmp);
        if (!status.equals(QemuStatus.INCOMING)) {
            throw new IOException("the destination's QEMU is " + status
                    + " and does not wait for a machine: start it with -incoming defer -S");
        }
        List<DeviceState> states = decoded(provisionalStates);
        List<NodeDevice> devices = replugging.moving();
        for (int i = 0; i < states.size(); i++) {
            DeviceRestore.validate(states.get(i), devices.get(i).device());
        }
        // In this state QEMU takes it as: do not start by yourself when the machine is loaded.
        QemuStatus.command(qmp, "stop");
        IncomingMigration listening = IncomingMigration.listen(
                qmp, QemuSource.options(plan, certificates), MigrationAddress.tcp(listenHost, 0));
        incoming = listening;
        qmp.whenClosed(() -> gone.complete(new IOException("its monitor connection ended")));
        Thread _ = Thread.ofPlatform()
                .daemon()
                .name("fairlead-" + machine.name() + "-incoming")
                .start(() -> awaitLoaded(listening));
        String uri = listening.address().uri();
        return Integer.parseInt(uri.substring(uri.lastIndexOf(':') + 1));
    }

    private void awaitLoaded(IncomingMigration listening) {
        try {
            var _ = listening.awaitLoaded(ANY_TIME);
            loaded.complete(null);
        } catch (IOException | InterruptedException | RuntimeException e) {
            loaded.completeExceptionally(e);
        }
    }

    private List<DeviceState> decoded(List<byte[]> encoded) throws IOException {
        List<NodeDevice> devices = replugging.moving();
        if (encoded.size() != devices.size()) {
            throw new IOException("%d states came for the %d devices of machine %s"
                    .formatted(encoded.size(), devices.size(), machine.name()));
        }
        List<DeviceState> states = new ArrayList<>();
        for (int i = 0; i < encoded.size(); i++) {
            DeviceState state = DeviceState.decode(encoded.get(i));
            NodeDevice device = devices.get(i);
            if (!state.uuid().equals(machine.uuid(device.device()))) {
                throw new IOException("state %d is not of device %s".formatted(i, device.name()));
            }
            states.add(state);
        }
        return states;
    }

    @Override
    public void apply(List<byte[]> finalStates, CompletionStage<Void> settled) throws IOException {
        List<NodeDevice> devices = replugging.moving();
        if (finalStates.size() != devices.size() + 1) {
            throw new IOException("%d states came for the %d devices of machine %s, and changes"
                    .formatted(finalStates.size(), devices.size(), machine.name()));
        }
        List<DeviceState> states = decoded(finalStates.subList(0, devices.size()));
        DeviceChange.replay(finalStates.getLast(), devices, maker);
        for (int i = 0; i < states.size(); i++) {
            if (!states.get(i).isFinal()) {
                throw new IOException("the state of device %s is not final"
                        .formatted(devices.get(i).name()));
            }
            DeviceRestore.follow(states.get(i), devices.get(i).device());
            DeviceRestore.validate(states.get(i), devices.get(i).device());
        }
        for (int i = 0; i < states.size(); i++) {
            DeviceRestore.apply(states.get(i), devices.get(i).device(), settled);
        }
    }

    @Override
    public long memoryBytes() throws IOException {
        JsonNode size = machine.monitor().execute("query-memory-size-summary");
        return size.path("base-memory").asLong(0) + size.path("plugged-memory").asLong(0);
    }

    @Override
    public MemoryDifferences compareMemory(Path hashes) throws IOException {
        MemoryDifferences differences = new MemoryDifferences();
        Path pipe = hashes.resolveSibling(hashes.getFileName() + ".pipe").toAbsolutePath();
        try (StoppedMemory memory = new StoppedMemory(machine.monitor(), pipe)) {
            MemoryHashes.read(hashes, piece -> memory.compare(piece, differences));
        }
        return differences;
    }

    @Override
    public CompletableFuture<Void> loaded() {
        return loaded;
    }

    /** After a restart of this node nobody waits for QEMU's events: asks QEMU until it has loaded. */
    void watchAgain() {
        Thread _ = Thread.ofPlatform()
                .daemon()
                .name("fairlead-" + machine.name() + "-incoming")
                .start(() -> {
                    try {
                        Qmp qmp = machine.monitor();
                        qmp.whenClosed(() -> gone.complete(new IOException("its monitor connection ended")));
                        String status = QemuStatus.migration(qmp);
                        while (!status.equals("completed")) {
                            if (status.equals("failed") || status.equals("cancelled")) {
                                throw new IOException("QEMU says " + status);
                            }
                            Thread.sleep(POLL_MILLIS);
                            status = QemuStatus.migration(qmp);
                        }
                        loaded.complete(null);
                    } catch (IOException | InterruptedException | RuntimeException e) {
                        loaded.completeExceptionally(e);
                    }
                });
    }

    @Override
    public CompletableFuture<IOException> gone() {
        return gone;
    }

    @Override
    public void run() throws IOException {
        // After a restart of this node they are not there yet; QEMU finds them again by itself.
        machine.serve();
        QemuStatus.command(machine.monitor(), "cont");
        IncomingMigration listening = incoming;
        if (listening != null) {
            Thread _ = Thread.ofPlatform()
                    .daemon()
                    .name("fairlead-" + machine.name() + "-arrived")
                    .start(() -> close(listening));
        }
    }

    /** In the background, once: gets the machine, which runs here, the devices that left it before the move. */
    void replug() {
        Thread _ = Thread.ofPlatform()
                .daemon()
                .name("fairlead-" + machine.name() + "-replug")
                .start(() -> {
                    replugging.plug();
                    replugged.complete(replugging.away());
                });
    }

    /** Completed when {@link #replug} has ended; the times are not known here. */
    CompletableFuture<List<DeviceAway>> replugged() {
        return replugged.copy();
    }

    private void close(IncomingMigration listening) {
        try {
            listening.close();
        } catch (IOException e) {
            LOG.warn("{}: what was set up in QEMU for the migration stays: {}", machine.name(), e.getMessage());
        }
    }

    @Override
    public boolean isRunning() throws IOException {
        return QemuStatus.of(machine.monitor()).equals(QemuStatus.RUNNING);
    }

    @Override
    public void discard() throws IOException {
        if (gone.isDone()) {
            return;
        }
        Qmp qmp = machine.monitor();
        String status = QemuStatus.of(qmp);
        boolean untouched = status.equals(QemuStatus.INCOMING)
                && incoming == null
                && QemuStatus.migration(qmp).isEmpty();
        if (status.equals(QemuStatus.RUNNING) || untouched) {
            return;
        }
        // It takes one migration in its life.
        qmp.whenClosed(() -> gone.complete(new IOException("its monitor connection ended")));
        try {
            QemuStatus.command(qmp, "quit");
            IOException _ = gone.get(PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
        } catch (IOException e) {
            if (qmp.isOpen()) {
                throw e;
            }
        } catch (TimeoutException | ExecutionException e) {
            throw new IOException("the destination's QEMU does not end after quit", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
