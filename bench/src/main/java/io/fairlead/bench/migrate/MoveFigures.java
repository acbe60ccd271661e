package io.fairlead.bench.migrate;

/**
 * What one move took.
 *
 * @param downtimeMillis how long the machine stood still, as QEMU says
 * @param guestOutageMillis the longest pause that a process in the guest had
 * @param diskOutageMillis the longest pause between two answers of the disk that a process in the guest saw
 * @param totalMillis the whole migration, as QEMU says
 * @param transferredMib over QEMU's stream
 * @param readsPerSecond of the heart that reads from the disk, before the move: how busy the disk was
 */
record MoveFigures(
        double downtimeMillis,
        double guestOutageMillis,
        double diskOutageMillis,
        double totalMillis,
        double transferredMib,
        double readsPerSecond) {}
