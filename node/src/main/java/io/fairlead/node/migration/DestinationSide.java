package io.fairlead.node.migration;

import io.fairlead.node.memory.MemoryDifferences;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Where a machine arrives: a QEMU that waits for it, and devices. One thread at a time, but what answers with a stage
 * completes it on any thread.
 */
public interface DestinationSide {
    /**
     * Lets QEMU listen.
     *
     * @param provisionalStates of the source's devices, encoded; validated, not applied
     * @return the TCP port
     */
    int listen(MigrationPlan plan, List<byte[]> provisionalStates) throws IOException;

    /**
     * Makes the changes that came with the final states, validates these and gives them to the devices: all, or none.
     *
     * @param settled completed when the source's devices work on no request in flight any more
     */
    void apply(List<byte[]> finalStates, CompletionStage<Void> settled) throws IOException;

    /** How much memory the waiting machine has, beside that of its devices. */
    long memoryBytes() throws IOException;

    /**
     * Compares the memory of the machine that was loaded and has not run.
     *
     * @param hashes see {@link io.fairlead.node.memory.MemoryHashes}
     */
    MemoryDifferences compareMemory(Path hashes) throws IOException;

    /** Completed when QEMU has loaded the machine; fails where it could not. */
    CompletableFuture<Void> loaded();

    /** Completed with the reason when QEMU has ended. */
    CompletableFuture<IOException> gone();

    /** Lets the machine run, also where it runs already. */
    void run() throws IOException;

    /** Whether a QEMU is there whose machine has been started. */
    boolean isRunning() throws IOException;

    /** Ends this QEMU, which cannot take another migration, and makes the devices ready for another try. */
    void discard() throws IOException;
}
