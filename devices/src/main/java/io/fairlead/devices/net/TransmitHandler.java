package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.NetHeader;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Takes what a driver sends: each frame goes on, or is dropped and counted, at the end of its batch. A batch is gathered
 * first, because its frames come from memory that another processor wrote: all of them at once take hardly longer than
 * one.
 */
final class TransmitHandler implements QueueHandler {
    /** As many loads as a processor has under way, and few enough that what belongs to them stays in its nearest cache. */
    private static final int BATCH_FRAMES = 32;

    private final QueueRunner runner;
    private final NetPort port;
    private final NetBackend.Sink sink;
    private final RateLimit rate;
    private final OutgoingFrame frame;
    private final @Nullable DescriptorChain[] gathered = new DescriptorChain[BATCH_FRAMES];
    private int gatheredCount;

    /** What the loads brought; nobody asks for it. */
    private int touched;

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
        return gatheredCount < BATCH_FRAMES && rate.allows();
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        long byteCount = chain.readableBytes();
        if (chain.writableBytes() > 0 || byteCount < NetHeader.BYTES) {
            throw new GuestFaultException(
                    "a frame to send is %d readable and %d writable bytes, not a header of %d and readable data"
                            .formatted(byteCount, chain.writableBytes(), NetHeader.BYTES));
        }
        // Here, that a batch does not overdraw by more than its last frame.
        rate.spend(byteCount - NetHeader.BYTES);
        gathered[gatheredCount++] = chain;
    }

    @Override
    public void endBatch() {
        int count = gatheredCount;
        int done = 0;
        try {
            touch(count);
            boolean linkUp = port.linkUp;
            long bytes = 0;
            while (done < count) {
                DescriptorChain chain = Objects.requireNonNull(gathered[done]);
                bytes += chain.readableBytes() - NetHeader.BYTES;
                send(chain, linkUp);
                gathered[done++] = null;
                runner.complete(chain, 0);
            }
            runner.statistics().countRequests(count, 0, bytes);
        } catch (RuntimeException | InternalError e) {
            abandon(done, count, e);
        } finally {
            gatheredCount = 0;
            sink.flush();
        }
    }

    private void touch(int count) {
        int sum = touched;
        for (int i = 0; i < count; i++) {
            sum += Objects.requireNonNull(gathered[i]).touch();
        }
        touched = sum;
    }

    private void send(DescriptorChain chain, boolean linkUp) {
        if (!frame.take(chain)) {
            port.drops.malformed.increment();
            runner.statistics().countFailedRequest();
        } else if (!linkUp) {
            port.drops.linkDown.increment();
        } else {
            sink.send(frame);
        }
    }

    private void abandon(int from, int to, Throwable cause) {
        for (int i = from; i < to; i++) {
            DescriptorChain chain = Objects.requireNonNull(gathered[i]);
            gathered[i] = null;
            runner.abandon(chain, cause);
        }
    }

    @Override
    public void stopped() {
        rate.close();
        sink.close();
        frame.close();
    }
}
