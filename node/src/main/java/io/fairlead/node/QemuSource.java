package io.fairlead.node;

import io.fairlead.node.memory.RunningMemory;
import io.fairlead.node.migration.DeviceMarks;
import io.fairlead.node.migration.MigrationPlan;
import io.fairlead.node.migration.SourceSide;
import io.fairlead.node.migration.StreamProgress;
import io.fairlead.qemu.DowntimeSteps;
import io.fairlead.qemu.MigrationAddress;
import io.fairlead.qemu.MigrationOptions;
import io.fairlead.qemu.MigrationProgress;
import io.fairlead.qemu.MigrationTls;
import io.fairlead.qemu.OutgoingMigration;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.QmpException;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A machine on QEMU that leaves. */
final class QemuSource implements SourceSide {
    private static final Logger LOG = LoggerFactory.getLogger(QemuSource.class);

    /** Precopy takes as long as it takes; the user may cancel. */
    private static final Duration ANY_TIME = Duration.ofDays(365);

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration STUCK = Duration.ofSeconds(3);
    private static final long POLL_MILLIS = 10;
    private static final Set<String> MIGRATING =
            Set.of("setup", "active", "pre-switchover", "device", "cancelling", "wait-unplug", "failing");

    private final NodeMachine machine;
    private final Replugging replugging;
    private final Path certificates;
    private final CompletableFuture<Void> stopped = new CompletableFuture<>();
    private final CompletableFuture<Void> completed = new CompletableFuture<>();
    private final CompletableFuture<IOException> gone = new CompletableFuture<>();
    private CompletableFuture<Void> settled = CompletableFuture.completedFuture(null);
    private List<DeviceMarks> marksBefore = List.of();
    private volatile @Nullable OutgoingMigration outgoing;
    private volatile @Nullable DowntimeSteps steps;

    QemuSource(NodeMachine machine, Replugging replugging, Path certificates) {
        this.machine = machine;
        this.replugging = replugging;
        this.certificates = certificates;
    }

    /** Connects to QEMU and watches whether it ends. */
    void connect() throws IOException {
        machine.monitor().whenClosed(() -> gone.complete(new IOException("its monitor connection ended")));
    }

    @Override
    public void prepareStop(boolean mayFreeze) throws IOException {
        machine.stopMode(mayFreeze ? VdpaDevice.StopMode.FREEZE : VdpaDevice.StopMode.DRAIN_THEN_FREEZE);
    }

    @Override
    public List<String> replugged() {
        return replugging.names();
    }

    @Override
    public void start(MigrationPlan plan, String host, int port) throws IOException {
        replugging.unplug();
        marksBefore = marks();
        Duration limit = plan.downtimeLimitMillis() > 0
                ? Duration.ofMillis(plan.downtimeLimitMillis())
                : DowntimeSteps.DEFAULT_LIMIT;
        MigrationOptions options = options(plan, certificates)
                .withPauseBeforeSwitchover(true)
                .withDowntimeLimit(DowntimeSteps.first(limit));
        Qmp qmp = machine.monitor();
        OutgoingMigration started = OutgoingMigration.start(qmp, options, MigrationAddress.tcp(host, port));
        outgoing = started;
        DowntimeSteps following = DowntimeSteps.follow(qmp, limit);
        steps = following;
        var _ = stopped.whenComplete((_, _) -> following.close());
        thread("precopy", () -> started.awaitPreSwitchover(ANY_TIME), stopped);
    }

    /** What both ends of a stream set up alike. */
    static MigrationOptions options(MigrationPlan plan, Path certificates) {
        MigrationOptions options = MigrationOptions.plain().withTls(MigrationTls.of(certificates));
        if (plan.maxBandwidthBytesPerSecond() > 0) {
            options = options.withMaxBandwidth(plan.maxBandwidthBytesPerSecond());
        }
        return plan.multifdChannels() > 0 ? options.withMultifdChannels(plan.multifdChannels()) : options;
    }

    private interface Wait {
        void run() throws IOException, InterruptedException;
    }

    /** QEMU's events are waited for on a thread of their own, which acts at once. */
    private void thread(String what, Wait wait, CompletableFuture<Void> done) {
        Thread _ = Thread.ofPlatform()
                .daemon()
                .name("fairlead-" + machine.name() + "-" + what)
                .start(() -> {
                    try {
                        wait.run();
                        done.complete(null);
                    } catch (IOException | InterruptedException | RuntimeException e) {
                        done.completeExceptionally(e);
                    }
                });
    }

    @Override
    public CompletableFuture<Void> stopped() {
        return stopped;
    }

    @Override
    public List<byte[]> finalStates() throws IOException {
        List<byte[]> states = machine.finalStates(replugging.moving());
        states.add(DeviceChange.encode(replugging.moving()));
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (NodeDevice device : replugging.moving()) {
            all.add(device.device().settled().toCompletableFuture());
        }
        settled = CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
        return states;
    }

    private List<DeviceMarks> marks() {
        return replugging.moving().stream()
                .map(device -> new DeviceMarks(
                        device.name(), device.device().statistics().markedPages()))
                .toList();
    }

    @Override
    public List<DeviceMarks> deviceMarks() {
        List<DeviceMarks> now = marks();
        List<DeviceMarks> since = new ArrayList<>();
        for (int i = 0; i < marksBefore.size(); i++) {
            OptionalLong before = marksBefore.get(i).pages();
            OptionalLong after = now.get(i).pages();
            since.add(new DeviceMarks(
                    now.get(i).device(),
                    before.isEmpty() || after.isEmpty()
                            ? OptionalLong.empty()
                            : OptionalLong.of(after.getAsLong() - before.getAsLong())));
        }
        return since;
    }

    @Override
    public void hashMemory(RunningMemory.Sink sink) throws IOException {
        for (NodeDevice device : machine.devices()) {
            MemoryTable table = device.retainedMemory();
            try {
                // Every device is shown the same.
                if (!table.regions().isEmpty()) {
                    RunningMemory.hash(table, sink);
                    return;
                }
            } finally {
                table.release();
            }
        }
        throw new IOException("self-check: no device of machine " + machine.name()
                + " has been shown its memory: let the guest's driver start one first");
    }

    @Override
    public CompletionStage<Void> settled() {
        return settled;
    }

    @Override
    public void hold() {
        machine.hold();
    }

    @Override
    public void release() {
        machine.release();
    }

    /**
     * A QEMU that wanted to let its held machine run waits for its devices and answers nothing: they are taken away from
     * it.
     */
    private String statusOrUnserved(Qmp qmp) throws IOException {
        try {
            return QemuStatus.of(qmp, STUCK);
        } catch (QmpException e) {
            throw e;
        } catch (IOException e) {
            LOG.warn("{}: its QEMU does not answer, its devices are taken away: {}", machine.name(), e.getMessage());
            machine.unserve();
            return QemuStatus.of(qmp, PATIENCE);
        }
    }

    @Override
    public void proceed() throws IOException {
        OutgoingMigration started = outgoing;
        if (started == null) {
            throw new IllegalStateException("nothing was started");
        }
        started.goOn();
        thread(
                "switchover",
                () -> {
                    var _ = started.awaitCompleted(ANY_TIME);
                },
                completed);
    }

    @Override
    public CompletableFuture<Void> completed() {
        return completed;
    }

    @Override
    public StreamProgress progress() throws IOException {
        OutgoingMigration started = outgoing;
        if (started == null) {
            return StreamProgress.NONE;
        }
        MigrationProgress now = started.progress();
        return new StreamProgress(
                now.transferredBytes(),
                now.remainingBytes(),
                now.totalBytes(),
                now.bandwidthBytesPerSecond(),
                now.dirtyBytesPerSecond(),
                now.passes(),
                now.downtimeMillis());
    }

    @Override
    public void resume() throws IOException {
        machine.serve();
        Qmp qmp = machine.monitor();
        DowntimeSteps following = steps;
        if (following != null) {
            // Before its settings are taken back.
            following.close();
        }
        OutgoingMigration started = outgoing;
        if (started != null) {
            // Cancels what runs, waits for its end, and takes back what was set up.
            started.close();
        } else if (MIGRATING.contains(QemuStatus.migration(qmp))) {
            QemuStatus.command(qmp, "migrate_cancel");
        }
        long end = System.nanoTime() + PATIENCE.toNanos();
        String status = QemuStatus.of(qmp);
        if (status.equals(QemuStatus.INCOMING)) {
            throw new IOException("its QEMU has ended, another one waits there for a machine");
        }
        // QEMU lets the machine run by itself when a migration ends that stopped it.
        while (MIGRATING.contains(QemuStatus.migration(qmp)) || status.equals("finish-migrate")) {
            if (System.nanoTime() > end) {
                throw new IOException("QEMU does not end its migration; its status is " + status);
            }
            pause();
            status = QemuStatus.of(qmp);
        }
        if (!status.equals(QemuStatus.RUNNING)) {
            QemuStatus.command(qmp, "cont");
        }
        machine.stopMode(VdpaDevice.StopMode.DRAIN);
        replugging.plug();
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(POLL_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    @Override
    public void leave() throws IOException {
        if (gone.isDone()) {
            return;
        }
        Qmp qmp;
        try {
            qmp = machine.monitor();
        } catch (IOException e) {
            LOG.debug("{}: its QEMU has ended already", machine.name(), e);
            return;
        }
        String status = statusOrUnserved(qmp);
        if (status.equals(QemuStatus.INCOMING)) {
            LOG.info("{}: its QEMU has ended already, another one waits there", machine.name());
            return;
        }
        qmp.whenClosed(() -> gone.complete(new IOException("its monitor connection ended")));
        if (status.equals(QemuStatus.RUNNING)) {
            LOG.error("{}: it ran here beside the destination, without its devices; it is ended", machine.name());
        }
        try {
            QemuStatus.command(qmp, "quit");
            IOException _ = gone.get(PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
            machine.serve();
        } catch (TimeoutException e) {
            throw new IOException("it does not end after quit", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException | java.util.concurrent.ExecutionException e) {
            if (qmp.isOpen()) {
                throw new IOException("it does not quit: " + e.getMessage(), e);
            }
        }
    }

    @Override
    public CompletableFuture<IOException> gone() {
        return gone;
    }
}
