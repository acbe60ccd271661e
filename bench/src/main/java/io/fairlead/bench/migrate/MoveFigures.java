package io.fairlead.bench.migrate;

/**
 * What one move took.
 *
 * @param move as who moved says
 * @param guestOutageMillis the longest pause that a process in the guest had
 * @param diskOutageMillis the longest pause between two answers of the disk that a process in the guest saw
 * @param readsPerSecond of the heart that reads from the disk, before the move: how busy the disk was
 */
record MoveFigures(Mover.Move move, double guestOutageMillis, double diskOutageMillis, double readsPerSecond) {}
