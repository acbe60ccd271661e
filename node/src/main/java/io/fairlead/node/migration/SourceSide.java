package io.fairlead.node.migration;

import io.fairlead.node.memory.RunningMemory;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The machine that leaves: its QEMU and its devices. One thread at a time, but what answers with a stage completes it on
 * any thread.
 */
public interface SourceSide {
    /** How devices stop from now on, by what both sides can: frozen with requests in flight, or drained. */
    void prepareStop(boolean mayFreeze) throws IOException;

    /** Names of the devices that leave the machine before it moves, as QEMU does not migrate them. */
    List<String> replugged();

    /**
     * Takes those devices out and starts QEMU's stream.
     *
     * @param host where the destination's QEMU listens
     */
    void start(MigrationPlan plan, String host, int port) throws IOException;

    /** Completed when the machine stands still and QEMU waits; fails where the stream broke. */
    CompletableFuture<Void> stopped();

    /**
     * The encoded final states of the stopped machine's devices, in the order of the machine's list, and what was changed
     * of them since the move began.
     */
    List<byte[]> finalStates() throws IOException;

    /** What each device marked as written since {@link #start}, in the order of the machine's list. */
    List<DeviceMarks> deviceMarks();

    /**
     * Hashes all the memory of the stopped machine, with devices that drained.
     *
     * @throws IOException where no device has been shown the memory, or of the sink
     */
    void hashMemory(RunningMemory.Sink sink) throws IOException;

    /** Completed when no device works on a request any more that its final state has in flight. */
    CompletionStage<Void> settled();

    /** Devices do not serve and QEMU cannot let the machine run by itself, until {@link #release}. */
    void hold();

    /** Ends {@link #hold}. */
    void release();

    /** Lets QEMU finish its stream. */
    void proceed() throws IOException;

    /** Completed when QEMU has sent everything and the other one has loaded it; fails where the stream broke. */
    CompletableFuture<Void> completed();

    /** QEMU's own figures of now. */
    StreamProgress progress() throws IOException;

    /**
     * Ends whatever QEMU does for the migration, and sees to it that the machine runs here, with all its devices where that
     * can be. Again: no effect.
     */
    void resume() throws IOException;

    /** Ends this QEMU, whose machine runs elsewhere or is lost. Again: no effect. */
    void leave() throws IOException;

    /** Completed with the reason when QEMU has ended. */
    CompletableFuture<IOException> gone();
}
