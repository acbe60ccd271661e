package io.fairlead.devices.vsock;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.VsockConfig;
import io.fairlead.virtio.VsockPacket;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.BitSet;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The guest's stream sockets, connected with Unix sockets of the host. One loop serves all queues and all sockets. Where a
 * driver goes on with whose connections this device knows nothing, as after a move, it is told that they are gone
 * (virtio 1.4, 5.10.6.7).
 */
final class VsockDevice extends SoftwareDevice {
    private static final Logger LOG = LoggerFactory.getLogger(VsockDevice.class);
    private static final int QUEUES = 3;

    private final long cid;
    private final EventLoop loop;
    private final Connections connections;

    private VsockDevice(String name, VsockSettings settings, EventLoop loop, Connections connections) {
        super(
                name,
                DeviceId.VSOCK,
                (RING_FEATURES | VsockConfig.F_STREAM) & settings.rings().features(),
                QUEUES,
                settings.rings().queueSize(),
                config(settings.cid()),
                loop);
        cid = settings.cid();
        this.loop = loop;
        this.connections = connections;
    }

    /** @param loops one of them serves the device; closed by their owner after it */
    static VsockDevice create(String name, VsockSettings settings, EventLoopGroup loops) throws IOException {
        return create(name, settings, loops, Connections.HALF_OPEN);
    }

    static VsockDevice create(String name, VsockSettings settings, EventLoopGroup loops, Duration halfOpen)
            throws IOException {
        EventLoop loop = loops.next();
        Connections connections = loop.call(() -> new Connections(name, settings, loop, halfOpen));
        return new VsockDevice(name, settings, loop, connections);
    }

    private static ConfigSpace config(long cid) {
        ConfigSpace config = new ConfigSpace(VsockConfig.BYTES, new BitSet());
        config.update(bytes -> VsockConfig.GUEST_CID.write(bytes, cid));
        return config;
    }

    @Override
    public Map<String, String> identity() {
        return Map.of("cid", Long.toString(cid));
    }

    /** Of its connections; any thread. */
    VsockCounters counters() {
        return connections.counters();
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return switch (queue) {
            case VsockPacket.RECEIVE_QUEUE -> new ToGuest(runner);
            case VsockPacket.TRANSMIT_QUEUE -> new FromGuest(runner);
            default -> new Events(runner);
        };
    }

    @Override
    protected void driverReset() {
        onLoop(connections::driverGone);
    }

    /** The driver goes on, and so do its connections. */
    @Override
    protected void driverRestart() {}

    /** Where its rings begin tells which it was. */
    @Override
    protected void driverResetOrRestart() {}

    @Override
    protected void release() {
        onLoop(connections::close);
        LOG.debug("{}: {}", name(), connections.counters());
    }

    private void onLoop(Runnable task) {
        try {
            loop.call(() -> {
                task.run();
                return true;
            });
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Fills the guest's buffers while there are packets. */
    private final class ToGuest implements QueueHandler {
        private final QueueRunner runner;

        ToGuest(QueueRunner runner) {
            this.runner = runner;
            connections.onPackets(runner::wake);
            connections.driverCame(runner.beganAnew());
        }

        @Override
        public boolean wantsRequest() {
            return connections.hasPackets();
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.readableCount() > 0 || chain.writableBytes() < VsockPacket.HEADER_BYTES) {
                throw new GuestFaultException(
                        "a buffer for packets is %d readable and %d writable bytes, not writable alone and %d or more"
                                .formatted(chain.readableBytes(), chain.writableBytes(), VsockPacket.HEADER_BYTES));
            }
            long byteCount = connections.give(chain);
            if (byteCount == 0) {
                runner.untake(chain);
                return;
            }
            runner.statistics().countRequests(1, byteCount - VsockPacket.HEADER_BYTES, 0);
            runner.complete(chain, byteCount);
        }

        @Override
        public void stopped() {
            connections.onPackets(() -> {});
        }
    }

    /** Takes what the guest sends. */
    private final class FromGuest implements QueueHandler {
        private final QueueRunner runner;

        FromGuest(QueueRunner runner) {
            this.runner = runner;
            connections.onRoom(runner::wake);
        }

        @Override
        public boolean wantsRequest() {
            return connections.hasRoom();
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.writableBytes() > 0 || chain.readableBytes() < VsockPacket.HEADER_BYTES) {
                throw new GuestFaultException(
                        "a packet is %d readable and %d writable bytes, not a header of %d and readable data"
                                .formatted(chain.readableBytes(), chain.writableBytes(), VsockPacket.HEADER_BYTES));
            }
            long byteCount = connections.receive(chain);
            if (byteCount < 0) {
                runner.statistics().countFailedRequest();
            }
            runner.statistics().countRequests(1, 0, Math.max(0, byteCount));
            runner.complete(chain, 0);
        }

        @Override
        public void stopped() {
            connections.onRoom(() -> {});
        }
    }

    /** Tells the guest that its connections are gone. */
    private final class Events implements QueueHandler {
        private final QueueRunner runner;
        private final MemorySegment event = MemorySegment.ofArray(new byte[VsockPacket.EVENT_BYTES]);

        Events(QueueRunner runner) {
            this.runner = runner;
            event.set(ValueLayout.JAVA_BYTE, 0, (byte) VsockPacket.EVENT_TRANSPORT_RESET);
            connections.onEvent(runner::wake);
        }

        @Override
        public boolean wantsRequest() {
            return connections.isResetEventDue();
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.readableCount() > 0 || chain.writableBytes() < VsockPacket.EVENT_BYTES) {
                throw new GuestFaultException(
                        "an event's buffer has %d readable and %d writable bytes, and needs 0 and %d"
                                .formatted(chain.readableBytes(), chain.writableBytes(), VsockPacket.EVENT_BYTES));
            }
            connections.resetEventGiven();
            chain.write(0, event, 0, VsockPacket.EVENT_BYTES);
            runner.statistics().countRequests(1, VsockPacket.EVENT_BYTES, 0);
            runner.complete(chain, VsockPacket.EVENT_BYTES);
        }

        @Override
        public void stopped() {
            connections.onEvent(() -> {});
        }
    }
}
