package io.fairlead.vhostuser.protocol;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The payloads of vhost-user messages, read from and written to a message's bytes. Host byte order, as the protocol has
 * it.
 */
public final class Payload {
    /** The most payload of a message: 4096 bytes, well above the largest that is defined. */
    public static final int MAX_BYTES = 4096;

    /** {@code u32 index, u32 num}. */
    public static final int VRING_STATE_BYTES = 8;

    /** {@code u32 index, u32 flags, u64 descriptor, u64 used, u64 available, u64 log}. */
    public static final int VRING_ADDRESS_BYTES = 40;

    /** {@code u32 count, u32 padding}, then the regions. */
    public static final int MEMORY_TABLE_BYTES = 8;

    /** The most regions of one SET_MEM_TABLE, by protocol. */
    public static final int MAX_TABLE_REGIONS = 8;

    /** One region of a table: {@code u64 guest address, size, user address, mmap offset}. */
    public static final int TABLE_REGION_BYTES = 32;

    /** A region alone: {@code u64 padding}, then as in a table. */
    public static final int REGION_BYTES = 40;

    /** {@code u32 offset, u32 size, u32 flags}, then the bytes of the configuration space. */
    public static final int CONFIG_BYTES = 12;

    /** {@code u64 mmap size, u64 mmap offset, u16 queues, u16 queue size}. */
    public static final int INFLIGHT_BYTES = 20;

    /** The same as a C compiler pads it. */
    public static final int INFLIGHT_PADDED_BYTES = 24;

    /** {@code u64 mmap size, u64 mmap offset} of a dirty log. */
    public static final int LOG_BYTES = 16;

    /** {@code u32 direction, u32 phase} of a device's state. */
    public static final int TRANSFER_BYTES = 8;

    /** The flag of a {@link VringAddress}: writes into the used ring are to be logged, from its log address on. */
    public static final int VRING_FLAG_LOG = 1;

    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private Payload() {}

    /** {@code u32} fields are taken as they are; whoever uses one as an index checks it unsigned. */
    public record VringState(int index, int value) {
        public static VringState read(MemorySegment payload) {
            return new VringState(payload.get(U32, 0), payload.get(U32, 4));
        }

        public void write(MemorySegment payload) {
            payload.set(U32, 0, index);
            payload.set(U32, 4, value);
        }
    }

    /** Addresses count in the peer's own address space, but for the log address, which is a guest address. */
    public record VringAddress(int index, int flags, long descriptor, long used, long available, long log) {
        public static VringAddress read(MemorySegment payload) {
            return new VringAddress(
                    payload.get(U32, 0),
                    payload.get(U32, 4),
                    payload.get(U64, 8),
                    payload.get(U64, 16),
                    payload.get(U64, 24),
                    payload.get(U64, 32));
        }

        public void write(MemorySegment payload) {
            payload.set(U32, 0, index);
            payload.set(U32, 4, flags);
            payload.set(U64, 8, descriptor);
            payload.set(U64, 16, used);
            payload.set(U64, 24, available);
            payload.set(U64, 32, log);
        }

        /** Whether the rings lie at the same place; flags and log address may differ. */
        public boolean hasRingsOf(VringAddress other) {
            return descriptor == other.descriptor && used == other.used && available == other.available;
        }
    }

    /** A log of dirty pages in a file that comes beside the message; its first bit is for guest address 0. */
    public record Log(long byteCount, long fileOffset) {
        public static Log read(MemorySegment payload) {
            return new Log(payload.get(U64, 0), payload.get(U64, 8));
        }

        public void write(MemorySegment payload) {
            payload.set(U64, 0, byteCount);
            payload.set(U64, 8, fileOffset);
        }
    }

    /** One region of guest memory; its file comes as a descriptor beside the message. */
    public record Region(long guestAddress, long byteCount, long userAddress, long fileOffset) {
        public static Region read(MemorySegment payload, long offset) {
            return new Region(
                    payload.get(U64, offset),
                    payload.get(U64, offset + 8),
                    payload.get(U64, offset + 16),
                    payload.get(U64, offset + 24));
        }

        public void write(MemorySegment payload, long offset) {
            payload.set(U64, offset, guestAddress);
            payload.set(U64, offset + 8, byteCount);
            payload.set(U64, offset + 16, userAddress);
            payload.set(U64, offset + 24, fileOffset);
        }
    }

    /** What part of the configuration space is meant. */
    public record Config(int offset, int byteCount, int flags) {
        public static Config read(MemorySegment payload) throws ProtocolException {
            Config config = new Config(payload.get(U32, 0), payload.get(U32, 4), payload.get(U32, 8));
            if (config.offset < 0 || config.byteCount < 0 || config.byteCount != payload.byteSize() - CONFIG_BYTES) {
                throw new ProtocolException("%d bytes of configuration space at %d announced, %d sent"
                        .formatted(config.byteCount, config.offset, payload.byteSize() - CONFIG_BYTES));
            }
            return config;
        }

        public void write(MemorySegment payload) {
            payload.set(U32, 0, offset);
            payload.set(U32, 4, byteCount);
            payload.set(U32, 8, flags);
        }
    }

    /** The in-flight region of all queues. */
    public record Inflight(long byteCount, long fileOffset, int queueCount, int queueSize) {
        public static Inflight read(MemorySegment payload) {
            return new Inflight(
                    payload.get(U64, 0),
                    payload.get(U64, 8),
                    payload.get(U16, 16) & 0xffff,
                    payload.get(U16, 18) & 0xffff);
        }

        public void write(MemorySegment payload) {
            payload.set(U64, 0, byteCount);
            payload.set(U64, 8, fileOffset);
            payload.set(U16, 16, (short) queueCount);
            payload.set(U16, 18, (short) queueSize);
        }
    }

    /** How the state of a device shall go over a pipe. */
    public record Transfer(int direction, int phase) {
        /** From the device to the client. */
        public static final int SAVE = 0;

        /** From the client to the device. */
        public static final int LOAD = 1;

        /** All rings are stopped: the only phase there is. */
        public static final int STOPPED = 0;

        /** In the answer: the pipe that the client gave is used. The low byte is 0 for success. */
        public static final long ANSWER_NO_DESCRIPTOR = 1 << 8;

        public static Transfer read(MemorySegment payload) {
            return new Transfer(payload.get(U32, 0), payload.get(U32, 4));
        }
    }

    public static long u64(MemorySegment payload) {
        return payload.get(U64, 0);
    }

    public static int u32(MemorySegment payload) {
        return payload.get(U32, 0);
    }
}
