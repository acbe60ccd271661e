package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The native memory of one {@code struct msghdr} with one data piece and a control part for descriptors. Used by one
 * thread at a time; freed with the object.
 */
final class SocketMessage {
    static final int MAX_DESCRIPTORS = 253;

    static final int SOL_SOCKET = 1;
    static final int SCM_RIGHTS = 1;
    static final int MSG_CTRUNC = 8;

    static final long MSGHDR_SIZE = 56;
    static final long MSGHDR_IOV = 16;
    static final long MSGHDR_IOVLEN = 24;
    static final long MSGHDR_CONTROL = 32;
    static final long MSGHDR_CONTROLLEN = 40;
    static final long MSGHDR_FLAGS = 48;

    static final long IOVEC_SIZE = 16;
    static final long IOVEC_LEN = 8;

    static final long CMSGHDR_SIZE = 16;
    static final long CMSGHDR_LEN = 0;
    static final long CMSGHDR_LEVEL = 8;
    static final long CMSGHDR_TYPE = 12;

    private static final long CONTROL = MSGHDR_SIZE + IOVEC_SIZE;

    private final MemorySegment memory;
    private final long controlBytes;

    /** @param descriptors how many the control part has room for */
    SocketMessage(int descriptors) {
        controlBytes = align(CMSGHDR_SIZE + (long) descriptors * Integer.BYTES);
        memory = Arena.ofAuto().allocate(CONTROL + controlBytes, Long.BYTES);
        memory.set(JAVA_LONG, MSGHDR_IOV, memory.address() + MSGHDR_SIZE);
        memory.set(JAVA_LONG, MSGHDR_IOVLEN, 1);
    }

    long address() {
        return memory.address();
    }

    /** Sets where the data is. */
    void data(long address, long byteCount) {
        memory.set(JAVA_LONG, MSGHDR_SIZE, address);
        memory.set(JAVA_LONG, MSGHDR_SIZE + IOVEC_LEN, byteCount);
    }

    /** Makes the whole control part ready to be filled by the kernel. */
    void expectDescriptors() {
        memory.set(JAVA_LONG, MSGHDR_CONTROL, memory.address() + CONTROL);
        memory.set(JAVA_LONG, MSGHDR_CONTROLLEN, controlBytes);
        memory.set(JAVA_INT, MSGHDR_FLAGS, 0);
    }

    /** Puts descriptors into the control part; no control part where there are none. */
    void descriptors(int[] raw, int count) {
        if (count == 0) {
            memory.set(JAVA_LONG, MSGHDR_CONTROL, 0);
            memory.set(JAVA_LONG, MSGHDR_CONTROLLEN, 0);
            return;
        }
        long length = CMSGHDR_SIZE + (long) count * Integer.BYTES;
        memory.set(JAVA_LONG, CONTROL + CMSGHDR_LEN, length);
        memory.set(JAVA_INT, CONTROL + CMSGHDR_LEVEL, SOL_SOCKET);
        memory.set(JAVA_INT, CONTROL + CMSGHDR_TYPE, SCM_RIGHTS);
        MemorySegment.copy(raw, 0, memory, JAVA_INT, CONTROL + CMSGHDR_SIZE, count);
        memory.set(JAVA_LONG, MSGHDR_CONTROL, memory.address() + CONTROL);
        memory.set(JAVA_LONG, MSGHDR_CONTROLLEN, align(length));
    }

    /** Takes ownership of every descriptor that the kernel put into the control part. */
    void takeDescriptors(String subject, List<Fd> received) {
        long filled = Math.min(memory.get(JAVA_LONG, MSGHDR_CONTROLLEN), controlBytes);
        long header = 0;
        while (filled - header >= CMSGHDR_SIZE) {
            long length = memory.get(JAVA_LONG, CONTROL + header + CMSGHDR_LEN);
            if (length < CMSGHDR_SIZE || length > filled - header) {
                return;
            }
            if (memory.get(JAVA_INT, CONTROL + header + CMSGHDR_LEVEL) == SOL_SOCKET
                    && memory.get(JAVA_INT, CONTROL + header + CMSGHDR_TYPE) == SCM_RIGHTS) {
                for (long at = header + CMSGHDR_SIZE; at + Integer.BYTES <= header + length; at += Integer.BYTES) {
                    received.add(Fd.adopt(memory.get(JAVA_INT, CONTROL + at), subject));
                }
            }
            header += align(length);
        }
    }

    /** Whether the kernel had more control data than room, or could not install all descriptors. */
    boolean isControlTruncated() {
        return (memory.get(JAVA_INT, MSGHDR_FLAGS) & MSG_CTRUNC) != 0;
    }

    private static long align(long byteCount) {
        return (byteCount + 7) & -8;
    }
}
