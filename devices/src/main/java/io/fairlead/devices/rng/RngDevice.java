package io.fairlead.devices.rng;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.RngConfig;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.BitSet;

/** Gives the guest what the host's kernel has from its random number generator, which never waits. */
public final class RngDevice extends SoftwareDevice {
    /** The most bytes of one answer, so that a guest's huge buffer does not hold up the loop. */
    static final int MAX_ANSWER_BYTES = 64 << 10;

    private static final Path SOURCE = Path.of("/dev/urandom");

    private final Fd source;

    private RngDevice(String name, RingSettings settings, Fd source, EventLoopGroup loops) {
        super(
                name,
                DeviceId.RNG,
                RING_FEATURES & settings.features(),
                1,
                settings.queueSize(),
                new ConfigSpace(RngConfig.BYTES, new BitSet()),
                loops);
        this.source = source;
    }

    /** @param loops serve the queue; closed by their owner after the device */
    public static RngDevice create(String name, RingSettings settings, EventLoopGroup loops) throws IOException {
        return new RngDevice(name, settings, FileIo.open(SOURCE, FileIo.O_RDONLY | FileIo.O_CLOEXEC, 0), loops);
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return new Filler(runner);
    }

    @Override
    protected void release() {
        source.close();
    }

    private final class Filler implements QueueHandler {
        private final QueueRunner runner;
        private final Arena arena = Arena.ofConfined();
        private final MemorySegment bytes = arena.allocate(MAX_ANSWER_BYTES);

        Filler(QueueRunner runner) {
            this.runner = runner;
        }

        @Override
        public void handle(DescriptorChain chain) throws GuestFaultException {
            if (chain.readableCount() > 0 || chain.writableBytes() == 0) {
                throw new GuestFaultException(
                        "an entropy request has buffers for the device to write, and nothing else");
            }
            int wanted = (int) Math.min(chain.writableBytes(), MAX_ANSWER_BYTES);
            long got = FileIo.pread(source.raw(), bytes.address(), wanted, 0);
            if (got <= 0) {
                throw new IllegalStateException(
                        "%s: %s".formatted(SOURCE, got == 0 ? "it ended" : Errno.name((int) -got)));
            }
            chain.write(0, bytes, 0, (int) got);
            runner.statistics().countRequests(1, got, 0);
            runner.complete(chain, got);
        }

        @Override
        public void stopped() {
            arena.close();
        }
    }
}
