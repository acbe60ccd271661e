package io.fairlead.bench.blk;

/**
 * What one run measured.
 *
 * @param requests completed in the time
 * @param nanos the time
 * @param serverCpuNanos processor time of the server in it, all threads
 * @param clientCpuNanos processor time of the client's thread in it
 * @param serverResidentBytes the server's own resident memory at the end, without guest memory
 */
record Load(long requests, long nanos, long serverCpuNanos, long clientCpuNanos, long serverResidentBytes) {
    private static final double NANOS_PER_SECOND = 1e9;
    private static final double NANOS_PER_MICRO = 1e3;

    double perSecond() {
        return requests * NANOS_PER_SECOND / nanos;
    }

    double serverMicrosPerRequest() {
        return serverCpuNanos / NANOS_PER_MICRO / requests;
    }

    double clientMicrosPerRequest() {
        return clientCpuNanos / NANOS_PER_MICRO / requests;
    }
}
