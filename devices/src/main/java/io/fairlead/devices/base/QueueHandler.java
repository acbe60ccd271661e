package io.fairlead.devices.base;

import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;

/**
 * What a device type does with the requests of one queue. Made when the queue starts, gone when it stops. All methods run
 * on the queue's loop.
 *
 * <p>A handler that answers requests takes them as they come and gives each back by {@link QueueRunner#complete}, at once
 * or later. A handler that fills buffers with what comes from outside (received packets, events) takes one only while it
 * has something to put in ({@link #wantsRequest}), so that a stop never waits for the outside.
 */
public interface QueueHandler {
    /**
     * Takes one request. The chain is the handler's until it calls {@link QueueRunner#complete} for it.
     *
     * @throws GuestFaultException where the request breaks the specification so that no answer is possible; the device
     *     then needs a reset. Whoever throws has neither completed the chain nor handed it on.
     */
    void handle(DescriptorChain chain) throws GuestFaultException;

    /**
     * After so many completions within a batch they are made visible, so that the driver works on them at the same time. Each
     * time moves a line of memory between processors, so that cheap requests want a greater number. Asked once.
     */
    default int publishRequests() {
        return 8;
    }

    /** Whether another request shall be taken now. */
    default boolean wantsRequest() {
        return true;
    }

    /** Requests were taken and there are no more for now: what was gathered goes out. */
    default void endBatch() {}

    /**
     * Work besides new requests, such as finished system calls; called in every round while the queue is awake.
     *
     * @return whether there was some
     */
    default boolean poll() {
        return false;
    }

    /**
     * Whether {@link #poll} would find something: the last look before the queue falls asleep. Whoever brings more
     * afterwards calls {@link QueueRunner#wake}.
     */
    default boolean hasWork() {
        return false;
    }

    /**
     * The queue stops and takes no further request; called in every round until it has stopped. A handler whose requests
     * may wait for the outside without end gives those up by {@link QueueRunner#leave}; one that took buffers which it has not
     * begun to fill gives them back by {@link QueueRunner#untake}.
     */
    default void stopping() {}

    /** Whether a request that was begun may be done again, so that the queue can freeze. */
    default boolean mayFreeze() {
        return true;
    }

    /** The queue has stopped; no request is in flight. */
    default void stopped() {}
}
