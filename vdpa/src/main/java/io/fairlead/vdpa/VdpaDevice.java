package io.fairlead.vdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The one device contract: what presents a virtio data path, whatever its virtio type and whoever moves the data. It
 * mirrors the kernel's {@code struct vdpa_config_ops} and adds what migration needs. Front-ends translate their protocol
 * into it, back-ends implement it; neither knows the other.
 *
 * <p><b>Order of calls</b>, as a driver brings a device up (virtio 1.4, 3.1): {@link #driverFeatures(long)}, {@link
 * #memory}, for each queue {@link #queueSize}, {@link #queueAddresses}, {@link #queueState(int, QueueState)}, {@link
 * #queueKick}, {@link #queueCall}, {@link #queueReady(int, boolean)}; then {@link #status(int)} with DRIVER_OK where the
 * front-end has a status. A device serves a queue when it is ready and the device is not suspended; it may not wait for
 * DRIVER_OK, since front-ends without a status exist. What cannot be changed on a ready queue is refused with
 * IllegalStateException.
 *
 * <p><b>Threads.</b> One control thread at a time calls; the calls may block until the queue's own thread has taken the
 * change. The {@link DeviceListener} is called on any thread and must not call back into the device.
 *
 * <p><b>Errors.</b> A queue index out of range or a call out of order is a programming error of the front-end
 * (IllegalArgumentException, IllegalStateException): the front-end checks its peer's input first. What the guest did
 * wrong (rings outside its memory, a bad chain) never throws here: the device stops serving, sets NEEDS_RESET in its
 * status, counts, logs with its name, and tells the listener. A fault of the host is an IOException.
 */
public interface VdpaDevice extends AutoCloseable {
    /** What a device can do beyond serving queues; decides how it is migrated. */
    enum Capability {
        /** {@link #suspend} stops the whole device and leaves its rings as they are. */
        SUSPEND,
        /** {@link #resume} undoes a suspend. */
        RESUME,
        /** One queue can be stopped alone ({@link #queueReady(int, boolean)} with false) while others run. */
        QUEUE_STOP,
        /** {@link #queueState(int)} tells where a stopped queue stands. */
        QUEUE_STATE,
        /** The device marks the pages that it writes ({@link #dirtyLog}). */
        DIRTY_LOG,
        /** Requests in flight are recorded in memory given by {@link #queueInflight}. */
        INFLIGHT,
        /** A queue with such memory can stop without waiting for what is in flight ({@link StopMode#FREEZE}). */
        FREEZE,
        /**
         * The device's state may also go in the stream of whoever moves the machine, beside what the front-end itself sends
         * there (vhost-user: DEVICE_STATE). Then every destination has to be able to.
         */
        STREAM_STATE
    }

    /** How a queue stops. */
    enum StopMode {
        /** It waits until every request that it took is answered. */
        DRAIN,
        /**
         * It drains, but what is not answered within some seconds, as on storage that hangs, is left as by FREEZE. For
         * whoever looks at {@link VdpaDevice#inflightRequests} and has the device go on where nobody can take them up.
         * Needs what FREEZE needs.
         */
        DRAIN_THEN_FREEZE,
        /**
         * It answers what is done, leaves the rest recorded as in flight and waits for nothing. None of those is answered
         * any more, though the host's work on them may go on until {@link VdpaDevice#settled}.
         */
        FREEZE
    }

    /** Unique in a registry; stands in every message about the device. */
    String name();

    /** The virtio device id (virtio 1.4, 5); may be one that Fairlead has no code for. */
    int deviceId();

    Set<Capability> capabilities();

    /**
     * What the device stands for outside of the machine, by the names of the field ({@code volume}, {@code serial}, {@code
     * mac}, {@code tag}): a machine may only move to a device with the same values. Empty values are unknown.
     */
    Map<String, String> identity();

    // ---- features and status ----

    /** The virtio feature bits that the device offers. */
    long deviceFeatures();

    /** The feature bits that the driver took; 0 before. */
    long driverFeatures();

    /**
     * Takes the driver's choice. May come again with another choice (a firmware's driver, then the system's) as long as no
     * queue is ready.
     *
     * @throws IllegalArgumentException where it is not a subset of {@link #deviceFeatures}
     */
    void driverFeatures(long features) throws IOException;

    /** The device status bits (virtio 1.4, 2.1). */
    int status();

    /** Writes the status; 0 is {@link #reset}. NEEDS_RESET cannot be written. */
    void status(int status) throws IOException;

    /**
     * Stops all queues, waits for what is in flight, and forgets all that the driver set: features, queue sizes, addresses
     * and states, status. What the front-end gave stays: the memory table, kick and call descriptors, the listener, the
     * dirty log; so does the configuration space. Waits for the host's work on frozen requests, but not for another device's
     * on those carried over: until that is {@link #settled}, a queue that starts again takes no request at all.
     */
    void reset() throws IOException;

    /**
     * As {@link #reset}, for a machine that stood still and goes on as it was: its driver has noticed nothing and leaves its
     * buffers alone. So the host's work on frozen requests is not waited for, which may hang; a request that is taken up
     * again starts when that has ended, and others go ahead.
     */
    default void restart() throws IOException {
        reset();
    }

    /**
     * As {@link #reset}, for a front-end that cannot tell whether the driver was reset or its machine stood still and goes
     * on. What a driver that begins settles anew before anything else may stay.
     */
    default void resetOrRestart() throws IOException {
        reset();
    }

    // ---- configuration space ----

    /** Bytes of the configuration space. */
    int configByteCount();

    /**
     * Reads from the configuration space, little-endian.
     *
     * @throws IndexOutOfBoundsException where the range is not inside it
     */
    void readConfig(int offset, MemorySegment target) throws IOException;

    /**
     * Writes what the driver wrote; bytes that the type does not let a driver write stay as they are.
     *
     * @throws IndexOutOfBoundsException where the range is not inside it
     */
    void writeConfig(int offset, MemorySegment source) throws IOException;

    /** Changes whenever the device changes its configuration space (virtio 1.4, 2.5). */
    int configGeneration() throws IOException;

    /** Who is told of configuration changes and faults; null for nobody. */
    void listener(@Nullable DeviceListener listener);

    // ---- memory ----

    /**
     * Replaces the guest memory that queues and buffers lie in. On return no new access to a region that is gone will
     * start; requests in flight keep their own hold on it. A ready queue whose rings are no longer inside is a guest
     * fault.
     */
    void memory(MemoryTable table) throws IOException;

    // ---- queues, 0 to queueCount - 1 ----

    int queueCount();

    /** The most entries that a queue may have. */
    int maxQueueSize(int queue);

    void queueSize(int queue, int size) throws IOException;

    /** Guest addresses of the three parts of the rings (see {@link io.fairlead.virtio.QueueConfig}). */
    void queueAddresses(int queue, long descriptorAddress, long driverAddress, long deviceAddress) throws IOException;

    /** What was set for a queue. */
    QueueSetup queueSetup(int queue);

    /** Where a queue that is not ready shall go on; the initial state unless called. */
    void queueState(int queue, QueueState state) throws IOException;

    /** Where a queue that is not ready, or belongs to a suspended device, stands. */
    QueueState queueState(int queue) throws IOException;

    /** What the driver signals; the device owns it from now on and closes it. Null: the driver only polls. */
    void queueKick(int queue, @Nullable EventFd kick) throws IOException;

    /** What the device signals; the device owns it from now on and closes it. Null: the driver only polls. */
    void queueCall(int queue, @Nullable EventFd call) throws IOException;

    /**
     * As {@link #queueCall}, for a front-end that signals its driver otherwise than by a descriptor; the later of both calls
     * counts. Only a device that serves its queues itself can; others hand descriptors on.
     *
     * @param signal used by the queue's own thread, at most once a batch; the device owns it from now on where it takes it
     * @return whether the device takes it; else nothing has changed
     */
    default boolean queueSignal(int queue, Signal signal) throws IOException {
        return false;
    }

    /**
     * Memory that records requests in flight so that another process can take them up, in the layout of vhost-user; stays
     * the caller's, who keeps it mapped while the queue is ready. Null for none.
     */
    void queueInflight(int queue, @Nullable MemorySegment region) throws IOException;

    boolean queueReady(int queue);

    /**
     * Starts a queue, or stops it: then no further request is taken, and the call returns when none is in flight. A start
     * looks at the ring at once, without waiting for a kick.
     */
    void queueReady(int queue, boolean ready) throws IOException;

    // ---- migration ----

    /** Stops serving as a whole and waits for what is in flight; queues stay ready. Needs {@link Capability#SUSPEND}. */
    void suspend() throws IOException;

    /** Goes on after {@link #suspend}. Needs {@link Capability#RESUME}. */
    void resume() throws IOException;

    /**
     * How queues stop from now on, by {@link #queueReady(int, boolean)} and {@link #suspend}; DRAIN unless called. FREEZE
     * needs {@link Capability#FREEZE}, and holds for queues that have memory for their requests in flight; others drain. A
     * {@link #reset} drains, whatever was said here, and says DRAIN again.
     */
    void stopMode(StopMode mode) throws IOException;

    /**
     * Completed when the host works on no request of a frozen queue any more and what was written is as durable as the
     * device's settings promise for a change of the owner; exceptionally where that failed. Until then another device must
     * not take these requests up. Speaks of what was frozen before the call; any thread.
     */
    CompletionStage<Void> settled();

    /** What a stopped queue left in flight; empty where it drained. */
    InflightRequests inflightRequests(int queue) throws IOException;

    /**
     * Gives a queue that is not ready the requests that another device left in flight. It takes them up first when it
     * starts next, but not before they are settled there; new requests do not wait. Needs {@link Capability#INFLIGHT}.
     * Forgotten at {@link #reset}. Where the front-end gives memory for requests in flight, it holds the same requests or
     * none; and the queue's state has to be ahead by as many. What does not fit shows at the start as a fault of the guest.
     *
     * @param settled completed when the other device is {@link #settled}; exceptionally where it never will be: a queue
     *     that has them then fails
     * @throws IllegalArgumentException where no queue of this device can have left such requests
     */
    void carryOver(int queue, InflightRequests requests, CompletionStage<Void> settled) throws IOException;

    /**
     * What the driver set by a control queue, as the commands that bring a device after a reset to the same state (network
     * devices; virtio 1.4, 5.1.6.5). Without queues that run; empty for devices without such a queue.
     */
    default List<ControlCommand> controlCommands() throws IOException {
        return List.of();
    }

    /**
     * Takes what a driver set at another device, before the queues start; forgotten at {@link #reset}.
     *
     * @throws StateMismatchException where the device cannot take one of them; nothing is changed then
     */
    default void controlCommands(List<ControlCommand> commands) throws IOException {
        if (!commands.isEmpty()) {
            throw new StateMismatchException(name() + " has no control queue");
        }
    }

    /**
     * A network card's driver, at an address, has come here: the network is told. Nothing for devices of other types, and
     * where others tell it.
     *
     * @param mac 48 bits
     */
    default void announce(long mac) throws IOException {}

    /**
     * What a device of this type keeps for its driver beyond rings, configuration and control commands, such as the open
     * files of a file system: in the type's own layout, bounded, with its own version first, readable by any device of the
     * type. Without queues that run; empty where there is nothing.
     */
    default Octets typeState() throws IOException {
        return Octets.EMPTY;
    }

    /**
     * Takes what another device of the type kept, before the queues start; forgotten at {@link #reset}.
     *
     * @throws StateMismatchException where the device cannot take it; nothing is changed then
     */
    default void typeState(Octets state) throws IOException {
        if (state.size() > 0) {
            throw new StateMismatchException(name() + " keeps no state of its type");
        }
    }

    /**
     * What only devices of the same make understand. Without queues that run; empty where there is nothing, or the machine
     * does not move.
     */
    default Optional<VendorState> vendorState() throws IOException {
        return Optional.empty();
    }

    /**
     * Takes what another device of the same make kept, before the queues start; forgotten at {@link #reset}. What is of
     * another make is left alone. Null takes back what was given.
     *
     * @throws StateMismatchException where the device cannot take what is of its own make; nothing is changed then
     */
    default void vendorState(@Nullable VendorState state) throws IOException {}

    /**
     * The machine comes from a device whose configuration space is this by now: takes over what changed there while the
     * machine was moving, as far as this device finds it at its own side, such as the size of storage that has grown. What
     * it does not follow shows when the two are compared. Tells the driver when it is there.
     */
    default void follow(Octets config) throws IOException {}

    /**
     * As {@link #follow}, from what the source's type keeps for its driver by now ({@link #typeState()}), which is not
     * taken here.
     *
     * @throws StateMismatchException where that makes no sense
     */
    default void followTypeState(Octets sourceState) throws IOException {}

    /**
     * Marks every page written from the return of this call on; null switches it off. Needs DIRTY_LOG. The log stays the
     * caller's, who keeps it open until it is replaced.
     */
    void dirtyLog(@Nullable SharedDirtyLog log) throws IOException;

    // ---- observation ----

    /** Live counters, readable from any thread. */
    DeviceStatistics statistics();

    /** What the device's type counts besides, by names such as {@code droppedNoRoom}, in order; from any thread. */
    default Map<String, Long> typeCounters() {
        return Map.of();
    }

    /** Stops, waits for what is in flight and releases everything. Again: no effect. */
    @Override
    void close() throws IOException;
}
