package io.fairlead.devices.scsi;

import io.fairlead.devices.base.WorkerPool;
import io.fairlead.devices.storage.Storage;
import io.fairlead.vdpa.preflight.UnitProfile;

/**
 * One disk of the target: its storage, and what it keeps for initiators. Any thread.
 *
 * <p>Owns its storage and its workers, so that one whose storage hangs takes no thread from another.
 */
final class LogicalUnit implements AutoCloseable {
    /** So many requests wait for the storage at a time. */
    private static final int MAX_WORKERS = 16;

    private final int number;
    private final String serial;
    private final boolean discards;
    private final Storage storage;
    private final int blockShift;
    private final WorkerPool workers;
    private final UnitAttentions attentions = new UnitAttentions();
    private final Reservations reservations = new Reservations(attentions);
    private volatile boolean readOnly;
    private volatile boolean writeBack = true;
    private volatile boolean stopped;

    /** @param storage closed with this */
    LogicalUnit(String deviceName, LunSettings settings, Storage storage) {
        number = settings.number();
        serial = settings.serial(deviceName);
        discards = settings.discard() && !storage.readOnly();
        this.storage = storage;
        readOnly = storage.readOnly();
        blockShift = Integer.numberOfTrailingZeros(storage.blockSizeBytes());
        workers = new WorkerPool("%s-lun%d".formatted(deviceName, number), MAX_WORKERS);
        attentions.addToAll(Sense.POWER_ON);
    }

    int number() {
        return number;
    }

    String serial() {
        return serial;
    }

    Storage storage() {
        return storage;
    }

    WorkerPool workers() {
        return workers;
    }

    UnitAttentions attentions() {
        return attentions;
    }

    Reservations reservations() {
        return reservations;
    }

    int blockBytes() {
        return 1 << blockShift;
    }

    int blockShift() {
        return blockShift;
    }

    long blockCount() {
        return storage.byteCount() >> blockShift;
    }

    /** Whether blocks are there, wherever the initiator says they are. */
    boolean isInside(long block, long count) {
        long all = blockCount();
        return block >= 0 && block <= all && count >= 0 && count <= all - block;
    }

    /** Whether initiators may give space back. */
    boolean discards() {
        return discards;
    }

    /** Whether what was given back reads as zeros. */
    boolean discardsToZeros() {
        return !storage.isBlockDevice();
    }

    /** Whether initiators may not write: always so where the storage cannot be written. */
    boolean readOnly() {
        return readOnly;
    }

    void readOnly(boolean value) {
        readOnly = value;
    }

    /** Whether writes may stay in volatile memory until they are flushed. */
    boolean writeBack() {
        return writeBack;
    }

    void writeBack(boolean value) {
        writeBack = value;
    }

    /** Whether START STOP UNIT stopped it: its medium cannot be used. */
    boolean stopped() {
        return stopped;
    }

    void stopped(boolean value) {
        stopped = value;
    }

    /** What it is, for other hosts. */
    UnitProfile profile() {
        return new UnitProfile(
                blockBytes(), storage.physicalBlockBytes(), storage.byteCount(), readOnly, serial, storage.volume());
    }

    /** LOGICAL UNIT RESET (SAM-5, 6.3.3): settings and RESERVE are gone, persistent reservations stay. */
    void reset() {
        writeBack = true;
        stopped = false;
        reservations.unitReset();
        attentions.addToAll(Sense.UNIT_RESET);
    }

    /** Its power was off. */
    void powerOn() {
        writeBack = true;
        stopped = false;
        reservations.restore(Reservations.Snapshot.INITIAL);
        attentions.beginAnew(Sense.POWER_ON);
        storage.releaseCaches();
    }

    /** No command may be under way. */
    @Override
    public void close() {
        workers.close();
        storage.close();
    }
}
