package io.fairlead.devices.scsi;

import io.fairlead.devices.base.QueueRunner;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.ScsiRequest;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Events that wait for a buffer of the driver (virtio 1.4, 5.6.6.3), in order. Where there are too many, the driver is
 * told that it missed some and looks at everything. Any thread.
 */
final class EventList {
    /** Events that are kept. */
    static final int MAX_EVENTS = 32;

    /**
     * One event.
     *
     * @param lun number of the logical unit; -1 for none
     */
    record Event(int event, int lun, int reason) {
        static final Event MISSED = new Event(ScsiRequest.EVENT_NONE | ScsiRequest.EVENTS_MISSED, -1, 0);
    }

    private final ArrayDeque<Event> events = new ArrayDeque<>();
    private @Nullable QueueRunner runner;
    private long features = -1;

    /** Who gives them to the driver from now on, and which features that one knows. */
    synchronized void serve(long newFeatures, QueueRunner newRunner) {
        features = newFeatures;
        runner = newRunner;
        events.removeIf(event -> !isKnown(event));
    }

    private boolean isKnown(Event event) {
        return switch (event.event) {
            case ScsiRequest.EVENT_TRANSPORT_RESET -> Feature.has(features, ScsiConfig.F_HOTPLUG);
            case ScsiRequest.EVENT_PARAMETER_CHANGE -> Feature.has(features, ScsiConfig.F_CHANGE);
            default -> true;
        };
    }

    synchronized void add(Event event) {
        if (!isKnown(event)) {
            return;
        }
        if (events.size() >= MAX_EVENTS) {
            events.clear();
            events.add(Event.MISSED);
        } else if (!event.equals(events.peekLast())) {
            events.add(event);
        }
        if (runner != null) {
            runner.wake();
        }
    }

    synchronized boolean isEmpty() {
        return events.isEmpty();
    }

    synchronized @Nullable Event poll() {
        return events.poll();
    }

    synchronized void clear() {
        events.clear();
        features = -1;
    }
}
