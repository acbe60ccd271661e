package io.fairlead.bench.net;

/**
 * What one run measured.
 *
 * @param packetsPerSecond that came through the server, of both directions
 * @param serverNanosPerPacket processor time of the server's whole process
 */
record NetLoad(double packetsPerSecond, double serverNanosPerPacket) {}
