package io.fairlead.devices.net;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Frames that a device dropped, by reason.
 *
 * @param malformed sent by its driver with headers that contradict themselves or the negotiated features, or not to be cut
 * @param filtered for others, or not what the driver wants to receive
 * @param tooLong for the driver, longer than its MTU or its buffers
 * @param noRoom for the driver, which did not take what came before fast enough, or had no queue running
 * @param linkDown both ways, while the link is down
 */
public record NetDrops(long malformed, long filtered, long tooLong, long noRoom, long linkDown) {
    /** By the names that users see. */
    Map<String, Long> counters() {
        Map<String, Long> counters = new LinkedHashMap<>();
        counters.put("droppedMalformed", malformed);
        counters.put("droppedFiltered", filtered);
        counters.put("droppedTooLong", tooLong);
        counters.put("droppedNoRoom", noRoom);
        counters.put("droppedLinkDown", linkDown);
        return counters;
    }

    public long total() {
        return malformed + filtered + tooLong + noRoom + linkDown;
    }
}
