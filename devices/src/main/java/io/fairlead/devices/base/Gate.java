package io.fairlead.devices.base;

import java.util.concurrent.CompletableFuture;

/**
 * What a queue waits for before it takes requests up.
 *
 * @param opened completed when it may; exceptionally where it never may
 * @param forAll whether new requests wait too, and not only those that somebody else left in flight
 */
record Gate(CompletableFuture<Void> opened, boolean forAll) {
    boolean isOpen() {
        return opened.isDone() && !opened.isCompletedExceptionally();
    }
}
