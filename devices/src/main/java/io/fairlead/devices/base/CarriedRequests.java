package io.fairlead.devices.base;

import io.fairlead.linux.Mapping;
import io.fairlead.virtio.InflightRegion;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The requests in flight that a queue takes up when it starts next, left by its own last run or by another device, and
 * when it may: a request must not run here while the host may still work on it elsewhere, or an old write would come
 * after a newer one. Under the device's lock.
 */
final class CarriedRequests {
    private static final CompletableFuture<Void> DONE = CompletableFuture.completedFuture(null);

    private InflightRequests requests = InflightRequests.none();
    private boolean fromElsewhere;

    /** The host works on nothing of this queue's earlier runs any more. */
    private CompletableFuture<Void> endedHere = DONE;

    private CompletableFuture<Void> endedElsewhere = DONE;

    /** Requests of another device were forgotten before they had ended there. */
    private boolean holdsAll;

    /** Records the requests in flight of a run that took some up, where the front-end gave no memory for that. */
    private @Nullable Mapping memory;

    InflightRequests requests() {
        return requests;
    }

    /**
     * The queue has stopped.
     *
     * @param left what it left in flight
     * @param ended completed when the host works on none of it any more
     */
    void stopped(InflightRequests left, CompletableFuture<Void> ended) {
        closeMemory();
        requests = left;
        fromElsewhere = false;
        if (!ended.isDone()) {
            endedHere = endedHere.isDone() ? ended : CompletableFuture.allOf(endedHere, ended);
        }
    }

    /**
     * Another device left requests in flight.
     *
     * @param ended completed when it has settled them
     */
    void carryOver(InflightRequests newRequests, CompletionStage<Void> ended) {
        requests = newRequests;
        fromElsewhere = true;
        endedElsewhere = new CompletableFuture<>();
        CompletableFuture<Void> told = endedElsewhere;
        var _ = ended.whenComplete((_, failure) -> {
            if (failure == null) {
                told.complete(null);
            } else {
                told.completeExceptionally(failure);
            }
        });
    }

    /**
     * The front-end says where the queue goes on.
     *
     * @return how many requests of the last run were forgotten because it goes on somewhere else, as on new rings
     */
    int goesOn(QueueState from, QueueState at) {
        boolean same = from.equals(at);
        if (from instanceof QueueState.Split before && at instanceof QueueState.Split now) {
            same = before.availableIndex() == now.availableIndex();
        }
        if (fromElsewhere || same || requests.isEmpty()) {
            return 0;
        }
        int count = requests.count();
        requests = InflightRequests.none();
        return count;
    }

    /** The memory that records a run's requests in flight: what the front-end gave or, where it is needed, our own. */
    @Nullable
    MemorySegment memory(@Nullable MemorySegment given, int queueSize, boolean packed, boolean always)
            throws IOException {
        closeMemory();
        if (given != null || (requests.isEmpty() && !always)) {
            return given;
        }
        memory = Mapping.anonymous(InflightRegion.byteCount(queueSize, packed));
        return memory.segment();
    }

    Gate gate() {
        if (endedHere.isDone()) {
            return new Gate(endedElsewhere, holdsAll);
        }
        return new Gate(
                endedElsewhere.isDone() && !endedElsewhere.isCompletedExceptionally()
                        ? endedHere
                        : CompletableFuture.allOf(endedHere, endedElsewhere),
                holdsAll);
    }

    /** Completed when another device has settled what was carried over from it and is left in flight again. */
    CompletableFuture<Void> endedElsewhere(InflightRequests left) {
        return left.isEmpty() ? DONE : endedElsewhere;
    }

    /** Forgets the requests; their end elsewhere is still waited for, as a newer write must not come before it. */
    void reset() {
        closeMemory();
        requests = InflightRequests.none();
        fromElsewhere = false;
        holdsAll = !endedElsewhere.isDone();
        if (!holdsAll) {
            endedElsewhere = DONE;
        }
    }

    private void closeMemory() {
        if (memory != null) {
            memory.close();
            memory = null;
        }
    }
}
