package io.fairlead.devices.scsi;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.ScsiRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The event queue (virtio 1.4, 5.6.6.3): takes a buffer of the driver when there is an event to put in. */
final class EventHandler implements QueueHandler {
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final EventList events;
    private final QueueRunner runner;
    private final MemorySegment bytes = MemorySegment.ofArray(new byte[ScsiRequest.EVENT_BYTES]);

    /** @param features of the driver: it is told of what it knows */
    EventHandler(EventList events, long features, QueueRunner runner) {
        this.events = events;
        this.runner = runner;
        events.serve(features, runner);
    }

    @Override
    public boolean wantsRequest() {
        return !events.isEmpty();
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableCount() > 0 || chain.writableBytes() < ScsiRequest.EVENT_BYTES) {
            throw new GuestFaultException("an event's buffer has %d readable and %d writable bytes, and needs 0 and %d"
                    .formatted(chain.readableBytes(), chain.writableBytes(), ScsiRequest.EVENT_BYTES));
        }
        EventList.Event event = events.poll();
        bytes.fill((byte) 0);
        if (event != null) {
            bytes.set(LE_INT, 0, event.event());
            bytes.set(LE_LONG, 4, event.lun() < 0 ? 0 : ScsiRequest.address(event.lun()));
            bytes.set(LE_INT, 12, event.reason());
        }
        chain.write(0, bytes, 0, ScsiRequest.EVENT_BYTES);
        runner.statistics().countRequests(1, ScsiRequest.EVENT_BYTES, 0);
        runner.complete(chain, ScsiRequest.EVENT_BYTES);
    }
}
