package io.fairlead.devices.error;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.linux.Errno;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.BlkRequest;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.ScsiRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Stands in for a device of any type that is gone, so that its driver gets errors and does not wait for ever: a disk's and
 * a shared folder's requests and SCSI commands fail, what a network card or a console sends is lost and nothing comes, and a
 * network card says that it has no link. Requests of other types that want an answer wait.
 */
public final class ErrorDevice extends SoftwareDevice {
    /** Of an answer of FUSE (linux/fuse.h, struct fuse_out_header: len, error, unique); unique is where the request has it. */
    private static final int FUSE_OUT_HEADER_BYTES = 16;

    /** The kernel itself says ENOTCONN of a file system whose server is gone. */
    private static final int FUSE_ERROR = 4;

    private static final int FUSE_UNIQUE = 8;

    /** The answer to every SCSI command, without sense data; guests do not try again. */
    private static final MemorySegment BAD_TARGET = answerOfScsi(ScsiRequest.RESPONSE_BAD_TARGET);

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private ErrorDevice(VdpaDevice gone, int maxQueueSize, ConfigSpace config, EventLoopGroup loops) {
        super(
                gone.name() + " (errors)",
                gone.deviceId(),
                features(gone),
                gone.queueCount(),
                maxQueueSize,
                config,
                loops);
    }

    /**
     * Makes one in the place of a device.
     *
     * @param gone says what it is like; stays its owner's
     * @param loops serve the queues; closed by their owner after the device
     */
    public static ErrorDevice inPlaceOf(VdpaDevice gone, EventLoopGroup loops) throws IOException {
        int size = IntStream.range(0, gone.queueCount())
                .map(gone::maxQueueSize)
                .max()
                .orElse(1);
        return new ErrorDevice(gone, size, config(gone), loops);
    }

    /** Those of a device that one of this kind can take the place of. */
    public static long features(VdpaDevice gone) {
        return gone.deviceFeatures() & (Feature.TYPE_BITS | RING_FEATURES);
    }

    private static ConfigSpace config(VdpaDevice gone) throws IOException {
        MemorySegment bytes = MemorySegment.ofArray(new byte[gone.configByteCount()]);
        gone.readConfig(0, bytes);
        if (gone.deviceId() == DeviceId.NET && (gone.deviceFeatures() & NetConfig.F_STATUS) != 0) {
            NetConfig.STATUS.write(bytes, NetConfig.STATUS.read(bytes) & ~NetConfig.STATUS_LINK_UP);
        }
        ConfigSpace space = new ConfigSpace(gone.configByteCount(), new BitSet());
        space.update(fresh -> fresh.copyFrom(bytes));
        return space;
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        return new Refuser(runner, answer(queue));
    }

    private @Nullable Answer answer(int queue) {
        return switch (deviceId()) {
            case DeviceId.BLOCK -> chain -> lastByte(chain, BlkRequest.STATUS_IOERR);
            case DeviceId.FS -> new FuseAnswer();
            case DeviceId.SCSI ->
                switch (queue) {
                    case ScsiRequest.CONTROL_QUEUE -> chain -> lastByte(chain, (byte) ScsiRequest.RESPONSE_BAD_TARGET);
                    case ScsiRequest.EVENT_QUEUE -> null;
                    default -> ErrorDevice::badTarget;
                };
            default -> null;
        };
    }

    private static long lastByte(DescriptorChain chain, byte status) {
        chain.writeLastByte(status);
        return chain.writableBytes();
    }

    private static MemorySegment answerOfScsi(int response) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[ScsiRequest.SENSE_OFFSET]);
        bytes.set(ValueLayout.JAVA_BYTE, ScsiRequest.RESPONSE_OFFSET, (byte) response);
        return bytes.asReadOnly();
    }

    private static long badTarget(DescriptorChain chain) {
        int byteCount = (int) Math.min(chain.writableBytes(), BAD_TARGET.byteSize());
        chain.write(0, BAD_TARGET, 0, byteCount);
        return byteCount;
    }

    /** Answers what wants an answer. */
    @FunctionalInterface
    private interface Answer {
        /**
         * @param chain has device-writable bytes
         * @return how many of them it wrote
         */
        long write(DescriptorChain chain);
    }

    /** Says the error for the request that the driver's header names. */
    private static final class FuseAnswer implements Answer {
        private final MemorySegment header = MemorySegment.ofArray(new byte[FUSE_OUT_HEADER_BYTES]);

        FuseAnswer() {
            header.set(LE_INT, 0, FUSE_OUT_HEADER_BYTES);
            header.set(LE_INT, FUSE_ERROR, -Errno.ENOTCONN);
        }

        @Override
        public long write(DescriptorChain chain) {
            if (chain.writableBytes() < FUSE_OUT_HEADER_BYTES || chain.readableBytes() < FUSE_UNIQUE + Long.BYTES) {
                return 0;
            }
            header.set(LE_LONG, FUSE_UNIQUE, chain.readLong(FUSE_UNIQUE));
            chain.write(0, header, 0, FUSE_OUT_HEADER_BYTES);
            return FUSE_OUT_HEADER_BYTES;
        }
    }

    private static final class Refuser implements QueueHandler {
        private final QueueRunner runner;
        private final @Nullable Answer answer;

        /** A buffer to be filled, which nothing comes for; those behind it stay where they are. */
        private @Nullable DescriptorChain waiting;

        Refuser(QueueRunner runner, @Nullable Answer answer) {
            this.runner = runner;
            this.answer = answer;
        }

        @Override
        public boolean wantsRequest() {
            return waiting == null;
        }

        @Override
        public void handle(DescriptorChain chain) {
            if (chain.writableBytes() == 0) {
                end(chain, 0);
            } else if (answer != null) {
                end(chain, answer.write(chain));
            } else {
                waiting = chain;
            }
        }

        private void end(DescriptorChain chain, long writtenBytes) {
            runner.statistics().countFailedRequest();
            runner.complete(chain, writtenBytes);
        }

        @Override
        public void stopping() {
            DescriptorChain kept = waiting;
            if (kept != null) {
                waiting = null;
                runner.untake(kept);
            }
        }
    }
}
