package io.fairlead.bench.fs;

/**
 * What one run measured.
 *
 * @param perSecond operations
 * @param serverMicros processor time of the server for one
 */
record FsRun(double perSecond, double serverMicros) {
    private static final double NANOS_PER_MICRO = 1e3;

    /**
     * @param operations more than 0
     * @param seconds more than 0
     */
    static FsRun of(double operations, double seconds, long cpuNanos) {
        return new FsRun(operations / seconds, cpuNanos / NANOS_PER_MICRO / operations);
    }
}
