package io.fairlead.devices.console;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.ConsoleConfig;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.GuestFaultException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Objects;

/**
 * A console of one port: queue 0 takes the guest's buffers for what it reads, queue 1 has what it puts out (virtio 1.4,
 * 5.3.2). Nothing here waits for the host's side.
 */
final class ConsoleDevice extends SoftwareDevice {
    private static final int RECEIVE_QUEUE = 0;
    private static final int QUEUES = 2;

    /** The most that is taken of one buffer at a time. */
    private static final int PIECE_BYTES = 4096;

    /** The most of one output request that is kept: more than the host's side holds. */
    private static final int MAX_OUTPUT_BYTES = 128 << 10;

    private final ConsoleHost host;

    private ConsoleDevice(String name, ConsoleSettings settings, ConsoleHost host, EventLoopGroup loops) {
        super(
                name,
                DeviceId.CONSOLE,
                RING_FEATURES & settings.rings().features(),
                QUEUES,
                settings.rings().queueSize(),
                new ConfigSpace(ConsoleConfig.BYTES, new BitSet()),
                loops);
        this.host = host;
    }

    /** @param loops serve the queues; closed by their owner after the device */
    static ConsoleDevice create(String name, ConsoleSettings settings, EventLoopGroup loops) throws IOException {
        Path listen = settings.listen();
        ConsoleHost host = listen != null
                ? new ConsoleSocket(name, listen)
                : new ConsoleFile(name, Objects.requireNonNull(settings.file()));
        return new ConsoleDevice(name, settings, host, loops);
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return queue == RECEIVE_QUEUE ? new Receiver(runner) : new Transmitter(runner);
    }

    @Override
    protected void release() {
        host.close();
    }

    /** Fills the guest's buffers while there is input. */
    private final class Receiver implements QueueHandler {
        private final QueueRunner runner;
        private final byte[] bytes = new byte[PIECE_BYTES];
        private final ByteBuffer buffer = ByteBuffer.wrap(bytes);
        private final MemorySegment segment = MemorySegment.ofArray(bytes);

        Receiver(QueueRunner runner) {
            this.runner = runner;
            host.onInput(runner::wake);
        }

        @Override
        public boolean wantsRequest() {
            return host.input().count() > 0;
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.readableCount() > 0 || chain.writableBytes() == 0) {
                throw new GuestFaultException("a buffer for input is the device's to write, and nothing else");
            }
            buffer.clear().limit((int) Math.min(PIECE_BYTES, chain.writableBytes()));
            long position = host.input().peek(buffer);
            int count = buffer.position();
            chain.write(0, segment, 0, count);
            host.input().dropTo(position + count);
            runner.statistics().countRequests(1, count, 0);
            runner.complete(chain, count);
        }

        @Override
        public void endBatch() {
            host.inputTaken();
        }

        @Override
        public void stopped() {
            host.onInput(() -> {});
        }
    }

    /** Takes what the guest puts out. */
    private final class Transmitter implements QueueHandler {
        private final QueueRunner runner;
        private final byte[] bytes = new byte[PIECE_BYTES];
        private final MemorySegment segment = MemorySegment.ofArray(bytes);

        Transmitter(QueueRunner runner) {
            this.runner = runner;
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.writableBytes() > 0) {
                throw new GuestFaultException("output is the guest's to write, and nothing else");
            }
            long total = Math.min(chain.readableBytes(), MAX_OUTPUT_BYTES);
            for (long at = 0; at < total; at += PIECE_BYTES) {
                int count = (int) Math.min(PIECE_BYTES, total - at);
                chain.read(at, segment, 0, count);
                host.output().put(bytes, 0, count);
            }
            runner.statistics().countRequests(1, 0, total);
            runner.complete(chain, 0);
        }

        @Override
        public void endBatch() {
            host.outputCame();
        }
    }
}
