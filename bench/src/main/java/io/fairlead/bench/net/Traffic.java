package io.fairlead.bench.net;

import java.util.ArrayList;
import java.util.List;

/**
 * Packets that go round.
 *
 * @param packetBytes of each, with its Ethernet header
 * @param packed whether the rings are packed ones
 */
record Traffic(int packetBytes, boolean packed) {
    /** What the design's bar is about. */
    static final int SMALL_BYTES = 64;

    private static final int LARGE_BYTES = 1500;

    static List<Traffic> all() {
        List<Traffic> all = new ArrayList<>();
        for (boolean packed : new boolean[] {false, true}) {
            all.add(new Traffic(SMALL_BYTES, packed));
            all.add(new Traffic(LARGE_BYTES, packed));
        }
        return all;
    }

    String name() {
        return "forward/%s/%d".formatted(packed ? "packed" : "split", packetBytes);
    }
}
