package io.fairlead.bench.migrate;

import java.util.Map;

/**
 * What one move of a busy guest took.
 *
 * @param move as who moved says
 * @param outageMillis by what went on in the guest, the longest pause
 * @param pingOutageMillis the longest pause between two answers to pings from outside
 * @param beatsPerSecond by what went on in the guest, before the move: how busy it was
 */
record BusyFigures(
        Mover.Move move,
        Map<BusyGuest.Heart, Double> outageMillis,
        double pingOutageMillis,
        Map<BusyGuest.Heart, Double> beatsPerSecond) {
    BusyFigures {
        outageMillis = Map.copyOf(outageMillis);
        beatsPerSecond = Map.copyOf(beatsPerSecond);
    }
}
