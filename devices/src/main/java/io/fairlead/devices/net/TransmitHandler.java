package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.NetHeader;

/** Takes what a driver sends: each frame goes on, or is dropped and counted, at once. */
final class TransmitHandler implements QueueHandler {
    private final QueueRunner runner;
    private final NetPort port;
    private final NetBackend.Sink sink;
    private final RateLimit rate;
    private final OutgoingFrame frame;

    /** @param features the driver's choice */
    TransmitHandler(QueueRunner runner, NetPort port, NetBackend.Sink sink, RateLimit rate, long features) {
        this.runner = runner;
        this.port = port;
        this.sink = sink;
        this.rate = rate;
        frame = new OutgoingFrame(features);
    }

    @Override
    public boolean wantsRequest() {
        return rate.allows();
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        long byteCount = chain.readableBytes();
        if (chain.writableBytes() > 0 || byteCount < NetHeader.BYTES) {
            throw new GuestFaultException(
                    "a frame to send is %d readable and %d writable bytes, not a header of %d and readable data"
                            .formatted(byteCount, chain.writableBytes(), NetHeader.BYTES));
        }
        if (!frame.take(chain)) {
            port.drops.malformed.increment();
            runner.statistics().countFailedRequest();
        } else if (!port.linkUp) {
            port.drops.linkDown.increment();
        } else {
            rate.spend(frame.frameBytes());
            sink.send(frame);
        }
        runner.statistics().countRequests(1, 0, byteCount - NetHeader.BYTES);
        runner.complete(chain, 0);
    }

    @Override
    public void endBatch() {
        sink.flush();
    }

    @Override
    public void stopped() {
        rate.close();
        sink.close();
        frame.close();
    }
}
