package io.fairlead.virtio;

import org.jspecify.annotations.Nullable;

/**
 * The device's side of a virtqueue, split (virtio 1.4, 2.7) or packed (2.8). The guest is hostile: whatever it wrote is
 * checked before it is used, and a violation is a {@link GuestFaultException}, after which the queue stays as it is and
 * is not to be used again.
 *
 * <p>A batch runs so: {@link #disableNotifications}; {@link #next} until it is false; for each finished request
 * {@link #complete}; one {@link #publish} a batch, whose answer says whether to signal the driver; at the end
 * {@link #enableNotifications}, and again from the start if it found more.
 *
 * <p>One thread at a time, the queue's owner. No method allocates.
 */
public sealed interface DeviceQueue permits SplitDeviceQueue, PackedDeviceQueue {
    /**
     * Makes the queue that a configuration describes.
     *
     * @throws GuestFaultException where the rings are not inside the guest's memory, misaligned, overlapping, or of a
     *     size that the layout does not allow, or the state does not fit the size, or requests carried over fit neither
     *     the state nor what the in-flight region holds
     */
    static DeviceQueue create(QueueConfig config, GuestMemory memory) throws GuestFaultException {
        return config.packed() ? new PackedDeviceQueue(config, memory) : new SplitDeviceQueue(config, memory);
    }

    /** Number of ring entries. */
    int size();

    /**
     * Takes the next available buffer into a chain. Requests that an earlier process or another device left in flight come
     * first, in their order, unless they are held ({@link #holdUnfinished}).
     *
     * @return false where there is none
     */
    boolean next(DescriptorChain chain) throws GuestFaultException;

    /**
     * Gives back a chain as if it had not been taken, so that {@link #next} returns it again: for a device that took more
     * buffers than it can fill. Of several the youngest goes first, and none that was taken after it is in flight.
     *
     * @throws IllegalStateException where the chain holds no request in flight or is not the youngest
     */
    void giveBack(DescriptorChain chain);

    /** Whether {@link #next} would find a buffer now; a plain look at the ring. */
    boolean hasNext();

    /**
     * Gives a chain back as used, invisible to the driver until {@link #publish}. With IN_ORDER it is held until all
     * that came before it are complete. The chain may be filled again at once.
     *
     * @param writtenBytes how many device-writable bytes were written from the start on
     * @throws IllegalStateException where the chain holds no request in flight
     * @throws IllegalArgumentException where more is said to be written than the chain has room for
     */
    void complete(DescriptorChain chain, long writtenBytes);

    /**
     * Makes all completed chains visible to the driver.
     *
     * @return whether the driver asked to be signalled for any of them; also true the first time after an in-flight region
     *     was taken up, as the earlier process may have died before it signalled. Such a queue calls this even if it has
     *     nothing to complete.
     */
    boolean publish();

    /** Asks the driver not to kick; a hint. */
    void disableNotifications();

    /**
     * Asks the driver to kick for the next buffer.
     *
     * @return whether a buffer came in the meantime, for which no kick may follow
     */
    boolean enableNotifications();

    /** Chains taken and not yet published, and {@link #unfinished}. */
    int inFlight();

    /** Requests that an earlier process or another device left in flight and that {@link #next} still has to return. */
    int unfinished();

    /**
     * Has {@link #next} and {@link #hasNext} pass over the {@link #unfinished}, as long as somebody else may still work on
     * them. With IN_ORDER what is complete waits for them too, as they came before.
     */
    void holdUnfinished(boolean held);

    /** Where the queue stands; whoever needs a drained state waits for {@link #inFlight} to be 0. */
    QueueState state();

    /**
     * Goes on with another memory table in which the rings lie where they lay.
     *
     * @throws GuestFaultException where they do not lie inside it
     */
    void memory(GuestMemory memory) throws GuestFaultException;

    /** Switches the log of written pages (rings and buffers) on, or off with null. */
    void dirtyLog(@Nullable DirtyLog log);
}
