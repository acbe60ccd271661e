package io.fairlead.node.migration;

import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.Peer;
import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.memory.MemoryDifferences;
import io.fairlead.node.memory.MemoryPiece;
import io.fairlead.node.memory.RunningMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * Two hosts, their QEMUs and the line between them, at which one thing breaks at a given step. It fails as soon as a
 * machine runs at two places. QEMUs here behave as real ones do: the source's lets the machine run by itself when its
 * stream breaks, unless its devices are held.
 */
final class World {
    /** What breaks. */
    enum Fault {
        NONE,
        SOURCE_NODE,
        DESTINATION_NODE,
        SOURCE_QEMU,
        DESTINATION_QEMU,
        CHANNEL
    }

    /** How QEMU's stream ends. */
    enum Stream {
        WHOLE,
        /** Before the destination has loaded the machine. */
        BREAKS,
        /** The destination has loaded it, and the source does not learn of it. */
        ENDS_UNHEARD
    }

    /** The source's node was killed: nothing of it goes on. */
    static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    final Path folder;
    private final Fault fault;
    private final int faultAt;
    final List<String> steps = new CopyOnWriteArrayList<>();
    final List<String> violations = new ArrayList<>();

    private boolean sourceQemu = true;
    private boolean destinationQemu = true;
    boolean runsAtSource = true;
    boolean runsAtDestination;
    boolean everRanAtDestination;
    private boolean held;
    private boolean startsWhenReleased;
    private boolean loaded;

    private @Nullable MigrationJournal sourceJournal;
    private @Nullable MigrationJournal destinationJournal;
    private int sourceLife;
    private int destinationLife;
    private @Nullable Source source;
    private @Nullable Destination destinationSide;
    private @Nullable DestinationMigration arrival;
    private @Nullable Line line;
    final Stream stream;

    /** What the user asked for. */
    MigrationPlan plan = MigrationPlan.plain();

    /** What the self-check finds. */
    final MemoryDifferences differences = new MemoryDifferences();

    /** Has the self-check fail. */
    void differs() {
        MemorySegment before = MemorySegment.ofArray(new byte[2 * 4096]);
        MemorySegment after = MemorySegment.ofArray(new byte[2 * 4096]);
        after.fill((byte) 1);
        MemoryPiece.hash(8192, before).compare(0, after, differences);
    }

    private static final MemorySegment MEMORY = MemorySegment.ofArray(new byte[3 * 4096 + 100]);

    World(Path folder, Fault fault, int faultAt, Stream stream) {
        this.folder = folder;
        this.fault = fault;
        this.faultAt = faultAt;
        this.stream = stream;
    }

    /** One more step; here is where it breaks. */
    void step(String name) throws IOException {
        Line cut = null;
        synchronized (this) {
            steps.add(name);
            if (steps.size() - 1 != faultAt) {
                return;
            }
            switch (fault) {
                case NONE -> {}
                case SOURCE_NODE -> {
                    sourceLife++;
                    close(sourceJournal);
                    cut = line;
                }
                case DESTINATION_NODE -> {
                    destinationLife++;
                    close(destinationJournal);
                    cut = line;
                }
                case SOURCE_QEMU -> sourceQemuEnds();
                case DESTINATION_QEMU -> destinationQemuEnds();
                case CHANNEL -> cut = line;
            }
        }
        if (cut != null) {
            cut.cut();
        }
    }

    private static void close(@Nullable MigrationJournal journal) throws IOException {
        if (journal != null) {
            journal.close();
        }
    }

    synchronized void sourceQemuEnds() {
        sourceQemu = false;
        runsAtSource = false;
        if (source != null) {
            source.gone.completeAsync(() -> new IOException("killed"));
            source.stopped.completeExceptionally(new IOException("QEMU ended"));
        }
        if (destinationSide != null && !loaded) {
            destinationSide.loaded.completeExceptionally(new IOException("the stream ended"));
        }
    }

    synchronized void destinationQemuEnds() {
        destinationQemu = false;
        runsAtDestination = false;
        if (destinationSide != null) {
            Destination side = destinationSide;
            side.gone.completeAsync(() -> new IOException("killed"));
            if (!loaded) {
                side.loaded.completeExceptionally(new IOException("QEMU ended"));
            }
        }
    }

    private void runs(boolean atSource) {
        if (atSource) {
            runsAtSource = true;
        } else {
            runsAtDestination = true;
            everRanAtDestination = true;
        }
        if (runsAtSource && runsAtDestination) {
            violations.add("runs at both after " + steps);
        }
        if (atSource && everRanAtDestination) {
            violations.add("runs at the source again after it ran at the destination: " + steps);
        }
    }

    // ---- the source ----

    SourceMigration begin() throws IOException {
        sourceJournal =
                MigrationJournal.begin(folder.resolve("a"), UUID.randomUUID(), JsonNodeFactory.instance.objectNode());
        return migration(sourceJournal);
    }

    SourceMigration restartSource() throws IOException {
        sourceJournal = MigrationJournal.openAll(folder.resolve("a")).getFirst();
        held = true;
        return migration(sourceJournal);
    }

    boolean hasSourceJournal() throws IOException {
        List<MigrationJournal> left = MigrationJournal.openAll(folder.resolve("a"));
        for (MigrationJournal journal : left) {
            journal.close();
        }
        return !left.isEmpty();
    }

    private SourceMigration migration(MigrationJournal journal) {
        Source side = new Source(sourceLife);
        source = side;
        return new SourceMigration("vm0", plan, journal, side, side::connect, new MigrationListener() {
            @Override
            public void phase(Phase phase) {}

            @Override
            public void note(String text) {}
        });
    }

    final class Source implements SourceSide {
        private final int life;
        final CompletableFuture<Void> stopped = new CompletableFuture<>();
        final CompletableFuture<Void> completed = new CompletableFuture<>();
        final CompletableFuture<IOException> gone = new CompletableFuture<>();

        private Source(int life) {
            this.life = life;
        }

        private void alive() {
            synchronized (World.this) {
                if (life != sourceLife) {
                    throw new Killed();
                }
            }
        }

        private void enter(String name) throws IOException {
            alive();
            step(name);
            alive();
        }

        Peer connect() throws IOException {
            enter("connect");
            synchronized (World.this) {
                if (arrival != null && destinationSide != null && destinationSide.life != destinationLife) {
                    restartDestination();
                }
                if (line == null || line.end.isDone()) {
                    line = new Line();
                }
                return line;
            }
        }

        @Override
        public void prepareStop(boolean mayFreeze) throws IOException {
            enter("prepareStop");
        }

        @Override
        public List<String> replugged() {
            return List.of();
        }

        @Override
        public void start(MigrationPlan plan, String host, int port) throws IOException {
            enter("start");
            synchronized (World.this) {
                if (!sourceQemu || !destinationQemu) {
                    throw new IOException("QEMU is not there");
                }
                runsAtSource = false;
                stopped.completeAsync(() -> null);
            }
        }

        @Override
        public CompletableFuture<Void> stopped() {
            return stopped;
        }

        @Override
        public List<byte[]> finalStates() throws IOException {
            enter("finalStates");
            return List.of(new byte[] {1, 2, 3});
        }

        @Override
        public List<DeviceMarks> deviceMarks() {
            return List.of(new DeviceMarks("disk0", OptionalLong.of(5)));
        }

        @Override
        public void hashMemory(RunningMemory.Sink sink) throws IOException {
            enter("hashMemory");
            sink.piece(MemoryPiece.hash(0, MEMORY.asSlice(0, 4096)), false);
            sink.piece(MemoryPiece.hash(8192, MEMORY), true);
        }

        @Override
        public CompletionStage<Void> settled() {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void hold() {
            alive();
            synchronized (World.this) {
                held = true;
            }
        }

        @Override
        public void release() {
            alive();
            synchronized (World.this) {
                held = false;
                if (startsWhenReleased && sourceQemu) {
                    runs(true);
                }
                startsWhenReleased = false;
            }
        }

        @Override
        public void proceed() throws IOException {
            enter("proceed");
            synchronized (World.this) {
                if (!sourceQemu) {
                    throw new IOException("QEMU is not there");
                }
                loaded = destinationQemu && stream != Stream.BREAKS;
                Destination side = destinationSide;
                if (side != null && loaded) {
                    side.loaded.completeAsync(() -> null);
                } else if (side != null) {
                    side.loaded.completeExceptionally(new IOException("the stream broke"));
                }
                if (loaded && stream == Stream.WHOLE) {
                    completed.complete(null);
                    return;
                }
                // As QEMU does.
                if (held) {
                    startsWhenReleased = true;
                } else {
                    runs(true);
                }
            }
            completed.completeExceptionally(new IOException("the stream broke"));
        }

        @Override
        public CompletableFuture<Void> completed() {
            return completed;
        }

        @Override
        public StreamProgress progress() {
            alive();
            synchronized (World.this) {
                if (held && startsWhenReleased) {
                    violations.add("asks a QEMU that waits for its devices: " + steps);
                }
            }
            return StreamProgress.NONE;
        }

        @Override
        public void resume() throws IOException {
            enter("resume");
            synchronized (World.this) {
                if (!sourceQemu) {
                    throw new IOException("QEMU is not there");
                }
                if (!runsAtSource) {
                    runs(true);
                }
            }
        }

        @Override
        public void leave() throws IOException {
            enter("leave");
            synchronized (World.this) {
                sourceQemu = false;
                runsAtSource = false;
            }
        }

        @Override
        public CompletableFuture<IOException> gone() {
            return gone;
        }
    }

    // ---- the destination ----

    Peer connect() throws IOException {
        Source first = source;
        if (first == null) {
            throw new IllegalStateException("not begun");
        }
        return first.connect();
    }

    /** Waits until the destination's node knows what became of the machine, started again where it was killed. */
    void settleDestination() throws Exception {
        DestinationMigration waiting;
        synchronized (this) {
            if (arrival != null && destinationSide != null && destinationSide.life != destinationLife) {
                restartDestination();
            }
            waiting = arrival;
        }
        if (waiting != null) {
            Outcome _ = waiting.decided().get(5, TimeUnit.MINUTES);
        }
    }

    private void restartDestination() throws IOException {
        List<MigrationJournal> left = MigrationJournal.openAll(folder.resolve("b"));
        arrival = null;
        if (!left.isEmpty()) {
            Destination side = new Destination(destinationLife);
            destinationSide = side;
            if (loaded) {
                side.loaded.complete(null);
            } else if (!destinationQemu) {
                side.loaded.completeExceptionally(new IOException("QEMU ended"));
            }
            if (!destinationQemu) {
                side.gone.complete(new IOException("ended"));
            }
            destinationJournal = left.getFirst();
            arrival = DestinationMigration.recover(destinationJournal, side, true);
        }
    }

    private Message answer(int life, Message request) throws IOException {
        DestinationMigration to;
        synchronized (this) {
            if (life != destinationLife) {
                throw new IOException("the node is gone");
            }
            if (request.kind().equals(Kind.PREPARE)) {
                Destination side = new Destination(destinationLife);
                destinationSide = side;
                destinationJournal = MigrationJournal.begin(
                        folder.resolve("b"),
                        UUID.fromString(request.text("migration")),
                        JsonNodeFactory.instance.objectNode());
                arrival = DestinationMigration.begin(destinationJournal, side);
            }
            to = arrival;
        }
        if (to == null) {
            throw new IOException("no such migration");
        }
        return switch (request.kind()) {
            case Kind.PREPARE -> Message.of("x").with("port", to.listen(MigrationPlan.of(request), request.blobs()));
            case Kind.STATES -> {
                to.states(request.blobs());
                yield Message.of("x");
            }
            case Kind.MEMORY -> {
                to.memory(MemoryPiece.of(request), request.fields().path("last").asInt() == 1);
                yield Message.of("x");
            }
            case Kind.GRANT -> Await.the(to.grant()).into(Message.of("x"));
            case Kind.WITHDRAW -> Await.the(to.withdraw(request.text("reason"))).into(Message.of("x"));
            case Kind.SETTLED -> {
                to.settled();
                yield Message.of("x");
            }
            case Kind.FORGET -> {
                to.forget();
                yield Message.of("x");
            }
            default -> throw new IOException(request.kind());
        };
    }

    /** A connection that may be cut. */
    private final class Line implements Peer {
        final CompletableFuture<IOException> end = new CompletableFuture<>();
        private final int life = destinationLife;

        void cut() {
            IOException reason = new IOException("cut");
            if (end.complete(reason)) {
                DestinationMigration at;
                synchronized (World.this) {
                    at = life == destinationLife ? arrival : null;
                }
                if (at != null) {
                    at.channelEnded(reason);
                }
            }
        }

        @Override
        public CompletableFuture<Message> ask(Message request) {
            CompletableFuture<Message> answer = new CompletableFuture<>();
            Thread _ = Thread.ofVirtual().start(() -> {
                try {
                    step("send " + request.kind());
                    if (end.isDone()) {
                        throw new IOException("cut");
                    }
                    Message reply = World.this.answer(life, request);
                    step("answer " + request.kind());
                    if (end.isDone()) {
                        throw new IOException("cut");
                    }
                    answer.complete(reply);
                } catch (IOException | RuntimeException e) {
                    answer.completeExceptionally(e);
                }
            });
            var _ = end.thenAccept(reason -> answer.completeExceptionally(reason));
            return answer;
        }

        @Override
        public Message call(Message request, Duration deadline) throws IOException {
            return Await.the(ask(request), new CompletableFuture<>(), deadline);
        }

        @Override
        public CompletableFuture<IOException> end() {
            return end.copy();
        }
    }

    final class Destination implements DestinationSide {
        private final int life;
        final CompletableFuture<Void> loaded = new CompletableFuture<>();
        final CompletableFuture<IOException> gone = new CompletableFuture<>();

        private Destination(int life) {
            this.life = life;
        }

        private void alive() throws IOException {
            synchronized (World.this) {
                if (life != destinationLife) {
                    throw new IOException("this node was killed");
                }
            }
        }

        private void enter(String name) throws IOException {
            alive();
            step(name);
            alive();
        }

        @Override
        public int listen(MigrationPlan plan, List<byte[]> provisionalStates) throws IOException {
            enter("listen");
            return 4444;
        }

        @Override
        public void apply(List<byte[]> finalStates, CompletionStage<Void> settled) throws IOException {
            enter("apply");
            if (finalStates.size() != 1 || finalStates.getFirst().length != 3) {
                throw new IOException("another state");
            }
        }

        @Override
        public long memoryBytes() {
            return MEMORY.byteSize();
        }

        @Override
        public MemoryDifferences compareMemory(Path hashes) throws IOException {
            enter("compareMemory");
            synchronized (World.this) {
                if (!destinationQemu) {
                    throw new IOException("QEMU is not there");
                }
            }
            return differences;
        }

        @Override
        public CompletableFuture<Void> loaded() {
            return loaded;
        }

        @Override
        public CompletableFuture<IOException> gone() {
            return gone;
        }

        @Override
        public void run() throws IOException {
            enter("run");
            synchronized (World.this) {
                if (!destinationQemu) {
                    throw new IOException("QEMU is not there");
                }
                runs(false);
            }
            step("runs");
        }

        @Override
        public boolean isRunning() throws IOException {
            alive();
            synchronized (World.this) {
                if (!destinationQemu) {
                    throw new IOException("QEMU is not there");
                }
                return runsAtDestination;
            }
        }

        @Override
        public void discard() throws IOException {
            alive();
            synchronized (World.this) {
                if (!runsAtDestination) {
                    destinationQemu = false;
                }
            }
        }
    }
}
